"""Scores of any number of pictures, also from a network that is tied to one batch size."""

import torch
from torch import Tensor

from aacsfnet.models.network import Network


def scored(model: Network, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return scores `(B,)` and, where the network tells them, their standard deviations `(B,)`.

    A network of a fixed batch size gets the pictures in such batches, the last one filled up with
    the first pictures again; what it says of those is dropped.

    Args:
        model: in evaluation mode.
        pictures: `(B, 3, H, W)` float in 0-1.
    """
    count = len(pictures)
    if model.fixed_batch is None:
        raw = model.raw(pictures)
    else:
        size = model.fixed_batch
        places = torch.arange(-(-count // size) * size, device=pictures.device) % count
        filled = pictures[places]
        raw = torch.cat([model.raw(part) for part in filled.split(size)])[:count]
    raw = raw.float()
    return model.score(raw), model.spread(raw)
