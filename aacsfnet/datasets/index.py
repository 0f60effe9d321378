"""The index stage: every frame of a data set, its label, and the shard that works on it."""

import logging
from pathlib import Path

import numpy as np
import polars as pl

from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import Label, check_label, in_order, shards_by_subject
from aacsfnet.datasets.shards import rows_of, with_states
from aacsfnet.errors import DataError
from aacsfnet.made import made_from
from aacsfnet.tables import SCHEMAS, write

log = logging.getLogger(__name__)


def index(config: Config, output: Path) -> None:
    """Write the index table of the configured data set.

    Raises:
        DataError: the data set cannot be used, no frame of it can, or its files changed between
            the scan that planned the shards and this reading.
    """
    dataset = open_dataset(config)
    planned = dataset.subjects()
    rows = rows_of(config, dataset, planned)
    table = with_defaults(dataset.index())
    table = judge(with_states(table, dataset), dataset.label)
    check_plan(table, planned, dataset.exact_scan)
    order = ["subject", "sequence", "position", "frame_id"]
    table = in_order(table, table.select(order).with_row_index("row").sort(order)["row"])
    cut = config.index
    table = deal(table, planned, cut.shard_frames, cut.packed_frames)
    notes = {"made_from": made_from(config, "index", rows=rows.everything)} | rows.noted()
    write(output, table.select(list(SCHEMAS["index"])), "index", notes)
    summarise(table, dataset.remarks())


def with_defaults(table: pl.DataFrame) -> pl.DataFrame:
    """Return an index with the columns that a data set may leave out: empty words, nulls."""
    empty = {pl.String: pl.lit(""), pl.List(pl.String): pl.lit([], pl.List(pl.String))}
    return table.with_columns(
        empty.get(kind, pl.lit(None)).cast(kind).alias(name)
        for name, kind in SCHEMAS["index"].items()
        if name not in table.columns and name != "shard"
    )


def judge(table: pl.DataFrame, label: Label) -> pl.DataFrame:
    """Return an index whose rows keep the label's range and whose frames are unique.

    A row that the data set calls "ok" becomes `bad_label` when its label is unknown or outside
    the range.

    Raises:
        DataError: two rows share a `frame_id`.
    """
    twice = table.filter(pl.col("frame_id").is_duplicated())
    if len(twice):
        name = twice["frame_id"][0]
        raise DataError(f"frame {name!r} stands twice in the index; frames need unique names")
    inside = pl.col("label").is_between(label.low, label.high).fill_null(False)
    rows = table.with_row_index("row")
    wrong = rows.filter(pl.col("status") == "ok", ~inside).select("row", "label")
    if wrong.is_empty():
        return table
    reasons = [check_label(value, label) for value in wrong["label"]]
    wrong = wrong.select("row", pl.Series("wrong", reasons, pl.String))
    bad = pl.col("wrong").is_not_null()
    return (
        rows.join(wrong, on="row", how="left", maintain_order="left")
        .with_columns(
            pl.when(bad).then(pl.lit("bad_label")).otherwise("status").alias("status"),
            pl.when(bad).then("wrong").otherwise("reason").alias("reason"),
        )
        .drop("row", "wrong")
    )


def check_plan(table: pl.DataFrame, planned: dict[str, int], exact: bool) -> None:
    """Compare the index with the scan that the workflow's jobs were planned from.

    Raises:
        DataError: other subjects, or (where the scan is exact) other numbers of frames.
    """
    found = dict(table.group_by("subject").len().iter_rows())
    differing = sorted(
        subject
        for subject in found.keys() | planned.keys()
        if (subject in found) != (subject in planned)
        or (exact and found[subject] != planned[subject])
    )
    if differing:
        subject = differing[0]
        raise DataError(
            f"the index of {subject!r} has {found.get(subject, 0)} frames, the scan at start "
            f"counted {planned.get(subject, 0)} ({len(differing)} subjects differ); "
            "did the data change during the run? start again"
        )


def deal(
    table: pl.DataFrame, planned: dict[str, int], shard_frames: int, packed_frames: int = 0
) -> pl.DataFrame:
    """Return a sorted index with its `shard` column: each subject's frames in runs.

    A subject with more frames than planned (a rough scan) fills its shards evenly.
    """
    dealt = shards_by_subject(planned, shard_frames, packed_frames)
    shards: list[str] = []
    counts: list[int] = []
    for subject, frames in table.group_by("subject", maintain_order=True).len().iter_rows():
        names = dealt[subject]
        size = max(shard_frames, -(-frames // len(names)))
        shards += names
        counts += [min(max(frames - part * size, 0), size) for part in range(len(names))]
    places = np.repeat(np.arange(len(shards)), counts)
    return table.with_columns(pl.Series("shard", shards, pl.String).gather(places))


def summarise(table: pl.DataFrame, remarks: dict[str, int]) -> None:
    """Log what is odd about an index; stop if no frame of it can be used.

    Raises:
        DataError: no row is "ok".
    """
    statuses = counts(table, "status")
    if not statuses.get("ok"):
        reason = table["reason"][0] if len(table) else "there is no row"
        raise DataError(f"no frame can be used; the first: {reason}")
    log.info("%d frames of %d subjects", len(table), table["subject"].n_unique())
    for kind, found in (
        ("status", statuses),
        ("note", counts(table, "notes")),
        ("remark", remarks),
    ):
        for name, count in found.items():
            if name != "ok":
                log.warning("%s %s: %d", kind, name, count)


def counts(table: pl.DataFrame, column: str) -> dict[str, int]:
    """Return how often each status or note occurs, the most frequent first."""
    values = table[column]
    if column == "notes":  # "name" or "name: words"
        values = values.explode(empty_as_null=True).str.splitn(":", 2).struct.field("field_0")
        values = values.alias(column)
    found = values.drop_nulls().value_counts().sort(["count", column], descending=[True, False])
    return dict(found.iter_rows())
