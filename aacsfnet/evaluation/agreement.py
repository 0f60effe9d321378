"""By how much a prediction misses its label: Bland-Altman's limits, and what change can be seen.

With errors e = prediction - label:

- The *bias* is the mean of e, and the *limits of agreement* are bias ± 1.96 SD(e), between which 95
  of 100 errors lie if they are about normal (Bland and Altman, The Lancet 1986). SD has n - 1.
- The *standard error of measurement* is the standard deviation of e within people: what remains of
  the error when each person's own bias is taken off, from the one-way analysis of variance.
- The *minimal detectable change* is 1.96 √2 times that: two scores of one person that differ by
  less can differ by error alone. It takes their errors to be independent; those of neighbouring
  frames are alike, so a change between them is seen sooner.
"""

import math
from dataclasses import dataclass

import numpy as np

from aacsfnet.evaluation.statistics import Codes, Floats

#: The normal's quantile for 95 of 100, as the literature rounds it.
_NORMAL = 1.96

#: Short names as printed, with what they say.
AGREEMENT = {
    "bias": ("Bias", "mean error: prediction less label"),
    "sd": ("SD", "standard deviation of the errors"),
    "lower": ("Lower limit", "of agreement: bias less 1.96 SD"),
    "upper": ("Upper limit", "of agreement: bias plus 1.96 SD"),
    "sem": ("SEM", "standard error of measurement: SD of the errors within people"),
    "mdc": ("MDC", "minimal detectable change of one person's score, 95 %"),
}


@dataclass(frozen=True)
class Errors:
    """Each subject's errors: how many, their mean, and the squares of their distances from it."""

    counts: Floats
    means: Floats
    squares: Floats

    @classmethod
    def of(cls, errors: Floats, subjects: Codes, count: int) -> "Errors":
        """Sum up `(n,)` errors of `(n,)` subjects, numbered from 0 to `count` - 1."""
        counts = np.bincount(subjects, minlength=count).astype(np.float64)
        means = np.bincount(subjects, errors, count) / np.maximum(counts, 1)
        distances = (errors - means[subjects]) ** 2
        return cls(counts, means, np.bincount(subjects, distances, count).astype(np.float64))


def agreement_draws(errors: Errors, weights: Floats) -> dict[str, Floats]:
    """Return `AGREEMENT` over all frames, for each row of weights `(B, subjects)`; NaN: undefined.

    A spread needs two frames, one within people two frames of somebody.
    """
    frames = weights @ errors.counts
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = weights @ (errors.counts * errors.means) / frames
        within = weights @ errors.squares
        apart = (errors.means[None, :] - bias[:, None]) ** 2 * errors.counts
        between = (weights * np.nan_to_num(apart)).sum(axis=1)
        sd = _root(within + between, frames - 1)
        sem = _root(within, frames - weights @ (errors.counts > 0))
    return {
        "bias": bias,
        "sd": sd,
        "lower": bias - _NORMAL * sd,
        "upper": bias + _NORMAL * sd,
        "sem": sem,
        "mdc": _NORMAL * math.sqrt(2) * sem,
    }


def _root(squares: Floats, freedom: Floats) -> Floats:
    found: Floats = np.where(freedom > 0, np.sqrt(squares / np.maximum(freedom, 1)), np.nan)
    return found
