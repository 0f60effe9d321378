"""The predictions of an experiment's folds and seeds, put together and checked."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from aacsfnet import tables
from aacsfnet.errors import DataError, LeakError, WorkError
from aacsfnet.evaluation.abstention import SIGNS
from aacsfnet.labels import Label

#: What training writes for each held-out frame.
COLUMNS = {
    "frame_id": pl.String,
    "subject": pl.String,
    "sequence": pl.String,
    "label": pl.Float64,
    "prediction": pl.Float64,  # as the network gave it, not clipped to the label's range
    "mean_label": pl.Float64,  # mean label of the fold's training frames: the baseline `mean`
    "fold": pl.Int64,
    "seed": pl.Int64,
}
#: What it writes beside, null where unknown; files of others may lack it.
FURTHER = {
    "row": pl.Int64,  # place in the merged array, where frames stand in order of time
    **dict.fromkeys(SIGNS, pl.Float64),
}


def gather(paths: Sequence[Path], label: Label) -> pl.DataFrame:
    """Return the checked rows of all files, sorted by seed and frame.

    Raises:
        DataError: a file is missing or lacks a column, or a value is NaN or out of range.
        LeakError: a subject is held out in more than one fold.
        WorkError: a frame is predicted twice or not by every seed, or training diverged.
    """
    if not paths:
        raise DataError("no predictions given; name the predictions.parquet of at least one fold")
    rows = pl.concat([_read(path) for path in paths]).sort("seed", "frame_id")
    _check_values(rows, label)
    _check_once(rows)
    _check_folds(rows)
    _check_seeds(rows)
    return rows


def _read(path: Path) -> pl.DataFrame:
    found = tables.read(path)
    missing = [name for name in COLUMNS if name not in found.columns]
    if missing:
        raise DataError(
            f"{path}: columns {', '.join(missing)} are missing; it has"
            f" {', '.join(found.columns)}; train the fold again"
        )
    lacking = [pl.lit(None).alias(name) for name in FURTHER if name not in found.columns]
    kinds = COLUMNS | FURTHER
    try:
        found = found.with_columns(lacking)
        return found.select(pl.col(name).cast(kind) for name, kind in kinds.items())
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: {' '.join(str(error).split())}; train the fold again") from None


def _check_values(rows: pl.DataFrame, label: Label) -> None:
    if rows.is_empty():
        raise DataError("the predictions hold no frame; no held-out frame had a usable picture")
    for name in COLUMNS:
        if count := rows[name].null_count():
            raise DataError(f"predictions: {count} of {len(rows)} rows have no {name}; train again")
    for name in ("prediction", "mean_label"):
        wrong = rows.filter(~pl.col(name).is_finite())
        if len(wrong):
            raise WorkError(
                f"predictions: {len(wrong)} values of {name} are not finite, first {_where(wrong)};"
                " training diverged: lower train.learning_rate"
            )
    # NaN counts as larger than all in Polars, so it is not within either.
    wrong = rows.filter(~pl.col("label").is_between(label.low, label.high))
    if len(wrong):
        raise DataError(
            f"predictions: label {wrong['label'][0]:g} at {_where(wrong)} is outside {label.name}"
            f" {label.low:g}–{label.high:g}; check the label range in the settings"
        )


def _check_once(rows: pl.DataFrame) -> None:
    twice = rows.filter(pl.struct("seed", "frame_id").is_duplicated())
    if len(twice):
        folds = twice.filter(pl.col("frame_id") == twice["frame_id"][0])["fold"].unique().sort()
        raise WorkError(
            f"predictions: {twice['frame_id'].n_unique()} frames are predicted more than once by"
            f" one seed, first {_where(twice)} (folds {', '.join(map(str, folds))}); expected once"
            " each: give each fold's file once"
        )


def _check_folds(rows: pl.DataFrame) -> None:
    folds = rows.group_by("subject").agg(pl.col("fold").unique().sort()).sort("subject")
    split = folds.filter(pl.col("fold").list.len() > 1)
    if len(split):
        raise LeakError(
            f"predictions: subject {split['subject'][0]!r} is held out in folds"
            f" {split['fold'][0].to_list()} ({len(split)} subjects are in several); expected one"
            " fold a subject: the files are of different splits, so train all folds again"
        )


def _check_seeds(rows: pl.DataFrame) -> None:
    """Raise unless each seed predicts the same frames with the same labels."""
    seeds = rows["seed"].unique().sort()
    frames = rows.group_by("frame_id").agg(
        pl.len(), pl.col("label").n_unique().alias("labels"), pl.col("seed").unique()
    )
    partial = frames.filter(pl.col("len") != len(seeds)).sort("frame_id")
    if len(partial):
        lacking = sorted(set(seeds) - set(partial["seed"][0]))
        raise WorkError(
            f"predictions: {len(partial)} frames are not predicted by every seed, first"
            f" {partial['frame_id'][0]} (not by seed {', '.join(map(str, lacking))}); give the"
            " files of all folds for each seed"
        )
    differing = frames.filter(pl.col("labels") > 1).sort("frame_id")
    if len(differing):
        raise WorkError(
            f"predictions: {len(differing)} frames have another label under another seed, first"
            f" {differing['frame_id'][0]}; the files are of different data: train all again"
        )


def _where(rows: pl.DataFrame) -> str:
    first = rows.row(0, named=True)
    return f"frame {first['frame_id']} (seed {first['seed']}, fold {first['fold']})"
