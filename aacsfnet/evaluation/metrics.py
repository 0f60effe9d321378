"""How close predictions are to labels: the field's measures, each on two arrays `(n,)`.

Conventions: the first argument holds predictions, the second labels, both of shape `(n,)` on the
label's scale. A measure that is not defined for the given values is NaN, never 0: a correlation
with something constant is unknown, not absent. Whoever averages such values says over how many.

The measures of agreement, for predictions p and labels y with means p̄ and ȳ:

- PCC, whether they move together: cov(p, y) / (sd(p) sd(y)). Blind to scale and offset.
- ICC(3,1), the same with the scale counted: 2 cov(p, y) / (var(p) + var(y)). Consistency of two
  raters, blind to an offset only (Shrout and Fleiss 1979, case 3).
- CCC, with scale and offset counted: 2 cov(p, y) / (var(p) + var(y) + (p̄ - ȳ)²) (Lin 1989).
"""

import numpy as np
from numpy.typing import ArrayLike

from aacsfnet.errors import DataError
from aacsfnet.evaluation.statistics import Floats, Sums, measures, sums_of

#: Short names as printed, with what they say and whether more is better.
METRICS = {
    "pcc": ("PCC", "Pearson's correlation", True),
    "icc": ("ICC(3,1)", "intraclass correlation, consistency", True),
    "ccc": ("CCC", "concordance correlation, agreement", True),
    "mae": ("MAE", "mean absolute error", False),
    "rmse": ("RMSE", "root of the mean squared error", False),
    "mse": ("MSE", "mean squared error", False),
    "macro_mae": ("Macro MAE", "mean absolute error, each label level weighing the same", False),
}


def _pairs(predictions: ArrayLike, labels: ArrayLike) -> tuple[Floats, Floats]:
    """Return both as float64 arrays of one shape `(n,)`.

    Raises:
        DataError: the shapes differ, are not one-dimensional, or hold no value; or a value is no
            finite number.
    """
    got, expected = np.asarray(predictions, np.float64), np.asarray(labels, np.float64)
    if got.shape != expected.shape or got.ndim != 1:
        raise DataError(
            f"predictions of shape {got.shape} against labels of shape {expected.shape};"
            " both must be (n,) with the same n"
        )
    for name, values in (("predictions", got), ("labels", expected)):
        if not np.isfinite(values).all():
            count = int((~np.isfinite(values)).sum())
            raise DataError(f"{count} of {values.size} {name} are not finite; expected numbers")
    return got, expected


def _measure(
    name: str, predictions: ArrayLike, labels: ArrayLike, levels: ArrayLike | None = None
) -> float:
    """Return one of `METRICS` of all values together; NaN without values."""
    got, expected = _pairs(predictions, labels)
    if not got.size:
        return float("nan")
    return float(measures(_sums(got, expected, levels)[0])[name][0])


def _sums(got: Floats, expected: Floats, levels: ArrayLike | None) -> tuple[Sums, Floats]:
    """Return the sums over all values as one group, and the levels in the order of its columns."""
    level, _ = _pairs(expected if levels is None else levels, expected)
    found, codes = np.unique(level, return_inverse=True)
    return sums_of(got, expected, np.zeros(got.size, np.int64), codes, (1, found.size)), found


def mae(predictions: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean absolute error; NaN without values.

    >>> mae([0.0, 2.0, 5.0], [0.0, 1.0, 3.0])
    1.0
    """
    return _measure("mae", predictions, labels)


def mse(predictions: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean squared error; NaN without values.

    >>> mse([0.0, 2.0, 5.0, 3.0], [0.0, 1.0, 3.0, 3.0])
    1.25
    """
    return _measure("mse", predictions, labels)


def rmse(predictions: ArrayLike, labels: ArrayLike) -> float:
    """Return the root of the mean squared error; NaN without values.

    >>> rmse([3.0, 0.0], [0.0, 3.0])
    3.0
    """
    return _measure("rmse", predictions, labels)


def pcc(predictions: ArrayLike, labels: ArrayLike) -> float:
    """Return Pearson's correlation; NaN below two values or where one side is constant.

    >>> pcc([1.0, 2.0, 3.0], [10.0, 20.0, 30.0])
    1.0
    >>> pcc([1.0, 1.0, 1.0], [0.0, 1.0, 2.0])
    nan
    """
    return _measure("pcc", predictions, labels)


def icc(predictions: ArrayLike, labels: ArrayLike) -> float:
    """Return ICC(3,1) of two raters, consistency; NaN below two values or with both constant.

    (BMS - EMS) / (BMS + EMS) from the two-way analysis of variance, which for two raters is
    2 cov / (var + var). A constant prediction of labels that vary gives 0 by this definition.
    Source: Shrout and Fleiss, Psychological Bulletin 86 (1979), case 3.

    >>> icc([1.0, 2.0, 3.0], [2.0, 3.0, 4.0])
    1.0
    >>> icc([0.0, 4.0], [0.0, 2.0])
    0.8
    """
    return _measure("icc", predictions, labels)


def ccc(predictions: ArrayLike, labels: ArrayLike) -> float:
    """Return the concordance correlation; NaN below two values or for two equal constants.

    Variances have the divisor n, as in the source: Lin, Biometrics 45 (1989), 255-268.

    >>> ccc([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    1.0
    >>> ccc([0.0, 2.0], [1.0, 3.0])
    0.6666666666666666
    """
    return _measure("ccc", predictions, labels)


def level_of(labels: ArrayLike, low: float, high: float) -> Floats:
    """Return the level that each label counts under: whole numbers, or tenths of a short range.

    Args:
        labels: `(n,)` values in `low` to `high`.
        low: lowest possible label.
        high: highest possible label.

    >>> level_of([0.0, 1.4, 3.5], 0, 16)
    array([0., 1., 4.])
    >>> level_of([0.0, 0.52], 0, 1)
    array([0. , 0.5])
    """
    step = 1.0 if high - low >= 2 else (high - low) / 10
    steps = np.floor((np.asarray(labels, np.float64) - low) / step + 0.5)
    levels: Floats = np.round(low + steps * step, 9)
    return levels


def mae_by_level(
    predictions: ArrayLike, labels: ArrayLike, levels: ArrayLike | None = None
) -> dict[float, float]:
    """Return the mean absolute error at each level; the levels are the labels unless given.

    >>> mae_by_level([0.0, 2.0, 1.0], [0.0, 0.0, 4.0])
    {0.0: 1.0, 4.0: 3.0}
    """
    got, expected = _pairs(predictions, labels)
    if not got.size:
        return {}
    sums, found = _sums(got, expected, levels)
    errors = sums.level_errors[0] / sums.level_counts[0]
    return dict(zip(found.tolist(), errors.tolist(), strict=True))


def macro_mae(predictions: ArrayLike, labels: ArrayLike, levels: ArrayLike | None = None) -> float:
    """Return the mean over levels of the mean absolute error; NaN without values.

    Frames without pain are most of every pain data set; here they weigh no more than the rare
    strong ones.

    >>> macro_mae([0.0, 2.0, 1.0], [0.0, 0.0, 4.0])
    2.0
    """
    return _measure("macro_mae", predictions, labels, levels)
