"""The losses of training; each returns one value for a batch.

All take the network, its raw outputs `(B, outputs)`, labels `(B,)` in units of the label, and
weights `(B,)` of mean about 1.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as functional
from torch import Tensor

from aacsfnet.models.head import OrdinalHead, log_variance
from aacsfnet.models.network import Network

Loss = Callable[[Network, Tensor, Tensor, Tensor], Tensor]


def squared(predictions: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the mean squared error of `(B,)` each; the mean minimises it among constants."""
    return (weights * functional.mse_loss(predictions, labels, reduction="none")).mean()


def smooth(predictions: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the smooth L1 loss, quadratic below a quarter standard deviation, linear above.

    Among constants one near the median minimises it, and that is 0 for a label that is mostly 0.
    """
    errors = functional.smooth_l1_loss(predictions, labels, reduction="none", beta=0.25)
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


def _of_scores(measure: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Loss:
    """Return a loss on standardised labels."""

    def loss(model: Network, raw: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        return measure(raw[:, 0], model.standardise(labels), weights)

    return loss


def gaussian(model: Network, raw: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the Gaussian negative log-likelihood, weighted by the standard deviation (beta-NLL).

    The weight (beta 0.5, Seitzer et al. 2022) keeps the model from explaining hard pictures by a
    large variance.
    """
    logarithm = log_variance(raw)
    error = (raw[:, 0] - model.standardise(labels)).square()
    likelihood = 0.5 * (logarithm + error * torch.exp(-logarithm))
    return (weights * torch.exp(0.5 * logarithm).detach() * likelihood).mean()


def ordinal(model: Network, raw: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return the mean cross-entropy of being above each level."""
    head = model.head
    assert isinstance(head, OrdinalHead)
    entropy = functional.binary_cross_entropy_with_logits(
        raw, head.targets(labels), reduction="none"
    )
    return (weights * entropy.mean(dim=1)).mean()


#: Losses by name, each with the head that it needs.
LOSSES: dict[str, tuple[Loss, str]] = {
    "mse": (_of_scores(squared), "regression"),
    "smooth_l1": (_of_scores(smooth), "regression"),
    "concordance": (_of_scores(concordance), "regression"),
    "gaussian": (gaussian, "gaussian"),
    "ordinal": (ordinal, "ordinal"),
}
