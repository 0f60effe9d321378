"""How sure a figure is: intervals from resampling subjects, not frames.

Frames of one person resemble each other, so frames are no independent observations; people are.
An interval here is the expanded percentile interval of a bootstrap that draws whole subjects with
replacement. (On one published leave-one-subject-out correlation of 0.61, drawing subjects gives
0.51 to 0.69, drawing frames a falsely tight 0.60 to 0.63.)

Every measure is a function of a few sums over frames, so a resample needs only each subject's sums,
added with the weights with which subjects were drawn: 2,000 resamples are one matrix product,
however many frames there are.

Plain percentile intervals are too narrow for the dozens of subjects that pain data sets have: they
lack the factor sqrt(n / (n - 1)) and use the normal's tails where Student's belong. The expanded
ones put both back by taking quantiles further out (Hesterberg, The American Statistician 69, 2015,
section 5.3). In simulations here they cover better than plain and than BCa intervals; see
docs/explanation/evaluation.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

#: Most numbers held at once while resamples are drawn: 32 MB of float64.
_BLOCK = 4_000_000

#: An interval needs at least this share of resamples in which the measure is defined.
_LEAST_DEFINED = 0.5


@dataclass(frozen=True)
class Sums:
    """What the measures need to know of groups of frames; one row a group.

    Attributes:
        totals: `(rows, 8)`: n, Σp, Σy, Σp², Σy², Σpy, Σ|p - y|, Σ(p - y)², with p and y less
            `centre` in the middle five, so that variances do not suffer from large means.
        extremes: `(rows, 4)`: lowest p, -highest p, lowest y, -highest y; they tell constants
            exactly, where a variance from sums would leave rounding.
        level_counts: `(rows, levels)` frames at each level.
        level_errors: `(rows, levels)` Σ|p - y| at each level.
        centre: what was subtracted from p and y.
    """

    totals: Floats
    extremes: Floats
    level_counts: Floats
    level_errors: Floats
    centre: tuple[float, float]

    def drawn(self, weights: Floats) -> "Sums":
        """Return the sums of `(B, rows)` draws, where a row counts as often as its weight says."""
        taken = weights > 0
        extremes = np.empty((len(weights), 4))
        for column in range(4):
            masked = np.where(taken, self.extremes[:, column], np.inf)
            extremes[:, column] = masked.min(axis=1)
        return Sums(
            weights @ self.totals,
            extremes,
            weights @ self.level_counts,
            weights @ self.level_errors,
            self.centre,
        )


def sums_of(
    predictions: Floats, labels: Floats, subjects: Codes, levels: Codes, shape: tuple[int, int]
) -> Sums:
    """Return each subject's sums.

    Args:
        predictions: `(n,)` on the label's scale.
        labels: `(n,)`.
        subjects: `(n,)` numbers of subjects from 0.
        levels: `(n,)` numbers of label levels from 0.
        shape: how many subjects and levels there are.
    """
    rows, columns = shape
    centre = (float(predictions.mean()), float(labels.mean()))
    p, y, error = predictions - centre[0], labels - centre[1], np.abs(predictions - labels)
    parts = (np.ones_like(p), p, y, p * p, y * y, p * y, error, error * error)
    totals = [np.bincount(subjects, part, rows) for part in parts]
    extremes = np.full((rows, 4), np.inf)
    for column, values in enumerate((predictions, -predictions, labels, -labels)):
        np.minimum.at(extremes[:, column], subjects, values)
    cell = subjects * columns + levels
    return Sums(
        np.stack(totals, axis=1),
        extremes,
        np.bincount(cell, minlength=rows * columns).reshape(shape).astype(np.float64),
        np.bincount(cell, error, rows * columns).reshape(shape).astype(np.float64),
        centre,
    )


def measures(sums: Sums) -> dict[str, Floats]:
    """Return every measure of `aacsfnet.evaluation.metrics` for each row, NaN where undefined."""
    n, p, y, pp, yy, py, error, square = sums.totals.T
    constant_p = sums.extremes[:, 0] == -sums.extremes[:, 1]
    constant_y = sums.extremes[:, 2] == -sums.extremes[:, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        p, y = p / n, y / n
        var_p = np.where(constant_p, 0.0, np.maximum(pp / n - p * p, 0.0))
        var_y = np.where(constant_y, 0.0, np.maximum(yy / n - y * y, 0.0))
        cov: Floats = np.where(constant_p | constant_y, 0.0, py / n - p * y)
        shift = (p + sums.centre[0]) - (y + sums.centre[1])
        enough = np.where(n >= 2, 1.0, np.nan)
        by_level = sums.level_errors / sums.level_counts
        return {
            # Roots before the product: the product of two tiny variances would be rounded to 0.
            "pcc": enough * _ratio(cov, np.sqrt(var_p) * np.sqrt(var_y)),
            "icc": enough * _ratio(2 * cov, var_p + var_y),
            "ccc": enough * _ratio(2 * cov, var_p + var_y + shift * shift),
            "mae": error / n,
            "rmse": np.sqrt(square / n),
            "mse": square / n,
            "macro_mae": _mean(by_level, np.isfinite(by_level)),
        }


def _ratio(above: Floats, below: Floats) -> Floats:
    """Return the ratio within -1 to 1, NaN where there is nothing to divide by."""
    return np.clip(np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan), -1, 1)


def _mean(values: Floats, defined: NDArray[np.bool_]) -> Floats:
    """Return the mean over the last axis of what is defined, NaN where nothing is."""
    count = defined.sum(axis=-1)
    total = np.where(defined, values, 0.0).sum(axis=-1)
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def resamples(subjects: int, count: int, seed: int) -> Floats:
    """Return `(1 + count, subjects)` weights: all subjects once, then how often each is drawn.

    The same arguments give the same draws, so two experiments can be compared draw by draw.
    """
    drawn = np.random.default_rng(seed).multinomial(
        subjects, np.full(subjects, 1 / subjects), size=count
    )
    return np.concatenate([np.ones((1, subjects)), drawn.astype(np.float64)])


def pooled_draws(seeds: Sequence[Sums], weights: Floats) -> dict[str, Floats]:
    """Return each measure over all frames together, for each row of weights.

    With several training seeds it is the mean over seeds, and undefined where one seed's is: a
    network that collapsed must not drop out of the average.
    """
    rows = max(1, _BLOCK // weights.shape[1])
    blocks = [weights[start : start + rows] for start in range(0, len(weights), rows)]
    parts = [[_pooled(sums, block) for block in blocks] for sums in seeds]
    return {
        name: np.mean([np.concatenate([part[name] for part in seed]) for seed in parts], axis=0)
        for name in parts[0][0]
    }


def _pooled(sums: Sums, weights: Floats) -> dict[str, Floats]:
    """Return the measures of each draw.

    The macro MAE is one over all levels that occur. High levels are few people's, so a draw easily
    lacks one; the mean over the others would be smaller, another quantity, and is left undefined.
    """
    drawn = sums.drawn(weights)
    found = measures(drawn)
    occurring = sums.level_counts.sum(axis=0) > 0
    complete = (drawn.level_counts[:, occurring] > 0).all(axis=1)
    found["macro_mae"] = np.where(complete, found["macro_mae"], np.nan)
    return found


def subject_draws(seeds: Sequence[Sums], weights: Floats) -> dict[str, Floats]:
    """Return the mean over subjects of each subject's measure, for each row of weights.

    Subjects whose measure is undefined (no pain in any frame: no correlation) are left out of it;
    `subject_measures` tells how many they are.
    """
    return {name: mean_draws(values, weights) for name, values in subject_measures(seeds).items()}


def mean_draws(values: Floats, weights: Floats) -> Floats:
    """Return the mean of subjects' values that are defined, for each row of weights.

    Args:
        values: `(subjects,)`, NaN where undefined.
        weights: `(B, subjects)`, how often each is drawn.
    """
    defined = np.isfinite(values)
    count = weights @ defined
    total = weights @ np.where(defined, values, 0.0)
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def subject_measures(seeds: Sequence[Sums]) -> dict[str, Floats]:
    """Return each subject's measures, the mean over training seeds; NaN where one is undefined."""
    found = [measures(sums) for sums in seeds]
    return {name: np.mean([one[name] for one in found], axis=0) for name in found[0]}


