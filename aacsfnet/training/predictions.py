"""What a trained network says of its held-out subjects, and how alike they are to its training."""

import numpy as np
import polars as pl
import torch

from aacsfnet import tables
from aacsfnet.config import Train
from aacsfnet.models.context import Context
from aacsfnet.models.familiarity import Familiarity
from aacsfnet.models.network import Network
from aacsfnet.models.pictures import to_float
from aacsfnet.models.scoring import Described, described
from aacsfnet.models.signs import Floats, face_signs, picture_signs
from aacsfnet.training.data import Batch, context_in
from aacsfnet.training.material import Material, pictures_of

#: Columns of the merged table that say whose and what a picture is.
IDENTITY = ("image_id", "frame_id", "subject", "sequence", "label")
#: Training pictures whose features are looked at, at most.
_MOST = 4000


@torch.inference_mode()
def familiar(model: Network, material: Material, settings: Train) -> Familiarity:
    """Return what tells how far features lie from those of the training subjects' real pictures.

    At most `_MOST` pictures are looked at, evenly spread.
    """
    real = material.training_rows()
    places = np.linspace(0, len(real) - 1, min(_MOST, len(real))).round().astype(int)
    features = [
        _described(model, each).features.float().cpu().numpy()
        for each in pictures_of(material, real[places], settings)
    ]
    device = model.label_mean.device
    return Familiarity.of(np.concatenate(features)).to(device)


def _described(model: Network, batch: Batch) -> Described:
    """Return what a network says of a batch of a loader."""
    device = model.label_mean.device
    context = context_in(batch)
    if context is not None:
        context = Context(*(each.to(device) for each in context))
    return described(model, to_float(batch["pictures"].to(device)), context)


@torch.inference_mode()
def predict(
    model: Network,
    material: Material,
    familiarity: Familiarity,
    *,
    settings: Train,
    side: int,
    fold: int,
    seed: int,
) -> pl.DataFrame:
    """Return the scores of the held-out subjects' pictures, not clipped to the label's range.

    `deviation` is the predicted standard deviation where the network tells one, else null;
    `mean_label` is the mean of the training subjects' real labels, the baseline to beat. The signs
    of each face stand beside them, see `aacsfnet.evaluation.abstention`.

    Args:
        model: in evaluation mode.
        material: the fold's data.
        familiarity: of the network's features, on the same device.
        settings: with which it was trained: pictures a pass, and what stands beside them.
        side: of the crops that the pictures were cut from, pixels.
        fold: noted in each row.
        seed: noted in each row.
    """
    test = material.chosen.test
    columns: dict[str, list[Floats]] = {}
    for each in pictures_of(material, test, settings):
        found = _described(model, each)
        unknown = torch.full_like(found.scores, torch.nan)
        spreads = unknown if found.spreads is None else found.spreads
        distances = familiarity(found.features).cpu().numpy()
        told = {"prediction": found.scores.cpu().numpy(), "deviation": spreads.cpu().numpy()}
        for name, values in (told | picture_signs(each["pictures"].numpy(), distances)).items():
            columns.setdefault(name, []).append(values)
    signs = face_signs(
        test.select("yaw", "pitch").to_numpy(),
        test["frame_pixels"].to_numpy(),
        test.select(tables.VISIBLE).to_numpy(),
        side=side,
        size=material.images.shape[1],
        kept=material.kept,
    )
    together = {name: np.concatenate(parts) for name, parts in columns.items()} | signs
    return test.select(*IDENTITY, "row").with_columns(
        pl.lit(float(material.training_labels().mean()), pl.Float64).alias("mean_label"),
        pl.lit(fold, pl.Int64).alias("fold"),
        pl.lit(seed, pl.Int64).alias("seed"),
        *(
            pl.Series(name, values, dtype=pl.Float64).fill_nan(None)
            for name, values in together.items()
        ),
    )
