"""How far predictions are from labels, as training sees it; each returns one number.

All take raw predictions and standardised labels, both `(B,)`, and weights `(B,)` of mean about 1.
"""

from collections.abc import Callable

import torch.nn.functional as functional
from torch import Tensor

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def squared(predictions: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the mean squared error: its best constant is the mean."""
    return (weights * functional.mse_loss(predictions, labels, reduction="none")).mean()


def smooth(predictions: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of an error that is squared below half a deviation, absolute above."""
    errors = functional.smooth_l1_loss(predictions, labels, reduction="none", beta=0.5)
    return (weights * errors).mean()


def concordance(predictions: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return 1 - CCC (Lin 1989) of the batch, with a little of the squared error.

    The squared error steers where the batch's labels are all alike, for which the concordance of
    any prediction is 0.
    """
    share = weights / weights.sum()
    mean_p, mean_y = (share * predictions).sum(), (share * labels).sum()
    var_p = (share * (predictions - mean_p).square()).sum()
    var_y = (share * (labels - mean_y).square()).sum()
    both = (share * (predictions - mean_p) * (labels - mean_y)).sum()
    ccc = 2.0 * both / (var_p + var_y + (mean_p - mean_y).square() + 1e-6)
    return 1.0 - ccc + 0.1 * squared(predictions, labels, weights)


LOSSES: dict[str, Loss] = {"mse": squared, "smooth_l1": smooth, "concordance": concordance}
