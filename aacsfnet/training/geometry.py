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


#: Where each measure stands when the picture is mirrored.
MIRRORED = [MEASURES.index(_other_side(name)) for name in MEASURES]


def standardised(measures: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return measures with a mean taken off, in deviations, `(n, measures)` float32.

    Both are of each measure and its mirror image, since pictures are shown both ways round. NaN
    stays, and stands for a measure that does not vary.

    Args:
        measures: `(n, measures)`, NaN where unknown.
        of: `(m, measures)`, those that mean and deviation are taken of.
    """
    known = np.ma.masked_invalid(np.concatenate([of, of[:, MIRRORED]]))
    mean, deviation = known.mean(axis=0).filled(np.nan), known.std(axis=0).filled(np.nan)
    deviation[~(deviation > 1e-6)] = np.nan
    standard: np.ndarray = ((measures - mean) / deviation).astype(np.float32)
    return standard


def mirrored(measures: Tensor, flipped: Tensor) -> Tensor:
    """Return measures `(B, measures)` with the sides changed where a picture is flipped `(B,)`."""
    return torch.where(flipped.unsqueeze(1), measures[:, MIRRORED], measures)


def geometry_head(channels: int) -> nn.Linear:
    """Return the auxiliary head: features `(B, channels)` to standardised measures.

    It starts at 0, so that nothing random reaches the network through it.
    """
    head = nn.Linear(channels, len(MEASURES))
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def geometry_loss(found: Tensor, measures: Tensor) -> Tensor:
    """Return the mean smooth error of standardised measures `(B, measures)`; NaN ones are left out.

    Squared below one deviation, absolute above: a mesh that failed does not lead.
    """
    known = measures.isfinite()
    wanted = torch.where(known, measures, 0.0)
    errors = functional.smooth_l1_loss(found.float(), wanted, reduction="none")
    return (errors * known).sum() / known.sum().clamp_min(1)
