"""The auxiliary task: facial measures told from the features that the score is told from.

The measures are found on each picture itself, real or generated, so they are true whatever its
label is worth. The head for them serves training alone: it is no part of the network that is saved.
"""

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from aacsfnet.tables import MEASURES


def _other_side(name: str) -> str:
    side, other = ("_right", "_left") if name.endswith("_right") else ("_left", "_right")
    return name.removesuffix(side) + other if name.endswith(side) else name


#: What is told of each picture: its facial measures, then how the head is turned, in degrees.
GEOMETRY = (*MEASURES, "yaw", "pitch")
#: Where each of them stands when the picture is mirrored, and what it is then multiplied by.
MIRRORED = [GEOMETRY.index(_other_side(name)) for name in GEOMETRY]
_SIGNS = [-1.0 if name == "yaw" else 1.0 for name in GEOMETRY]


def standardised(measures: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return measures, or all of `GEOMETRY`, less their mean, in deviations, `(n, k)` float32.

    Both are of each measure and its mirror image, since pictures are shown both ways round. NaN
    stays, and stands for a measure that does not vary.

    Args:
        measures: `(n, k)`, the first k of `GEOMETRY`, NaN where unknown.
        of: `(m, k)`, those that mean and deviation are taken of.
    """
    count = of.shape[1]
    image = of[:, MIRRORED[:count]] * _SIGNS[:count]
    known = np.ma.masked_invalid(np.concatenate([of, image]))
    mean, deviation = known.mean(axis=0).filled(np.nan), known.std(axis=0).filled(np.nan)
    deviation[~(deviation > 1e-6)] = np.nan
    standard: np.ndarray = ((measures - mean) / deviation).astype(np.float32)
    return standard


def mirrored(measures: Tensor, flipped: Tensor) -> Tensor:
    """Return the standardised geometry `(B, k)` with sides changed where it is flipped `(B,)`."""
    count = measures.shape[1]
    image = measures[:, MIRRORED[:count]] * measures.new_tensor(_SIGNS[:count])
    return torch.where(flipped.unsqueeze(1), image, measures)


def geometry_head(channels: int) -> nn.Linear:
    """Return the auxiliary head: features `(B, channels)` to standardised measures.

    It starts at 0, so that nothing random reaches the network through it.
    """
    head = nn.Linear(channels, len(MEASURES))
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def geometry_loss(found: Tensor, measures: Tensor, beta: float = 1.0) -> Tensor:
    """Return the mean smooth error of standardised measures `(B, k)`; NaN ones are left out.

    Squared below `beta` deviations, absolute above: a mesh that failed does not lead.
    """
    known = measures.isfinite()
    wanted = torch.where(known, measures, 0.0)
    errors = functional.smooth_l1_loss(found.float(), wanted, reduction="none", beta=beta)
    return (errors * known).sum() / known.sum().clamp_min(1)
