"""The stage `merge`: all usable pictures in one array, a table that says what each is, splits.

The array is memory-mapped by training, so nothing is decoded there. Real crops stand first, then
accepted generated pictures; frames without a label stand among the crops, with their status. The
table also keeps a row for every frame and generated picture that did not get in, with its status
and reason.
"""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.cohort.selection import check_labels, check_origin, has_label
from aacsfnet.cohort.spacing import spacing_of
from aacsfnet.cohort.splits import pool_of, split
from aacsfnet.config import Config
from aacsfnet.errors import DataError
from aacsfnet.files import replacing
from aacsfnet.layout import Merged
from aacsfnet.made import hash_in, hash_of_all, made_from
from aacsfnet.models.pictures import resized
from aacsfnet.seeds import seed_of
from aacsfnet.space import allocate

#: Threads that decode pictures; the workflow's rule asks for as many.
_THREADS = 4
#: What the gate can say of a picture that was really generated; other rows tell of the frame.
_GENERATED = ("ok", "rejected", "failed")


def merge(
    config: Config,
    index: Path,
    crop: Path,
    landmarks: Path,
    generate: Path,
    quality: Path,
    output: Path,
) -> None:
    """Write `images.npy`, `index.parquet` and `splits.parquet`, each atomically.

    Args:
        config: blocks `seed` and `merge`.
        index: the index table.
        crop: folder of the crop tables, one a shard.
        landmarks: folder of the landmarks tables: the real pictures' facial measures.
        generate: folder of the generated pictures' tables.
        quality: folder of the gate's tables.
        output: folder to write into.

    Raises:
        DataError: a table is missing, a picture in one cannot be decoded, somebody is in the
            pool and outside it, or a generated picture says a label that it was not made to show.
        LeakError: a generated picture says another subject than its source's.
        SettingsError: there are too few subjects for the folds.
    """
    frames = tables.read(
        index, ["frame_id", "subject", "sequence", "label", "shard", "split", "time_s"]
    )
    shards = frames["shard"].unique(maintain_order=True).to_list()
    words = dict(frames.group_by("subject").agg(pl.col("split").fill_null("").unique()).iter_rows())
    pool = pool_of(words)
    real = tables.labelled(_real_rows(crop, landmarks, shards), frames).select(_ORDER)
    parts = [real, _generated_rows(quality, shards)]
    # In order of subjects, however they share shards.
    rows = pl.concat([part.sort("subject", maintain_order=True) for part in parts])
    del real, parts  # as much memory again
    rows = place(rows).with_columns(pl.col("subject").is_in(list(pool)).alias("pool"))
    merged = Merged(output)
    used = rows.select(_OF_USED).filter(pl.col("row").is_not_null())
    check_origin(rows, used)
    check_labels(rows)
    digests = _write_images(
        merged.images, used, crop, generate, config.merge.image_size, config.merge.kept
    )
    rows = rows.with_columns(
        pl.lit(pl.Series(digests, dtype=pl.String)).gather(pl.col("row")).alias("digest"),
        pl.lit(config.merge.kept, pl.Float32).alias("kept"),
    )
    by_stage = {"crop": crop, "landmarks": landmarks, "generate": generate, "quality": quality}
    of_shards = {
        stage: hash_of_all(folder / f"{shard}.parquet" for shard in sorted(shards))
        for stage, folder in by_stage.items()
    }
    made = made_from(config, "merge", index=hash_in(index), **of_shards)
    notes = {"made_from": made, "spacing_s": spacing_of(frames)}
    tables.write(merged.index, rows.select(list(tables.SCHEMAS["merge"])), "merge", notes)
    subjects = sorted(frames["subject"].unique())
    labelled = used.filter(has_label())
    real = labelled.filter(~pl.col("synthetic"))
    by_subject = real.partition_by("subject", as_dict=True)
    splits = split(
        subjects,
        [
            by_subject[(name,)]["label"].to_numpy() if (name,) in by_subject else np.empty(0)
            for name in subjects
        ],
        config.merge.folds,
        config.merge.validation_subjects,
        seed_of(config.seed, "merge", "splits"),
        words,
    )
    tables.write_rows(merged.splits, splits)
    for fold, names in untested(splits, set(real["subject"])).items():
        print(f"merge: fold {fold} tests nobody: no usable picture of {', '.join(names)}")  # noqa: T201
    without = len(used) - len(labelled)
    beside = f"; {without} pictures without a label, for pretraining alone" if without else ""
    print(  # noqa: T201 the job's log
        f"merge: {len(real)} real and {len(labelled) - len(real)} generated pictures of"
        f" {len(subjects)} subjects, {len(pool)} of them in the pool;"
        f" {len(rows) - len(used)} rows without a picture{beside}"
    )


def untested(splits: pl.DataFrame, usable: set[str]) -> dict[int, list[str]]:
    """Return the folds whose held-out subjects have no usable picture, and who those are."""
    tested = splits.filter(pl.col("role") == "test").group_by("fold", maintain_order=True)
    folds = {int(key[0]): rows["subject"].to_list() for key, rows in tested}  # type: ignore[call-overload]
    return {fold: names for fold, names in folds.items() if not usable & set(names)}


