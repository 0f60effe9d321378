"""Prediction intervals that hold for people never seen: conformal, by subject.

An interval runs from `score - quantile * below(score)` to `score + quantile * above(score)`, within
the label's range. `below` and `above` are straight lines: how far labels lie below and above a
score in the mean, which grows with the score. The quantile is that of held-out subjects' residuals
in units of those lines, each subject weighing the same. One more subject counts as missed
altogether: the new one, of whom nothing is known. So a new person's frames are held with the asked
coverage in the mean over people, whatever the network and however people differ, as long as the new
person is one like them. Source: Dunn, Wasserman and Ramdas, JASA 118 (2023); Lee, Barber and
Willett, arXiv:2306.06342.

With few subjects no finite quantile has the coverage: 90 % needs nine. The interval then is the
label's whole range.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Line = tuple[float, float]

#: Least of a line, as a share of the label's range: residuals of 0 must not divide.
_LEAST = 1e-3


@dataclass(frozen=True)
class Intervals:
    """What turns a score into an interval.

    Attributes:
        coverage: that was asked for, 0 to 1.
        quantile: of the residuals in units of the lines; None: too few subjects to know one.
        below, above: residual at the label's lowest value, and what a unit of the score adds.
        low, high: the label's range.
        subjects: whom the residuals are of.
    """

    coverage: float
    quantile: float | None
    below: Line
    above: Line
    low: float
    high: float
    subjects: int

    def bounds(self, scores: Floats) -> tuple[Floats, Floats]:
        """Return lower and upper ends `(n,)` of scores `(n,)` within the label's range."""
        if self.quantile is None:
            return np.full(len(scores), self.low), np.full(len(scores), self.high)
        below, above = (self._line(line, scores) for line in (self.below, self.above))
        lower = np.clip(scores - self.quantile * below, self.low, self.high)
        upper = np.clip(scores + self.quantile * above, self.low, self.high)
        return lower, upper

    @property
    def least(self) -> float:
        """Least value of a line."""
        return _LEAST * (self.high - self.low)

    def _line(self, line: Line, scores: Floats) -> Floats:
        return _along(line, scores, self.low, self.high)

    def stored(self) -> dict[str, Any]:
        """Return this as JSON holds it."""
        return asdict(self)

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Intervals":
        """Return what `stored` gave; raises TypeError or KeyError where it did not."""
        lines = {name: (stored[name][0], stored[name][1]) for name in ("below", "above")}
        return cls(**{**stored, **lines})


def fit(
    scores: Floats,
    labels: Floats,
    subjects: NDArray[Any],
    coverage: float,
    limits: tuple[float, float],
) -> Intervals:
    """Return the intervals that residuals of held-out subjects support.

    Args:
        scores: `(n,)` of frames whose subjects the network was not trained on.
        labels: `(n,)`.
        subjects: `(n,)` names.
        coverage: share of a new person's frames to hold, mean over people.
        limits: lowest and highest label; scores are clipped to them first.
    """
    low, high = limits
    scores = np.clip(scores, low, high)
    weights, count = subject_weights(subjects)
    residuals = labels - scores
    below = _fit_line(scores, -residuals, weights, limits)
    above = _fit_line(scores, residuals, weights, limits)
    scale = np.where(
        residuals < 0, _along(below, scores, low, high), _along(above, scores, low, high)
    )
    wanted = coverage * (count + 1) / count if count else np.inf
    quantile = weighted_quantile(np.abs(residuals) / scale, weights, wanted)
    return Intervals(coverage, quantile, below, above, low, high, count)


def subject_weights(subjects: NDArray[Any]) -> tuple[Floats, int]:
    """Return weights `(n,)` that sum to 1, the same for each subject, and how many those are."""
    _, codes, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    weights: Floats = 1.0 / (counts[codes] * max(1, len(counts)))
    return weights, len(counts)


def weighted_quantile(values: Floats, weights: Floats, share: float) -> float | None:
    """Return the least value that at least so much weight is at or below; None above all weight.

    >>> weighted_quantile(np.array([3.0, 1.0, 2.0]), np.full(3, 1 / 3), 0.5)
    2.0
    >>> weighted_quantile(np.array([3.0, 1.0, 2.0]), np.full(3, 1 / 3), 1.1)
    """
    if not len(values) or share > 1 + 1e-9:
        return None
    order = np.argsort(values, kind="stable")
    place = int(np.searchsorted(np.cumsum(weights[order]), share - 1e-9))
    return float(values[order[min(place, len(values) - 1)]])


def _along(line: Line, scores: Floats, low: float, high: float) -> Floats:
    at, slope = line
    found: Floats = np.maximum(at + slope * (scores - low), _LEAST * (high - low))
    return found


def _fit_line(
    scores: Floats, residuals: Floats, weights: Floats, limits: tuple[float, float]
) -> Line:
    """Return the line of the mean residual of one sign over the score, by least squares.

    It never falls: high scores are rarer and surer nowhere.
    """
    taken = residuals > 0
    if not taken.any():
        return _LEAST * (limits[1] - limits[0]), 0.0
    weights = weights[taken] / weights[taken].sum()
    x, y = scores[taken] - limits[0], residuals[taken]
    mean_x, mean_y = float(weights @ x), float(weights @ y)
    variance = float(weights @ np.square(x - mean_x))
    slope = float(weights @ ((x - mean_x) * (y - mean_y))) / variance if variance > 0 else 0.0
    slope = max(0.0, slope)
    return mean_y - slope * mean_x, slope
