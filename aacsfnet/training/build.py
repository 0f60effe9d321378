"""The network that the settings ask for, with its statistics from the training subjects."""

import torch

from aacsfnet.config import Train
from aacsfnet.models import Network, create_model
from aacsfnet.training.data import pixel_statistics
from aacsfnet.training.losses import LOSSES
from aacsfnet.training.material import Material

#: Settings of the block `train` that are settings of the network too.
NETWORK_KEYS = (
    "branches",
    "attention",
    "feature_stride",
    "context_width",
    "context_depth",
    "scales",
    "width",
    "depth",
    "heads",
    "fusion",
    "fusion_width",
    "branch_dropout",
    "dropout",
    "levels",
)
#: Those that the published network has as well.
PUBLISHED_KEYS = ("context_width", "context_depth", "width", "depth", "heads")


def build(settings: Train, material: Material, seed: int) -> Network:
    """Return the network with random or pretrained weights.

    Raises:
        SettingsError: the network cannot be built so.
        ModelFileError: the file of pretrained weights is not usable.
    """
    torch.manual_seed(seed)
    common = {
        "backbone": settings.backbone,
        "pretrained": str(settings.pretrained) if settings.pretrained else False,
        "image_size": material.images.shape[1],
    }
    if settings.model == "published":
        model = create_model(
            "published",
            batch=settings.batch,
            **common,
            **settings.model_dump(include=set(PUBLISHED_KEYS)),
        )
    else:
        model = create_model(
            settings.model,
            head=LOSSES[settings.loss][1],
            label_range=(material.label.low, material.label.high),
            **common,
            **settings.model_dump(include=set(NETWORK_KEYS)),
        )
    _set_statistics(model, settings, material)
    return model


def _set_statistics(model: Network, settings: Train, material: Material) -> None:
    labels = material.training_labels()
    model.label_mean.fill_(float(labels.mean()))
    model.label_deviation.fill_(max(float(labels.std()), 1e-3))
    if settings.statistics == "training":
        pixels = pixel_statistics(material.images, material.chosen.train["row"].to_numpy())
        model.pixel_mean.copy_(torch.from_numpy(pixels["mean"]).view(3, 1, 1))
        model.pixel_deviation.copy_(torch.from_numpy(pixels["deviation"]).view(3, 1, 1))
