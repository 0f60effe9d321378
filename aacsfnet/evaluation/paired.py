"""Whether two experiments differ on the same people: tests beside the intervals.

The signed-rank test takes each person once, however many frames there are (Wilcoxon, Biometrics
Bulletin 1, 1945). Of several experiments that are compared with one, some differ by chance; Holm's
adjustment keeps the chance that any does at the level asked for (Scandinavian Journal of Statistics
6, 1979).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from aacsfnet.evaluation.statistics import Floats
from aacsfnet.evaluation.summaries import subject_table
from aacsfnet.labels import Label

#: Measures of which each person's own are compared.
TESTED = ("mae", "pcc")


@dataclass(frozen=True)
class Test:
    """A test over people: how many, their median difference, and the two-sided p."""

    people: int
    median: float
    p: float


def signed_rank(differences: ArrayLike) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test; NaN where all differences are 0.

    Differences of 0 and unknown ones are left out. Up to 50 without ties are counted exactly, more
    by the normal with a correction for continuity.

    >>> signed_rank([1.0, 2.0, 3.0, 4.0, 5.0])
    0.0625
    """
    from scipy.stats import wilcoxon  # heavy

    values: Floats = np.asarray(differences, np.float64)
    values = values[np.isfinite(values) & (values != 0)]
    if not values.size:
        return float("nan")
    return float(wilcoxon(values, correction=True).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number; unknown ones stay NaN and do not count.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    given = np.asarray(p_values, np.float64)
    known = np.flatnonzero(np.isfinite(given))
    order = known[np.argsort(given[known], kind="stable")]
    adjusted = np.full(given.shape, np.nan)
    steps = given[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]


def people_tests(rows: pl.DataFrame, other: pl.DataFrame, label: Label) -> dict[str, Test]:
    """Return the signed-rank test of each measure's difference over people, first less second.

    A person counts where the measure is defined in both.

    Args:
        rows: predictions of one experiment.
        other: those of another on the same people.
        label: the label's name, range and meaning.
    """
    both = subject_table(rows, label).join(
        subject_table(other, label), on="subject", suffix="_other", maintain_order="left"
    )
    found = {}
    for name in TESTED:
        differences = (both[name] - both[f"{name}_other"]).to_numpy()
        known = differences[np.isfinite(differences)]
        middle = float(np.median(known)) if known.size else float("nan")
        found[name] = Test(int(known.size), middle, signed_rank(known))
    return found
