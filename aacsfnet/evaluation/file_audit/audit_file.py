"""The audit of a file of anybody's predictions: its figures, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from aacsfnet.errors import DataError
from aacsfnet.evaluation.file_audit.findings import Finding
from aacsfnet.evaluation.file_audit.leaks import leaks
from aacsfnet.evaluation.file_audit.order import order
from aacsfnet.evaluation.file_audit.stated import Stated, check_stated, stated_in
from aacsfnet.evaluation.file_audit.submission import Submission, read_submission
from aacsfnet.evaluation.file_audit.values import values
from aacsfnet.evaluation.review import review
from aacsfnet.evaluation.summaries import summarise
from aacsfnet.evaluation.thresholds import thresholds_of
from aacsfnet.labels import Label


@dataclass(frozen=True)
class FileAudit:
    """What an audit found: the file as it was read, its figures, its faults, and remarks."""

    submission: Submission
    figures: dict[str, Any]
    findings: Sequence[Finding]
    remarks: Sequence[str]


def audit_file(
    path: Path,
    columns: Mapping[str, str],
    label: Label | None,
    stated: Sequence[Stated],
    truth: Path | None,
    resamples: int,
    confidence: float,
    thresholds: Sequence[float] | None,
) -> FileAudit:
    """Read a file of predictions; return its figures and what is wrong with it.

    Args:
        path: CSV, TSV, Parquet, NPZ or MAT.
        columns: by role, the column that the user names; the others are guessed.
        label: its name and range; None: guessed.
        stated: figures that go with the file, beside those it states itself.
        truth: a table of true labels by frame; None: there is none.
        resamples: bootstrap resamples of subjects.
        confidence: coverage of the intervals.
        thresholds: labels at or above one are positive; None: as usual for the label.

    Raises:
        DataError: the file cannot be read, or has no row with a prediction and a label.
        SettingsError: a column or threshold that there is not.
    """
    submission = read_submission(path, columns, label, truth)
    rows, remarks = _as_ours(submission)
    size = (resamples, confidence)
    figures = summarise(rows, submission.label, *size) | review(
        rows, submission.label, *size, thresholds_of(submission.label, thresholds)
    )
    findings = [
        *leaks(submission),
        *values(submission),
        *order(submission),
        *check_stated(submission, [*stated_in(submission), *stated], figures, confidence),
    ]
    return FileAudit(submission, figures, findings, remarks)


def _as_ours(submission: Submission) -> tuple[pl.DataFrame, list[str]]:
    """Return the tested rows in the form that figures are taken of, and what cannot be told."""
    tested = submission.tested()
    if not len(tested):
        raise DataError(f"{submission.name}: no row to test has both a prediction and a label")
    remarks = []
    left_out = len(submission.rows) - len(tested)
    if left_out:
        remarks.append(
            f"{left_out} of {len(submission.rows)} rows are not evaluated: they are of training or"
            " generated, or lack a number"
        )
    if (tested["subject"] == "").any():
        remarks.append(
            "people are not told, so there is no interval, and leaks cannot be seen: add a column"
            " subject"
        )
    if not (submission.rows["role"] == "train").any() and tested["fold"].n_unique() < 2:
        remarks.append(
            "only tested frames are listed, so whether their people were trained on cannot be seen:"
            " add the training rows with a column split"
        )
    if tested["reference"].null_count() == len(tested):
        remarks.append(
            "nothing checks the labels: whether they were rescaled, cast or filled shows for"
            " certain only against the true ones (--truth)"
        )
    folds, seeds = (tested[name].rank("dense").cast(pl.Int64) - 1 for name in ("fold", "seed"))
    return (
        tested.with_columns(
            # Where people are not told, all are one, and nothing has an interval.
            subject=pl.when(pl.col("person") == "").then(pl.lit("?")).otherwise("person"),
            frame_id=pl.col("row").cast(pl.String),
            fold=folds,
            seed=seeds,
        )
        .with_columns(frame_id=_within_seed(tested))
        .with_columns(mean_label=pl.coalesce("mean_label", _mean_label(submission)))
        .select(
            "frame_id", "subject", "sequence", "label", "prediction", "mean_label", "fold", "seed"
        )
    ), remarks


def _within_seed(tested: pl.DataFrame) -> pl.Expr:
    """Return a name of each row that is the same in every seed where the seeds' rows are."""
    if tested["seed"].n_unique() > 1:
        return pl.int_range(pl.len()).over("seed").cast(pl.String)
    return pl.col("row").cast(pl.String)


def _mean_label(submission: Submission) -> pl.Expr:
    """Return what the baseline `mean` says: the mean of the training rows, or of all there are."""
    train = submission.rows.filter((pl.col("role") == "train") & ~pl.col("synthetic"))
    mean = train["label"].mean()
    return pl.lit(mean if mean is not None else submission.tested()["label"].mean(), pl.Float64)
