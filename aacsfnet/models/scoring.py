"""Scores of any number of pictures, also from a network that is tied to one batch size."""

from typing import NamedTuple

import torch
from torch import Tensor

from aacsfnet.models.context import Context
from aacsfnet.models.network import Network


class Described(NamedTuple):
    """What a network says of pictures.

    Attributes:
        scores: `(B,)` in units of the label.
        spreads: their standard deviations `(B,)`, None where the network tells none.
        features: what the head read, `(B, C)`.
    """

    scores: Tensor
    spreads: Tensor | None
    features: Tensor


def features_of(model: Network, pictures: Tensor, context: Context | None = None) -> Tensor:
    """Return what the head reads of pictures, `(B, C)`.

    A network of a fixed batch size gets the pictures in such batches, the last one filled up with
    the first pictures again; what it says of those is dropped.

    Args:
        model: in evaluation mode.
        pictures: `(B, 3, H, W)` float in 0-1.
        context: the pictures beside them, for a network that looks at such; None: it has none.
    """
    count = len(pictures)
    if model.fixed_batch is None:
        return model.features_in(pictures, context)
    size = model.fixed_batch
    places = torch.arange(-(-count // size) * size, device=pictures.device) % count
    filled = pictures[places]
    return torch.cat([model.features(part) for part in filled.split(size)])[:count]


def told(model: Network, features: Tensor) -> Described:
    """Return what a network says of features `(B, C)` that its head reads."""
    raw = model.head(features).float()
    return Described(model.score(raw), model.spread(raw), features)


def described(model: Network, pictures: Tensor, context: Context | None = None) -> Described:
    """Return what a network says of pictures; the arguments are those of `features_of`."""
    return told(model, features_of(model, pictures, context))


def scored(
    model: Network, pictures: Tensor, context: Context | None = None
) -> tuple[Tensor, Tensor | None]:
    """Return scores `(B,)` and, where the network tells them, their standard deviations `(B,)`.

    The arguments are those of `features_of`.
    """
    scores, spreads, _ = described(model, pictures, context)
    return scores, spreads
