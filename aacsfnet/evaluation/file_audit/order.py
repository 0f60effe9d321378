"""Frames that stand twice or not at all, and columns that are off by rows."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from aacsfnet.evaluation.file_audit.findings import Finding, some
from aacsfnet.evaluation.file_audit.submission import Submission
from aacsfnet.evaluation.statistics import Floats

#: Rows by which two columns can be off.
_LAGS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)
#: What another lag must add to the correlation.
_GAIN = 0.03


def order(submission: Submission) -> Iterator[Finding]:
    """Yield doubled and dropped frames and shifted columns."""
    yield from _lengths(submission)
    yield from _doubled(submission)
    yield from _dropped(submission)
    yield from _shifted(submission)
    yield from _columns(submission)


def _lengths(submission: Submission) -> Iterator[Finding]:
    if submission.lengths:
        words = ", ".join(f"{name} {count}" for name, count in submission.lengths.items())
        yield Finding("dropped", f"arrays of different length: {words}")


def _doubled(submission: Submission) -> Iterator[Finding]:
    rows = submission.rows.filter(~pl.col("synthetic") & pl.col("prediction").is_not_null())
    if (rows["frame"] != "").any():
        keys = ["seed", "role", "person", "sequence", "frame"]
        if (rows["role"] != "").any():
            keys.insert(1, "fold")  # a training frame stands in several folds
        twice = rows.filter(pl.struct(keys).is_duplicated() & (pl.col("frame") != ""))
        if len(twice):
            frames = twice["frame"].unique(maintain_order=True).to_list()
            more = len(twice) - twice.select(keys).n_unique()
            yield Finding("doubled", f"{more} frames stand more than once ({some(frames)})")
        return
    # Without names: a continuous score is never twice the same but at the ends.
    inner = rows.filter(
        ~pl.col("prediction").is_in([rows["prediction"].min(), rows["prediction"].max(), 0.0])
    )
    keys = ["seed", "person", "prediction", "label"]
    if inner["prediction"].n_unique() < 0.5 * max(1, len(inner)):
        return
    more = len(inner) - inner.select(keys).n_unique()
    if more >= 3:
        yield Finding("doubled", f"{more} rows have prediction and label of an earlier row")


def _dropped(submission: Submission) -> Iterator[Finding]:
    rows = submission.rows.filter(~pl.col("synthetic") & pl.col("position").is_not_null())
    missing: list[str] = []
    count = sequences = expected = 0
    for (subject, sequence), part in rows.group_by("subject", "sequence", maintain_order=True):
        places = part["position"].unique().sort().to_numpy()
        if len(places) < 5:
            continue
        steps = np.diff(places)
        found, often = np.unique(steps, return_counts=True)
        step = float(found[often.argmax()])
        lost = np.round(steps / step).astype(int) - 1
        expected += int((places[-1] - places[0]) / step) + 1
        if (lost > 0).any():
            count += int(lost[lost > 0].sum())
            sequences += 1
            at = places[int(np.flatnonzero(lost > 0)[0])]
            missing.append(f"{subject} {sequence} after {at:g}".replace("  ", " ").strip())
    # Where most are missing, frames were sampled unevenly.
    if count and count < expected / 2:
        yield Finding(
            "dropped",
            f"{count} of {expected} frame numbers are missing inside {sequences} sequences"
            f" ({some(missing)})",
        )
    if submission.absent:
        yield Finding(
            "dropped",
            f"{len(submission.absent)} frames that have a true label are not in the file"
            f" ({some([*submission.absent])})",
        )
    seeds = submission.rows.filter(pl.col("prediction").is_not_null())
    counts = dict(seeds["seed"].value_counts().sort("seed").iter_rows())
    if len(set(counts.values())) > 1:
        words = ", ".join(f"{seed} {n}" for seed, n in counts.items())
        yield Finding("dropped", f"seeds have different numbers of frames: {words}")


def _shifted(submission: Submission) -> Iterator[Finding]:
    """Yield a lag at which predictions go with labels better than they do as they stand."""
    rows = submission.tested()
    courses: list[tuple[Floats, Floats]] = []
    for _, part in rows.group_by("seed", "subject", "sequence", maintain_order=True):
        part = part.sort("position", "row", nulls_last=True)
        label, predicted = part["label"].to_numpy(), part["prediction"].to_numpy()
        if len(label) >= 12 and np.ptp(label) > 0 and np.ptp(predicted) > 0:
            courses.append((label, predicted))
    if not courses:
        return
    plain = np.array([_correlation(*course, 0) for course in courses])
    gains = {lag: np.array([_correlation(*c, lag) for c in courses]) - plain for lag in _LAGS}
    best = max(gains, key=lambda lag: float(np.nanmean(gains[lag])))
    gain = gains[best][np.isfinite(gains[best])]
    mean = float(gain.mean()) if len(gain) else 0.0
    error = float(gain.std(ddof=1)) / np.sqrt(len(gain)) if len(gain) > 1 else 0.0
    long = sum(len(label) for label, _ in courses) >= 100
    if mean > _GAIN and long and (len(gain) > 3 or mean > 0.1) and mean > 3 * error:
        way = "later" if best > 0 else "earlier"
        yield Finding(
            "shifted",
            f"predictions go with the labels of {abs(best)} rows {way} better than with their own:"
            f" mean correlation within sequences {np.nanmean(plain) + mean:.2f} against"
            f" {np.nanmean(plain):.2f}",
        )


def _correlation(label: Floats, predicted: Floats, lag: int) -> float:
    """Return the correlation of predictions with the labels of so many rows later."""
    if lag > 0:
        label, predicted = label[lag:], predicted[:-lag]
    elif lag < 0:
        label, predicted = label[:lag], predicted[-lag:]
    if np.ptp(label) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(np.corrcoef(label, predicted)[0, 1])


def _columns(submission: Submission) -> Iterator[Finding]:
    """Yield columns that hold what belongs into another one."""
    rows = submission.tested()
    if len(rows) < 10:
        return
    label, predicted = rows["label"].to_numpy(), rows["prediction"].to_numpy()
    if np.ptp(label) > 0 and (label == predicted).all():
        yield Finding(
            "shifted", f"all {len(rows)} predictions equal their labels to the last digit"
        )
    for name, column in (("label", label), ("prediction", predicted)):
        if (np.diff(column) == 1).mean() > 0.9:
            yield Finding("shifted", f"the {name} column counts up row by row, like a frame number")
    names = rows["subject"]
    if (names != "").all() and names.n_unique() > 0.8 * len(rows) and len(rows) >= 50:
        yield Finding(
            "shifted", f"the subject column has {names.n_unique()} values in {len(rows)} rows"
        )