def place(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with `row`, their place in the array; null for what does not get in.

    A picture gets in when nothing is wrong with it and it has a label, or has none on purpose.
    """
    no_label = (pl.col("status") == "ok") & ~pl.col("label").is_finite().fill_null(False)
    rows = rows.with_columns(
        pl.when(no_label).then(pl.lit("bad_label")).otherwise("status").alias("status"),
        pl.when(no_label).then(pl.lit("no label")).otherwise("reason").alias("reason"),
    )
    fit = pl.col("status").is_in(tables.LOOKED_AT)
    return rows.with_columns(
        pl.when(fit).then(fit.cum_sum().cast(pl.Int64) - 1).otherwise(None).alias("row")
    )


_IDENTITY = ["frame_id", "subject", "sequence", "status", "reason"]
_MEASURED = ["frame_id", "measures", "pose", *tables.VISIBLE]


def _real_rows(crop: Path, landmarks: Path, shards: list[str]) -> pl.DataFrame:
    pose = pl.col("pose").arr
    parts = [
        tables.read(crop / f"{shard}.parquet", [*_IDENTITY, "to_frame"])
        .join(
            tables.read(landmarks / f"{shard}.parquet", _MEASURED),
            on="frame_id",
            how="left",
            maintain_order="left",
        )
        .with_columns(
            pl.col("frame_id").alias("image_id"),
            *(pl.lit(None, tables.SCHEMAS["merge"][name]).alias(name) for name in _OF_GENERATED),
            pl.lit(False).alias("synthetic"),
            pl.lit(shard).alias("shard"),
            pose.get(0).alias("yaw"),
            pose.get(1).alias("pitch"),
            _frame_pixels(pl.col("to_frame")).alias("frame_pixels"),
        )
        for shard in shards
    ]
    return pl.concat(parts)


def _frame_pixels(to_frame: pl.Expr) -> pl.Expr:
    """Return the scale of `to_frame`, rows of a 2x3 matrix: pixels of the frame to one of a crop's.

    The matrix turns and scales alike in both directions, so its determinant is the scale squared.
    """
    a, b, c, d = (to_frame.arr.get(at) for at in (0, 1, 3, 4))
    return (a * d - b * c).abs().sqrt().cast(pl.Float32)


def _generated_rows(quality: Path, shards: list[str]) -> pl.DataFrame:
    parts = [
        tables.read(quality / f"{shard}.parquet", [name for name in _ORDER if name not in _ADDED])
        .filter(pl.col("status").is_in(_GENERATED))
        .with_columns(
            pl.lit(True).alias("synthetic"),
            pl.lit(shard).alias("shard"),
            *(pl.lit(None, tables.SCHEMAS["merge"][name]).alias(name) for name in _OF_REAL),
        )
        for shard in shards
    ]
    return pl.concat(parts).select(_ORDER)


_OF_USED = ["row", "image_id", "frame_id", "source_frame_id", "subject", "label"]
_OF_USED += ["status", "synthetic", "shard"]
_OF_REAL = ("yaw", "pitch", "frame_pixels", *tables.VISIBLE)
_ADDED = ("synthetic", "shard", *_OF_REAL)
_OF_GENERATED = ("source_frame_id", "kind", "units", "source_units", "warp")
_ORDER = ["image_id", *_IDENTITY, "label", *_OF_GENERATED, "measures", *_ADDED]


def _write_images(
    path: Path, used: pl.DataFrame, crop: Path, generate: Path, size: int, kept: float
) -> list[str]:
    """Write the array `(N, size, size, 3)` uint8 picture by picture; return their digests."""
    shape = (len(used), size, size, 3)
    digests = [""] * len(used)
    with replacing(path) as temporary:
        if not len(used):  # an empty file cannot be mapped
            with temporary.open("wb") as nothing:
                np.save(nothing, np.empty(shape, np.uint8))
            return digests
        images = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)  # type: ignore[no-untyped-call]
        start, length = images.offset, images[0].nbytes
        del images  # what is written through a map stays in memory
        allocate(temporary, temporary.stat().st_size)
        with temporary.open("r+b") as file, ThreadPoolExecutor(_THREADS) as threads:

            def put(shard: tuple[Path, str, pl.DataFrame]) -> None:
                for rows, values in _pictures(*shard):
                    small = np.empty((len(rows), size, size, 3), np.uint8)
                    for at, value in enumerate(values):
                        small[at] = resized(tables.decode_png(value), size, kept)
                        digests[rows[at]] = hashlib.blake2b(small[at], digest_size=16).hexdigest()
                    for run in _runs(rows):
                        os.pwrite(file.fileno(), small[run].data, start + rows[run.start] * length)

            # Reading, decoding and hashing let go of Python's lock.
            for _ in threads.map(put, _shards(used, crop, generate)):
                pass
    return digests


def _runs(rows: list[int]) -> Iterator[slice]:
    """Yield the slices of `rows` that count up one by one.

    >>> list(_runs([3, 4, 5, 9]))
    [slice(0, 3, None), slice(3, 4, None)]
    """
    breaks = [at for at in range(1, len(rows)) if rows[at] != rows[at - 1] + 1]
    yield from (slice(*each) for each in pairwise([0, *breaks, len(rows)]))


def _shards(
    used: pl.DataFrame, crop: Path, generate: Path
) -> Iterator[tuple[Path, str, pl.DataFrame]]:
    """Yield each table of pictures, its column of ids, and the rows of those that are used."""
    for (synthetic, shard), rows in used.group_by("synthetic", "shard", maintain_order=True):
        folder, key = (generate, "image_id") if synthetic else (crop, "frame_id")
        yield folder / f"{shard}.parquet", key, rows.select(key, "row")


def _pictures(
    path: Path, key: str, used: pl.DataFrame
) -> Iterator[tuple[list[int], list[dict[str, Any]]]]:
    """Yield the places in the array of some of a table's pictures, and their files."""
    missing: dict[str, int] = dict(used.iter_rows())
    for names, values in tables.read_pictures(path, key):
        here = {
            missing.pop(name): value
            for name, value in zip(names, values, strict=True)
            if name in missing and value is not None
        }
        if here:
            yield list(here), list(here.values())
    if missing:
        raise DataError(f"{path}: holds no picture {next(iter(missing))}; run the stage again")
