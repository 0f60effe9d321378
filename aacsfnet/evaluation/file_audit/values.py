"""What the numbers themselves give away: zeros at the end, clipping, scales, constants, blanks."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from aacsfnet.evaluation.file_audit.findings import Finding
from aacsfnet.evaluation.file_audit.submission import Submission
from aacsfnet.evaluation.statistics import Floats

#: Factors by which labels of 0 to 16 (or 15, the highest of the archive) are brought to 0 to 1,
#: 0 to 5, 0 to 10 and 0 to 100.
_FACTORS = [new / old for old in (16, 15) for new in (1, 5, 10, 100)]


def values(submission: Submission) -> Iterator[Finding]:
    """Yield what predictions and labels give away by their values."""
    tested = submission.tested()
    if not len(tested):
        return
    yield from _range(submission, tested)
    yield from _constant(tested)
    yield from _zero_tail(submission)
    yield from _clipped(submission, tested)
    yield from _against_reference(submission)
    yield from _scale(submission, tested)
    yield from _blank(submission, tested)


def _range(submission: Submission, rows: pl.DataFrame) -> Iterator[Finding]:
    label = submission.label
    outside = rows.filter(~pl.col("label").is_between(label.low, label.high))
    if len(outside):
        yield Finding(
            "out_of_range",
            f"{len(outside)} labels lie outside {label.name} {label.low:g}–{label.high:g}, first"
            f" {outside['label'][0]:g} in row {outside['row'][0]}",
        )


def _constant(rows: pl.DataFrame) -> Iterator[Finding]:
    """Yield a network that says one value: of the whole file, of a seed or of a fold."""
    spread = float(rows["label"].to_numpy().std())
    found = []
    for (seed, fold), part in rows.group_by("seed", "fold", maintain_order=True):
        predicted = part["prediction"].to_numpy()
        if len(part) >= 5 and np.ptp(predicted) <= 1e-3 * spread:
            words = [f"{w} {v}" for w, v in (("seed", seed), ("fold", fold)) if v]
            found.append((" ".join(words) or "the file", float(predicted[0]), len(part)))
    if found:
        where, value, count = found[0]
        more = f", and {len(found) - 1} more such parts" if len(found) > 1 else ""
        yield Finding(
            "constant", f"all {count} predictions of {where} are {value:g} or nearly so{more}"
        )


def _zero_tail(submission: Submission) -> Iterator[Finding]:
    """Yield a run of exact zeros at the end of the file, of a seed or of a fold."""
    rows = submission.rows.filter(pl.col("prediction").is_not_null() & ~pl.col("synthetic"))
    for _, part in rows.group_by("seed", "fold", maintain_order=True):
        zero = part["prediction"].to_numpy() == 0
        if zero.all() or not zero[-1]:
            continue
        tail = int(np.argmin(zero[::-1]))
        before = zero[: len(zero) - tail]
        if tail < 3:
            continue
        last = part.tail(tail)
        labels = last["label"].drop_nulls()
        nobody = any((last[n] == "").all() and (part[n] != "").any() for n in ("subject", "frame"))
        # Where scores are clipped at 0, a person at rest ends a file with zeros too.
        clipped = bool(before.any())
        shown = labels.to_numpy() > 0.9 * submission.label.low + 0.1 * submission.label.high
        pain = bool(len(labels)) and float(shown.mean()) >= 0.2
        if clipped and not nobody and not (pain and tail >= max(10, 4 * _longest_run(before))):
            continue
        words = " with labels of 0 too" if len(labels) and (labels == 0).all() else ""
        words += " and without a name" if nobody else ""
        yield Finding(
            "zero_tail",
            f"the last {tail} predictions (rows {last['row'][0]} to {last['row'][-1]}) are exactly"
            f" 0{words}, while {int(before.sum())} of the {len(before)} before are",
        )


def _longest_run(flags: np.ndarray) -> int:
    padded = np.concatenate([[False], flags, [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


def _clipped(submission: Submission, rows: pl.DataFrame) -> Iterator[Finding]:
    """Yield predictions that pile up at a highest value short of the end of the scale."""
    predicted, label = rows["prediction"].to_numpy(), submission.label
    top = float(predicted.max())
    piled = int((predicted == top).sum())
    below = predicted[(predicted != top) & (predicted != predicted.min())]
    whole = bool((predicted == np.round(predicted)).all())
    # Continuous scores are never twice the same; whole numbers are.
    continuous = len(below) >= 5 and len(np.unique(below)) > 0.5 * len(below) and not whole
    round_top = top == round(top)
    if continuous and top < label.high and piled >= (2 if round_top else 5):
        yield Finding(
            "clipped",
            f"{piled} predictions are exactly {top:g} and none is above, but {label.name} goes to"
            f" {label.high:g}",
        )


def _against_reference(submission: Submission) -> Iterator[Finding]:
    """Yield how labels differ from what the action units, a second column or the truth says."""
    rows = submission.rows.filter(pl.col("label").is_not_null() & ~pl.col("synthetic"))
    filled = rows.filter(pl.col("reference_blank") & (pl.col("label") == 0))
    blank = rows.filter(pl.col("reference_blank"))
    if len(filled) and len(filled) == len(blank):
        yield Finding(
            "blank_zero",
            f"{len(filled)} rows have label 0 where the value it comes from is blank, first row"
            f" {filled['row'][0]}",
        )
    both = rows.filter(pl.col("reference").is_not_null())
    label, true = both["label"].to_numpy(), both["reference"].to_numpy()
    wrong = ~np.isclose(label, true, atol=1e-6)
    if not wrong.any():
        return
    first = int(np.flatnonzero(wrong)[0])
    example = f"row {both['row'][first]} says {label[first]:g} for {true[first]:g}"
    some = true != 0
    ratios = label[some] / true[some]
    if (
        some.any()
        and np.allclose(ratios, np.median(ratios), rtol=1e-3)
        and (label[~some] == 0).all()
    ):
        yield Finding("rescaled", f"every label is {np.median(ratios):.4g} times the true one")
    elif (label == np.trunc(true)).all() or (label == np.round(true)).all():
        yield Finding("cast", f"{int(wrong.sum())} labels have lost their fraction: {example}")
    elif np.isclose(label, np.minimum(true, label.max()), atol=1e-6).all():
        yield Finding(
            "clipped", f"{int(wrong.sum())} labels are clipped at {label.max():g}: {example}"
        )
    elif (label[wrong] == 0).all():
        yield Finding(
            "blank_zero", f"{int(wrong.sum())} labels are 0 where the true one is not: {example}"
        )
    else:
        yield Finding(
            "shifted", f"{int(wrong.sum())} of {len(label)} labels are not the true ones: {example}"
        )


def _scale(submission: Submission, rows: pl.DataFrame) -> Iterator[Finding]:
    """Yield labels on another grid than their scale has, and predictions without fractions."""
    label, predicted = rows["label"].to_numpy(), rows["prediction"].to_numpy()
    distinct = np.unique(label)
    if submission.label.name == "pspi" or label.max() <= 1:
        for factor in _FACTORS:
            steps = distinct / factor
            off = np.abs(steps - np.round(steps)).max()
            # A grid finer than that of whole numbers; of two that fit the coarser one is meant.
            if len(distinct) >= 3 and off < 1e-3 and steps.max() <= 16.5 and not _whole(distinct):
                yield Finding(
                    "rescaled",
                    f"labels go up to {label.max():g} in steps of {factor:.4g}: whole numbers of 0"
                    f" to 16 divided by {1 / factor:.4g}",
                )
                return
    spread, true = float(predicted.std()), float(label.std())
    if len(rows) >= 20 and true > 0 and spread > 0:
        ratio = spread / true
        with np.errstate(invalid="ignore"):
            together = float(np.corrcoef(predicted, label)[0, 1])
        if together > 0.3 and not 1 / 8 < ratio < 4:
            yield Finding(
                "rescaled",
                f"predictions spread {ratio:.3g} times as far as labels though they go together"
                f" (correlation {together:.2f}): the two are on different scales",
            )
            return
    if len(rows) >= 20 and len(np.unique(predicted)) > 2 and _whole(predicted):
        yield Finding("cast", f"all {len(rows)} predictions are whole numbers")


def _whole(numbers: Floats) -> bool:
    return bool((numbers == np.round(numbers)).all())


def _blank(submission: Submission, rows: pl.DataFrame) -> Iterator[Finding]:
    """Yield labels of 0 amid pain, where the predictions go on as if there were pain.

    A false alarm is seen beside pain seldom, and hardly ever with pain on both sides.
    """
    if rows["reference"].null_count() < len(rows) or rows["reference_blank"].any():
        return  # told better by what labels are checked by
    label, predicted = rows["label"].to_numpy(), rows["prediction"].to_numpy()
    zero, high = label == 0, label >= 2
    if zero.sum() < 20 or high.sum() < 10:
        return
    rest = predicted[zero]
    middle = float(np.median(rest))
    # The upper side's: below, scores may be clipped.
    spread = float(np.quantile(rest, 0.9) - middle) / 1.2816
    as_pain = float(np.median(predicted[high]))
    # As far above what 0 gets as pain is, and far outside its noise.
    bound = max(middle + 4 * spread, (middle + as_pain) / 2)
    suspects: list[int] = []
    for _, part in rows.group_by("seed", "subject", "sequence", maintain_order=True):
        part = part.sort("position", "row", nulls_last=True)
        here, said = part["label"].to_numpy(), part["prediction"].to_numpy()
        if len(here) >= 10 and (here == 0).all():
            if float(np.median(said)) > max(as_pain, bound):
                suspects += part["row"].to_list()
            continue
        padded = np.concatenate([[False], here == 0, [False]])
        edges = np.flatnonzero(padded[1:] != padded[:-1])
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            inside = start > 0 and stop < len(here) and stop - start <= 5
            if (
                inside
                and min(here[start - 1], here[stop]) >= 2
                and (said[start:stop] > bound).all()
            ):
                suspects += part["row"][int(start) : int(stop)].to_list()
    if len(suspects) >= 3:
        yield Finding(
            "blank_zero",
            f"{len(suspects)} labels are 0 in the midst of pain, where the predictions go on as at"
            f" labels of 2 and more (first row {min(suspects)}): blanks turned into 0?",
        )
