"""Whether a predicted level means that level: labels by prediction, predictions by label."""

from dataclasses import dataclass

import numpy as np

from aacsfnet.evaluation.statistics import Codes, Floats, Sums


@dataclass(frozen=True)
class LevelSums:
    """Frames and the sum of a value by subject and level, `(subjects, levels)` each."""

    counts: Floats
    totals: Floats

    @classmethod
    def of(
        cls, values: Floats, subjects: Codes, levels: Codes, shape: tuple[int, int]
    ) -> "LevelSums":
        """Sum up `(n,)` values; `shape` is how many subjects and levels there are."""
        cell = subjects * shape[1] + levels
        size = shape[0] * shape[1]
        counts = np.bincount(cell, minlength=size).reshape(shape).astype(np.float64)
        return cls(counts, np.bincount(cell, values, size).reshape(shape).astype(np.float64))

    def draws(self, weights: Floats) -> Floats:
        """Return `(B, levels)` means for each row of weights, NaN where nobody shows the level."""
        counts = weights @ self.counts
        found: Floats = np.where(counts > 0, weights @ self.totals / np.maximum(counts, 1), np.nan)
        return found


def line_draws(sums: Sums, weights: Floats) -> dict[str, Floats]:
    """Return slope and intercept of the line from predictions to labels, for each row of weights.

    Least squares of label = intercept + slope · prediction. A slope below 1 says that predictions
    spread too far, one above 1 that they are drawn to the middle; both are NaN where predictions
    are constant.
    """
    drawn = sums.drawn(weights)
    n, p, y, pp, _, py, _, _ = drawn.totals.T
    constant = drawn.extremes[:, 0] == -drawn.extremes[:, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(constant, np.nan, pp / n - (p / n) ** 2)
        slope = np.where(variance > 0, (py / n - p * y / n**2) / variance, np.nan)
        intercept = y / n + sums.centre[1] - slope * (p / n + sums.centre[0])
    return {"slope": slope, "intercept": intercept}
