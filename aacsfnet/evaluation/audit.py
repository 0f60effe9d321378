"""The audit: finished results are read again and asked whether they keep the project's promises.

It trusts no stage: what a stage should have refused is looked for here a second time, in the files
that a reader of the results would rely on.
"""

import hashlib
import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from PIL.PngImagePlugin import PngStream

from aacsfnet import tables
from aacsfnet.cohort.selection import has_label, mislabelled
from aacsfnet.cohort.splits import in_pool, pool_of
from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.shards import altered, noted_sources
from aacsfnet.errors import AacsfnetError, DataError
from aacsfnet.evaluation.results import Results
from aacsfnet.layout import Layout, Merged
from aacsfnet.stages import SHARDED

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: PNG chunks in which text can stand.
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf")
_SHOWN = 3
#: Parquet files with pictures are read in parts of this many rows.
_ROWS = 256


@dataclass(frozen=True)
class Discrepancy:
    """Something that is wrong: where, and what in one sentence."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def audit(config: Config, results: Path) -> list[Discrepancy]:
    """Return everything that is wrong with finished results; an empty list when nothing is.

    Args:
        config: all settings; `experiments` and `training_seeds` say what there should be.
        results: the data set's results, `results/<dataset>`.

    Raises:
        DataError: there is no index to audit against.
    """
    layout = Layout(config, results)
    found = Results(layout)
    discrepancies = _index(found)
    for stage in SHARDED:
        for scope in layout.scopes(stage):
            discrepancies += _stage(found, scope, stage)
    for scope in layout.scopes("crop"):
        for path in layout.finished(scope, "crop", found.shards):
            where = _name(found, path)
            discrepancies += _guarded(_files(config, path, where), where)
    for scope in layout.scopes("merge"):
        merged = layout.merged(scope)
        checks = _merge(found, merged, layout.config(scope).merge.folds == "given")
        discrepancies += _guarded(checks, _name(found, merged.folder))
    for name in config.experiments:
        given = config.for_experiment(name).merge.folds == "given"
        checks = _experiment(found, name, config.training_seeds, given)
        discrepancies += _guarded(checks, _name(found, layout.experiment(name).folder))
    return discrepancies


def _guarded(checks: Iterator[Discrepancy], where: str) -> list[Discrepancy]:
    """Return the discrepancies; a table that cannot be read, or lacks a column, is one too."""
    discrepancies = []
    try:
        for discrepancy in checks:
            discrepancies.append(discrepancy)  # noqa: PERF402 those before an error count
    except (AacsfnetError, pl.exceptions.PolarsError, OSError, ValueError) as error:
        discrepancies.append(Discrepancy(where, f"cannot be read: {' '.join(str(error).split())}"))
    return discrepancies


def _name(results: Results, path: Path) -> str:
    return path.relative_to(results.layout.folder).as_posix()


def _some(values: list[str] | pl.Series) -> str:
    """Return a count with the first few values."""
    more = ", …" if len(values) > _SHOWN else ""
    return f"{len(values)} ({', '.join(values[:_SHOWN])}{more})"


def _index(results: Results) -> list[Discrepancy]:
    discrepancies = []
    twice = results.index.filter(pl.col("frame_id").is_duplicated())["frame_id"].unique().sort()
    if len(twice):
        words = f"frames stand twice: {_some(twice)}"
        discrepancies.append(Discrepancy("index.parquet", words))
    said = results.index.group_by("subject").agg(pl.col("split").fill_null("").unique())
    try:
        pool_of(dict(said.iter_rows()))
    except DataError as error:
        discrepancies.append(Discrepancy("index.parquet", str(error)))
    return discrepancies


def _pool(results: Results) -> list[str]:
    """Return whom any row of the index puts in the pool."""
    return results.index.filter(in_pool())["subject"].unique().sort().to_list()


def _stage(results: Results, scope: str, stage: str) -> list[Discrepancy]:
    folder = results.layout.stage(scope, stage)
    if not folder.is_dir():
        return [Discrepancy(_name(results, folder), "there is none; run the stage")]
    discrepancies = []
    for shard in results.shards:
        path = results.layout.table(scope, stage, shard)
        where = _name(results, path)
        discrepancies += _guarded(_shard(results, stage, shard, path), where)
    return discrepancies


def _shard(results: Results, stage: str, shard: str, path: Path) -> Iterator[Discrepancy]:
    """Yield what is wrong with one table: frames missing or added, altered labels, statuses."""
    where = _name(results, path)
    names = tables.SCHEMAS[stage]
    keys: list[str] = ["frame_id", "subject", "status", *(n for n in ("label",) if n in names)]
    if "image_id" in names:
        keys = ["image_id", *keys, *(name for name in ("kind", "units") if name in names)]
    rows = tables.read(path, keys)
    expected = results.index.filter(pl.col("shard") == shard)
    for words, one, other in (("lacks", expected, rows), ("adds", rows, expected)):
        differing = one.join(other, on="frame_id", how="anti")["frame_id"].unique().sort()
        if len(differing):
            yield Discrepancy(where, f"{words} frames: {_some(differing)}")
    key = keys[0]
    twice = rows.filter(pl.col(key).is_duplicated())[key].unique().sort()
    if len(twice):
        yield Discrepancy(where, f"{key} stands twice: {_some(twice)}")
    known = expected.select("frame_id", "subject", "label")
    both = rows.join(known, on="frame_id", suffix="_index")
    wrong = {"subject": both.filter(pl.col("subject").ne_missing(pl.col("subject_index")))}
    if "label" in names:
        wrong["label"] = mislabelled(rows, expected)
    for column, found in wrong.items():
        if len(found):
            frames = found["frame_id"].unique().sort().to_list()
            yield Discrepancy(where, f"another {column} than in the index: {_some(frames)}")
    unknown = sorted(set(rows["status"].drop_nulls()) - set(tables.STATUSES))
    if unknown or rows["status"].null_count():
        yield Discrepancy(where, f"unknown statuses: {', '.join(unknown) or 'none given'}")
    if names.get("image") == tables.PICTURE:
        pictured = tables.LOOKED_AT if stage == "crop" else ("ok",)
        yield from _pictures(results, path, key, pictured)


def _files(config: Config, path: Path, where: str) -> Iterator[Discrepancy]:
    """Yield files of the data set that hold other bytes than those that a crop table came from."""
    if (sources := noted_sources(path)) and (others := altered(open_dataset(config), sources)):
        yield Discrepancy(where, f"made from other bytes than are there now: {_some(others)}")


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
    where = _name(results, path)
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
        yield Discrepancy(where, f"ok without a picture: {_some(missing)}")
    if named:
        yield Discrepancy(where, f"a subject's name stands in pictures' metadata: {_some(named)}")
    if unreadable:
        yield Discrepancy(where, f"pictures' metadata cannot be read: {_some(unreadable)}")


def texts_of(encoded: bytes) -> Iterator[str]:
    """Yield what a PNG file's text chunks say; nothing for another kind of file.

    Compressed text is inflated, so that a name cannot hide in it. Chunks are taken one at a time:
    a second text of the same keyword would replace the first in Pillow's `Image.text`.

    Raises:
        ValueError: a text is too long to be inflated safely (and SyntaxError, OSError or
            struct.error where the file is damaged).
    """
    if not encoded.startswith(_SIGNATURE):
        return
    file = io.BytesIO(encoded)
    file.seek(len(_SIGNATURE))
    with PngStream(file) as png:
        kind = b""
        while kind != b"IEND":
            kind, place, length = png.read()
            if kind in _TEXT_CHUNKS:
                yield png.call(kind, place, length).decode("utf-8", "replace")
                yield from (str(each) for pair in png.im_info.items() for each in pair)
                png.im_info.clear()
            file.seek(place + length + 4)  # behind the checksum


def _merge(results: Results, merged: Merged, given: bool) -> Iterator[Discrepancy]:
    """Yield what is wrong with the merged data: roles, origins, counts, digests."""
    where = _name(results, merged.folder)
    if not merged.folder.is_dir():
        yield Discrepancy(where, "there is none; run the stage")
        return
    index = tables.read(merged.index)
    splits = tables.read(merged.splits)
    yield from _roles(where, results, splits, given)
    frames = dict(results.index.select("frame_id", "subject").iter_rows())
    source = pl.when(pl.col("synthetic")).then("source_frame_id").otherwise("frame_id")
    rows = index.with_columns(
        source.replace_strict(frames, default=None, return_dtype=pl.String).alias("origin")
    )
    wrong = rows.filter(pl.col("origin").ne_missing(pl.col("subject")))["image_id"].sort()
    if len(wrong):
        yield Discrepancy(where, f"pictures of another subject than they say: {_some(wrong)}")
    wrong = mislabelled(index, results.index)["image_id"].sort()
    if len(wrong):
        yield Discrepancy(where, f"labels of other pictures than they are: {_some(wrong)}")
    pool = pl.col("subject").is_in(_pool(results))
    wrong = index.filter(pl.col("pool").fill_null(False) != pool)["image_id"].sort()
    if len(wrong):
        yield Discrepancy(where, f"in the pool, or not, other than in the index: {_some(wrong)}")
    real = index.filter(~pl.col("synthetic"))
    lacking = results.index.join(real, on="frame_id", how="anti")["frame_id"].sort()
    if len(lacking):
        yield Discrepancy(where, f"lacks frames: {_some(lacking)}")
    used = index.filter(pl.col("row").is_not_null())
    copies = used.filter(pool).join(used.filter(~pool), on="digest", how="semi")["image_id"].sort()
    if len(copies):
        yield Discrepancy(where, f"the same picture in the pool and outside it: {_some([*copies])}")
    refused = used.filter(~pl.col("status").is_in(tables.LOOKED_AT))["image_id"].sort()
    if len(refused):
        yield Discrepancy(where, f"holds pictures that are not ok: {_some(refused)}")
    unlabelled = results.index.filter(pl.col("status") == "unlabelled")["frame_id"].to_list()
    without = pl.col("status") == "unlabelled"
    wrong = used.filter(without != pl.col("frame_id").is_in(unlabelled))["image_id"].sort()
    if len(wrong):
        words = f"used with a label or without, other than the index says: {_some(wrong)}"
        yield Discrepancy(where, words)
    places = used["row"].sort().to_list()
    images = np.load(merged.images, mmap_mode="r", allow_pickle=False)
    if places != list(range(len(images))):
        yield Discrepancy(where, f"{len(images)} pictures in images.npy, but {len(places)} places")
        return
    yield from _digests(where, used, images)


def _digests(where: str, used: pl.DataFrame, images: np.ndarray) -> Iterator[Discrepancy]:
    """Yield pictures whose pixels are not those that were merged."""
    if "digest" not in used.columns:
        return
    altered = [
        image
        for image, row, digest in used.select("image_id", "row", "digest").iter_rows()
        if digest and hashlib.blake2b(images[row].tobytes(), digest_size=16).hexdigest() != digest
    ]
    if altered:
        yield Discrepancy(where, f"pictures differ from their digests: {_some(altered)}")


def _roles(
    where: str, results: Results, splits: pl.DataFrame, given: bool
) -> Iterator[Discrepancy]:
    """Yield subjects with two roles in a fold, without one, or not tested exactly once.

    A given split tests some of them only; the pool is never held out. Rows without a subject are
    nobody's.
    """
    twice = splits.filter(pl.struct("fold", "subject").is_duplicated())
    if len(twice):
        names = [f"{subject} in fold {fold}" for fold, subject, _ in twice.rows()]
        yield Discrepancy(where, f"subjects with several roles: {_some(sorted(set(names)))}")
    subjects = set(results.index["subject"]) - {""}
    for (fold,), part in splits.group_by("fold", maintain_order=True):
        missing = sorted(subjects - set(part["subject"]))
        if missing:
            yield Discrepancy(where, f"fold {fold} gives no role to subjects: {_some(missing)}")
    tested = splits.filter(pl.col("role") == "test").unique()["subject"].to_list()
    pool = set(_pool(results))
    held_out = splits.filter(pl.col("subject").is_in(list(pool)) & (pl.col("role") != "train"))
    if len(held_out):
        names = held_out["subject"].unique().sort().to_list()
        yield Discrepancy(where, f"subjects of the pool held out: {_some(names)}")
    allowed = (0, 1) if given else (1,)
    wrong = sorted(name for name in subjects - pool if tested.count(name) not in allowed)
    if wrong:
        yield Discrepancy(where, f"subjects not tested in exactly one fold: {_some(wrong)}")


def _experiment(
    results: Results, name: str, seeds: tuple[int, ...], given: bool
) -> Iterator[Discrepancy]:
    """Yield what is wrong with an experiment: each test frame is predicted once by each seed.

    Everybody outside the pool is tested by one fold, or, where the split is given, those whom it
    marks.
    """
    where = _name(results, results.layout.experiment(name).folder)
    merged = results.layout.merged(results.layout.scope(name, "merge"))
    predictions, metrics = results.predictions(name), results.metrics(name)
    if predictions is None or metrics is None:
        yield Discrepancy(where, "has no predictions or no metrics; run evaluate")
        return
    if not merged.folder.is_dir():
        return
    index = tables.read(merged.index)
    splits = tables.read(merged.splits).filter(pl.col("role") == "test")
    tested = dict(zip(splits["subject"], splits["fold"], strict=True))
    expected = index.filter(
        has_label() & ~pl.col("synthetic") & ~pl.col("subject").is_in(_pool(results))
    )
    if given:
        expected = expected.filter(pl.col("subject").is_in(list(tested)))
    if sorted(predictions["seed"].unique()) != sorted(seeds):
        got = ", ".join(map(str, predictions["seed"].unique().sort()))
        yield Discrepancy(where, f"predictions of seeds {got}; the settings ask for {seeds}")
    for (seed,), part in predictions.group_by("seed", maintain_order=True):
        twice = part.filter(pl.col("frame_id").is_duplicated())["frame_id"].unique().sort()
        if len(twice):
            yield Discrepancy(where, f"seed {seed} predicts frames twice: {_some(twice)}")
        for words, one, other in (("lacks", expected, part), ("adds", part, expected)):
            differing = one.join(other, on="frame_id", how="anti")["frame_id"].sort()
            if len(differing):
                yield Discrepancy(where, f"seed {seed} {words} frames: {_some(differing)}")
    leaked = predictions.filter(
        pl.col("fold")
        != pl.col("subject").replace_strict(tested, default=-1, return_dtype=pl.Int64)
    )
    if len(leaked):
        names = leaked["subject"].unique().sort().to_list()
        yield Discrepancy(
            where, f"subjects predicted by a fold that trained on them: {_some(names)}"
        )
    altered = predictions.join(results.index, on="frame_id", suffix="_index").filter(
        (pl.col("label") != pl.col("label_index")) | (pl.col("subject") != pl.col("subject_index"))
    )
    if len(altered):
        frames = altered["frame_id"].unique().sort().to_list()
        yield Discrepancy(where, f"another label or subject than in the index: {_some(frames)}")
    counts = (predictions["frame_id"].n_unique(), predictions["subject"].n_unique())
    if (metrics.get("frames"), metrics.get("subjects")) != counts:
        got = f"{metrics.get('frames')} frames of {metrics.get('subjects')} subjects"
        yield Discrepancy(where, f"metrics.json: {got}; predictions: {counts[0]} of {counts[1]}")
