"""The network that the settings ask for, with its statistics from the training subjects."""

from collections.abc import Sequence

import numpy as np
import torch

from aacsfnet.config import Train
from aacsfnet.models import Network
from aacsfnet.models.backbone import Backbone
from aacsfnet.models.create import aacsfnet
from aacsfnet.models.published import Published
from aacsfnet.training.data import pixel_statistics
from aacsfnet.training.losses import LOSSES
from aacsfnet.training.material import Material


def network_of(settings: Train, image_size: int, label_range: Sequence[float]) -> Network:
    """Return the network for pictures of a size and a label of a range.

    Raises:
        SettingsError: the network cannot be built so.
        ModelFileError: the file of pretrained weights is not usable.
    """
    pretrained = settings.pretrained or False
    if settings.model == "published":
        return Published(
            settings.network, pretrained=pretrained, image_size=image_size, batch=settings.batch
        )
    return aacsfnet(
        settings.network,
        pretrained=pretrained,
        image_size=image_size,
        head=LOSSES[settings.loss][1],
        label_range=label_range,
        levels=settings.levels,
    )


def backbone_of(model: Network) -> Backbone | None:
    """Return a network's backbone; None where it has none."""
    return next((each for each in model.modules() if isinstance(each, Backbone)), None)


def build(settings: Train, material: Material, seed: int) -> Network:
    """Return the network of `network_of`, its weights seeded, with the subjects' statistics."""
    torch.manual_seed(seed)
    label = material.label
    model = network_of(settings, material.images.shape[1], (label.low, label.high))
    _set_statistics(model, settings, material)
    return model


def _set_statistics(model: Network, settings: Train, material: Material) -> None:
    labels = material.training_labels()
    model.label_mean.fill_(float(labels.mean()))
    model.label_deviation.fill_(max(float(labels.std()), 1e-3))
    if settings.statistics == "training":
        pixels = pixel_statistics(material.images, material.own()["row"].to_numpy())
        mean, deviation = pixels["mean"], pixels["deviation"]
    elif (backbone := backbone_of(model)) is not None and backbone.pixels is not None:
        mean, deviation = map(np.array, backbone.pixels)
    else:
        return
    model.pixel_mean.copy_(torch.from_numpy(mean).view(3, 1, 1))
    model.pixel_deviation.copy_(torch.from_numpy(deviation).view(3, 1, 1))
