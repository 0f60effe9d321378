"""Whether a score tells pain at or above a level from less: AUROC, average precision, F1.

Conventions: `predictions` and `positive` are `(n,)`, a score and a yes or no. Equal scores count
half for AUROC, and together for the average precision. What is not defined (AUROC without both
kinds, the others without a positive) is NaN, never 0.

- AUROC: the share of pairs of a positive and a negative whose positive has the higher score.
- Average precision, the area under the precision-recall curve: Σ (Rₙ - Rₙ₋₁) Pₙ over the distinct
  scores from high to low. Always saying yes gives the prevalence.
- F1: 2 TP / (2 TP + FP + FN) of saying yes at a cut-off or above.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aacsfnet.errors import DataError
from aacsfnet.evaluation.statistics import Codes, Floats

#: Short names as printed, with what they say; more is better for all.
BINARY = {
    "auroc": ("AUROC", "area under the receiver operating characteristic"),
    "auprc": ("AUPRC", "area under the precision-recall curve, average precision"),
    "f1": ("F1", "at the cut-off that is best on the fold's training subjects"),
    "f1_nominal": ("F1, nominal", "at a prediction of the level itself"),
}

#: Most numbers of a kind held at once while resamples are drawn: 4 MB, as caches hold.
_BLOCK = 500_000

Flags = NDArray[np.bool_]


def auroc(predictions: ArrayLike, positive: ArrayLike) -> float:
    """Return the area under the ROC curve; NaN unless there are positives and negatives.

    >>> auroc([0.1, 0.4, 0.35, 0.8], [False, False, True, True])
    0.75
    """
    return _one("auroc", predictions, positive)


def average_precision(predictions: ArrayLike, positive: ArrayLike) -> float:
    """Return the average precision; NaN without a positive.

    >>> average_precision([3.0, 2.0, 1.0], [True, False, True])
    0.8333333333333333
    """
    return _one("auprc", predictions, positive)


def f1(predictions: ArrayLike, positive: ArrayLike, cut_off: float) -> float:
    """Return F1 of saying yes at a cut-off or above; NaN where neither side ever says yes.

    >>> f1([0.0, 1.0, 2.0], [False, True, True], 2.0)
    0.6666666666666666
    """
    scores, is_positive = _checked(predictions, positive)
    return float(f1_of(Confusion.of(scores >= cut_off, is_positive, _nobody(scores), 1).total())[0])


def best_cut_off(predictions: ArrayLike, positive: ArrayLike) -> float:
    """Return the score at or above which saying yes gives the best F1, the highest of equals.

    NaN without a positive.

    >>> best_cut_off([0.0, 0.5, 0.7, 2.0], [False, True, False, True])
    0.5
    """
    scores, is_positive = _checked(predictions, positive)
    if not is_positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(is_positive[order])
    said = np.arange(1, len(scores) + 1)
    last = np.append(scores[1:] != scores[:-1], True)  # of equal scores all are said yes to
    found = np.where(last, 2 * hits / (said + is_positive.sum()), -1.0)
    return float(scores[int(found.argmax())])


def _checked(predictions: ArrayLike, positive: ArrayLike) -> tuple[Floats, Flags]:
    scores, is_positive = np.asarray(predictions, np.float64), np.asarray(positive, bool)
    if scores.shape != is_positive.shape or scores.ndim != 1:
        raise DataError(
            f"predictions of shape {scores.shape} against labels of shape {is_positive.shape};"
            " both must be (n,) with the same n"
        )
    if count := int((~np.isfinite(scores)).sum()):
        raise DataError(f"{count} of {scores.size} predictions are not finite; expected numbers")
    return scores, is_positive


def _nobody(scores: Floats) -> Codes:
    return np.zeros(scores.size, np.int64)


def _one(name: str, predictions: ArrayLike, positive: ArrayLike) -> float:
    scores, is_positive = _checked(predictions, positive)
    if not scores.size:
        return float("nan")
    return float(ranking_draws(scores, is_positive, _nobody(scores), np.ones((1, 1)))[name][0])


def ranking_draws(
    scores: Floats, positive: Flags, subjects: Codes, weights: Floats
) -> dict[str, Floats]:
    """Return `auroc` and `auprc` over all frames, for each row of weights.

    Args:
        scores: `(n,)`.
        positive: `(n,)`.
        subjects: `(n,)` numbers of subjects from 0.
        weights: `(B, subjects)`, how often each is drawn.
    """
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    begins = np.append(True, ordered[1:] != ordered[:-1])
    first = np.append(np.flatnonzero(begins), len(scores))
    places, codes = np.flatnonzero(positive[order]), subjects[order]
    # The scores that positive frames have, and where among these frames each begins.
    group, start = np.unique(np.cumsum(begins)[places] - 1, return_index=True)
    rows = max(1, _BLOCK // max(1, len(scores)))
    blocks = [
        _areas(weights[at : at + rows].take(codes, axis=1), places, first, group, start)
        for at in range(0, len(weights), rows)
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _areas(
    drawn: Floats, places: Codes, first: Codes, group: Codes, start: Codes
) -> dict[str, Floats]:
    """Return the areas for weights `(B, n)` of frames in order of their scores.

    Args:
        drawn: the weights.
        places: of the positive frames among them.
        first: where each score begins, and the end.
        group: numbers of the scores that positive frames have.
        start: where each of these begins among the positive frames.
    """
    total, hit = _up_to(drawn), _up_to(drawn.take(places, axis=1))
    before, hits_before = total.take(first[group], axis=1), hit.take(start, axis=1)
    all_yes = hit[:, -1:]
    all_no = total[:, -1:] - all_yes
    yes = np.diff(hits_before, axis=1, append=all_yes)
    no = total.take(first[group + 1], axis=1) - before - yes
    below = before - hits_before + no / 2
    said = total[:, -1:] - before
    # Of scores without a positive frame too: sums of as many terms are rounded alike.
    found = np.zeros((len(drawn), len(first) - 1))
    found[:, group] = yes * np.divide(
        all_yes - hits_before, said, out=np.zeros_like(said), where=said > 0
    )
    all_yes, all_no = all_yes[:, 0], all_no[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "auroc": np.where(
                (all_yes > 0) & (all_no > 0), (yes * below).sum(axis=1) / (all_yes * all_no), np.nan
            ),
            "auprc": np.where(all_yes > 0, found.sum(axis=1) / all_yes, np.nan),
        }


def _up_to(values: Floats) -> Floats:
    """Return the sums `(B, n + 1)` of the values before each place, and of all."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


@dataclass(frozen=True)
class Confusion:
    """How often each subject's frames are said yes to, and rightly; `(subjects,)` each."""

    hits: Floats
    false_alarms: Floats
    misses: Floats

    @classmethod
    def of(cls, said: Flags, positive: Flags, subjects: Codes, count: int) -> "Confusion":
        """Count `(n,)` answers against `(n,)` truths."""
        kinds = (said & positive, said & ~positive, ~said & positive)
        return cls(*(np.bincount(subjects, kind, count).astype(np.float64) for kind in kinds))

    def drawn(self, weights: Floats) -> "Confusion":
        """Return the counts `(B,)` of all frames together, for each row of weights."""
        return Confusion(weights @ self.hits, weights @ self.false_alarms, weights @ self.misses)

    def total(self) -> "Confusion":
        """Return the counts of all subjects together, `(1,)`."""
        return self.drawn(np.ones((1, len(self.hits))))


def f1_of(counts: Confusion) -> Floats:
    """Return F1 of each row of counts, NaN where nobody says yes and nothing is positive."""
    below = 2 * counts.hits + counts.false_alarms + counts.misses
    found: Floats = np.where(below > 0, 2 * counts.hits / np.maximum(below, 1), np.nan)
    return found
