"""What is wrong with a stage's tables, a shard each, and with the pictures in them."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from aacsfnet import tables
from aacsfnet.cohort.selection import mislabelled
from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.shards import altered, noted_sources
from aacsfnet.evaluation.audit.discrepancy import Discrepancy, guarded, name_of, some
from aacsfnet.evaluation.audit.picture_texts import texts_of
from aacsfnet.evaluation.results import Results

#: Parquet files with pictures are read in parts of this many rows.
_ROWS = 256


def look_at_stage(results: Results, scope: str, stage: str) -> list[Discrepancy]:
    """Return what is wrong with all tables of a stage."""
    folder = results.layout.stage(scope, stage)
    if not folder.is_dir():
        return [Discrepancy(name_of(results, folder), "there is none; run the stage")]
    discrepancies = []
    for shard in results.shards:
        path = results.layout.table(scope, stage, shard)
        where = name_of(results, path)
        discrepancies += guarded(_shard(results, stage, shard, path), where)
    return discrepancies


def _shard(results: Results, stage: str, shard: str, path: Path) -> Iterator[Discrepancy]:
    """Yield what is wrong with one table: frames missing or added, altered labels, statuses."""
    where = name_of(results, path)
    names = tables.SCHEMAS[stage]
    keys: list[str] = ["frame_id", "subject", "status", *(n for n in ("label",) if n in names)]
    if "image_id" in names:
        keys = ["image_id", *keys, *(name for name in ("kind", "units") if name in names)]
    rows = tables.read(path, keys)
    expected = results.index.filter(pl.col("shard") == shard)
    for words, one, other in (("lacks", expected, rows), ("adds", rows, expected)):
        differing = one.join(other, on="frame_id", how="anti")["frame_id"].unique().sort()
        if len(differing):
            yield Discrepancy(where, f"{words} frames: {some(differing)}")
    key = keys[0]
    twice = rows.filter(pl.col(key).is_duplicated())[key].unique().sort()
    if len(twice):
        yield Discrepancy(where, f"{key} stands twice: {some(twice)}")
    known = expected.select("frame_id", "subject", "label")
    both = rows.join(known, on="frame_id", suffix="_index")
    wrong = {"subject": both.filter(pl.col("subject").ne_missing(pl.col("subject_index")))}
    if "label" in names:
        wrong["label"] = mislabelled(rows, expected)
    for column, found in wrong.items():
        if len(found):
            frames = found["frame_id"].unique().sort().to_list()
            yield Discrepancy(where, f"another {column} than in the index: {some(frames)}")
    unknown = sorted(set(rows["status"].drop_nulls()) - set(tables.STATUSES))
    if unknown or rows["status"].null_count():
        yield Discrepancy(where, f"unknown statuses: {', '.join(unknown) or 'none given'}")
    if names.get("image") == tables.PICTURE:
        pictured = tables.LOOKED_AT if stage == "crop" else ("ok",)
        yield from _pictures(results, path, key, pictured)


def look_at_files(config: Config, path: Path, where: str) -> Iterator[Discrepancy]:
    """Yield files of the data set that hold other bytes than those that a crop table came from."""
    sources = noted_sources(tables.notes(path))
    if sources and (others := altered(open_dataset(config), sources)):
        yield Discrepancy(where, f"made from other bytes than are there now: {some(others)}")


def _pictures(
    results: Results, path: Path, key: str, pictured: tuple[str, ...]
) -> Iterator[Discrepancy]:
    """Yield rows without the picture of their status, and pictures whose text names a subject.

    Args:
        results: of the data set.
        path: of the table.
        key: its key column.
        pictured: the statuses of rows that have a picture.
    """
    where = name_of(results, path)
    subjects = results.index["subject"].unique().to_list()
    words = "|".join(re.escape(name) for name in subjects)
    a_subject = re.compile(rf"(?<!\w)(?:{words})(?!\w)")
    missing, named, unreadable = [], [], []
    for start in range(0, len(tables.read(path, [key])), _ROWS):
        part = pl.scan_parquet(path).slice(start, _ROWS).select(key, "status", "image").collect()
        for identity, status, image in part.iter_rows():
            encoded = image["bytes"] if image else None
            if status in pictured and not encoded:
                missing.append(identity)
            try:
                if encoded and any(map(a_subject.search, texts_of(encoded))):
                    named.append(identity)
            except (ValueError, SyntaxError, OSError, struct.error):
                unreadable.append(identity)
    if missing:
        yield Discrepancy(where, f"ok without a picture: {some(missing)}")
    if named:
        yield Discrepancy(where, f"a subject's name stands in pictures' metadata: {some(named)}")
    if unreadable:
        yield Discrepancy(where, f"pictures' metadata cannot be read: {some(unreadable)}")