def level_draws(seeds: Sequence[Sums], weights: Floats) -> Floats:
    """Return `(rows of weights, levels)` mean absolute errors at each level."""
    counts = weights @ seeds[0].level_counts
    errors = np.mean([weights @ sums.level_errors for sums in seeds], axis=0)
    found: Floats = np.where(counts > 0, errors / np.maximum(counts, 1), np.nan)
    return found


@dataclass(frozen=True)
class Interval:
    """A figure with its interval; NaN where undefined.

    Attributes:
        value: the figure on all subjects.
        low: lower end of the interval.
        high: upper end of the interval.
        undefined: resamples in which the measure is not defined.
    """

    value: float
    low: float
    high: float
    undefined: int


def interval(draws: Floats, confidence: float, subjects: int) -> Interval:
    """Return the expanded percentile interval of draws whose first is the figure itself.

    Args:
        draws: `(1 + B,)` from one of the functions above.
        confidence: coverage asked for, e.g. 0.95.
        subjects: how many subjects were drawn from.

    Returns:
        Ends are NaN when the figure is undefined, when there are fewer than two subjects, or when
        the measure is defined in less than half of the resamples.
    """
    value, rest = float(draws[0]), draws[1:]
    defined = rest[np.isfinite(rest)]
    undefined = len(rest) - len(defined)
    if not np.isfinite(value) or len(defined) < _LEAST_DEFINED * len(rest) or subjects < 2:
        return Interval(value, float("nan"), float("nan"), undefined)
    tail = expanded_tail(confidence, subjects)
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Interval(value, float(low), float(high), undefined)


def expanded_tail(confidence: float, subjects: int) -> float:
    """Return the share of resamples to leave outside at either end.

    >>> round(expanded_tail(0.95, 12), 4)  # a plain percentile interval leaves 0.025
    0.0108
    >>> round(expanded_tail(0.95, 100_000), 4)
    0.025
    """
    student = stdtrit(subjects - 1, (1 + confidence) / 2)
    return float(ndtr(-np.sqrt(subjects / (subjects - 1)) * student))
