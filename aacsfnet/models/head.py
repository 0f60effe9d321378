"""The head: from fused features to a pain score, on its own or with how sure it is."""

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


def _layers(channels: int, outputs: int, hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.LayerNorm(channels),
        nn.Linear(channels, hidden),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, outputs),
    )


class RegressionHead(nn.Module):
    """A two-layer MLP to one score, on the scale of standardised labels."""

    def __init__(self, channels: int, hidden: int = 32, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = _layers(channels, 1, hidden, dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Return raw outputs `(B, 1)` from features `(B, C)`."""
        raw: Tensor = self.layers(features)
        return raw

    def score(self, raw: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        """Return scores `(B,)` in label units, from the label's mean and standard deviation."""
        return mean + deviation * raw[:, 0]

    def spread(self, raw: Tensor, deviation: Tensor) -> Tensor | None:
        """Return None: this head predicts no standard deviation."""
        return None


class GaussianHead(RegressionHead):
    """A score and its uncertainty: mean and logarithm of the variance of a normal distribution."""

    def __init__(self, channels: int, hidden: int = 32, dropout: float = 0.1) -> None:
        super().__init__(channels, hidden, dropout)
        self.layers = _layers(channels, 2, hidden, dropout)  # raw outputs (B, 2)

    def spread(self, raw: Tensor, deviation: Tensor) -> Tensor:
        """Return the standard deviation `(B,)` that is predicted, in units of the label."""
        return deviation * torch.exp(0.5 * log_variance(raw))


def log_variance(raw: Tensor) -> Tensor:
    """Return the logarithm of the variance `(B,)` in raw outputs `(B, 2)`, within bounds."""
    return raw[:, 1].clamp(-8.0, 4.0)


class OrdinalHead(nn.Module):
    """Cumulative levels: how probable it is that the label is above each of several steps.

    One number a picture is compared with rising thresholds, as in CORAL (Cao et al. 2020), so the
    probabilities fall from step to step by construction.

    Args:
        channels: of the features.
        low: lowest label.
        high: highest label.
        levels: steps between them.
        hidden: channels of the layer between.
        dropout: share of activations dropped in training.
    """

    def __init__(
        self,
        channels: int,
        low: float,
        high: float,
        levels: int,
        hidden: int = 32,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.low, self.high, self.levels = low, high, levels
        self.layers = _layers(channels, 1, hidden, dropout)
        self.first = nn.Parameter(torch.tensor(0.0))
        # Softplus of these are the distances between thresholds: four logits over all of them.
        self.distances = nn.Parameter(torch.full((levels - 1,), 4.0 / levels).expm1().log())

    def forward(self, features: Tensor) -> Tensor:
        """Return logits `(B, levels)` of being above each step, from features `(B, C)`."""
        rises = torch.cat([self.first.view(1), functional.softplus(self.distances)])
        logits: Tensor = self.layers(features) - rises.cumsum(0)  # (B, 1) - (levels,)
        return logits

    def score(self, raw: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        """Return the expected label `(B,)`; always within the label's range."""
        return self.low + (self.high - self.low) * raw.sigmoid().mean(dim=1)

    def spread(self, raw: Tensor, deviation: Tensor) -> Tensor:
        """Return the standard deviation `(B,)` of the label under the levels' probabilities.

        With A steps passed, E[A²] is the sum over k of (2k - 1) P(A >= k).
        """
        above = raw.sigmoid()
        counts = torch.arange(1, self.levels + 1, device=raw.device)
        second = ((2 * counts - 1) * above).sum(dim=1)
        variance = (second - above.sum(dim=1).square()).clamp_min(0.0)
        return (self.high - self.low) / self.levels * variance.sqrt()

    def targets(self, labels: Tensor) -> Tensor:
        """Return how far labels `(B,)` pass each step, `(B, levels)` in 0-1.

        A label between two steps passes the upper one by a part, so the expected label of perfect
        probabilities is the label itself.
        """
        passed = (labels - self.low) / (self.high - self.low) * self.levels
        steps = torch.arange(self.levels, device=labels.device)
        return (passed.unsqueeze(1) - steps).clamp(0.0, 1.0)
