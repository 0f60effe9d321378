"""What is wrong with the merged data: roles, origins, counts, digests."""

import hashlib
from collections.abc import Iterator

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.cohort.selection import mislabelled
from aacsfnet.evaluation.audit.discrepancy import Discrepancy, name_of, some
from aacsfnet.evaluation.audit.people import look_at_roles, pool_people
from aacsfnet.evaluation.results import Results
from aacsfnet.layout import Merged


def look_at_merged(results: Results, merged: Merged, given: bool) -> Iterator[Discrepancy]:
    """Yield what is wrong with the pictures and the splits that training reads."""
    where = name_of(results, merged.folder)
    if not merged.folder.is_dir():
        yield Discrepancy(where, "there is none; run the stage")
        return
    index = tables.read(merged.index)
    splits = tables.read(merged.splits)
    yield from look_at_roles(where, results, splits, given)
    frames = dict(results.index.select("frame_id", "subject").iter_rows())
    source = pl.when(pl.col("synthetic")).then("source_frame_id").otherwise("frame_id")
    rows = index.with_columns(
        source.replace_strict(frames, default=None, return_dtype=pl.String).alias("origin")
    )
    wrong = rows.filter(pl.col("origin").ne_missing(pl.col("subject")))["image_id"].sort()
    if len(wrong):
        yield Discrepancy(where, f"pictures of another subject than they say: {some(wrong)}")
    wrong = mislabelled(index, results.index)["image_id"].sort()
    if len(wrong):
        yield Discrepancy(where, f"labels of other pictures than they are: {some(wrong)}")
    pool = pl.col("subject").is_in(pool_people(results))
    wrong = index.filter(pl.col("pool").fill_null(False) != pool)["image_id"].sort()
    if len(wrong):
        yield Discrepancy(where, f"in the pool, or not, other than in the index: {some(wrong)}")
    real = index.filter(~pl.col("synthetic"))
    lacking = results.index.join(real, on="frame_id", how="anti")["frame_id"].sort()
    if len(lacking):
        yield Discrepancy(where, f"lacks frames: {some(lacking)}")
    used = index.filter(pl.col("row").is_not_null())
    copies = used.filter(pool).join(used.filter(~pool), on="digest", how="semi")["image_id"].sort()
    if len(copies):
        yield Discrepancy(where, f"the same picture in the pool and outside it: {some([*copies])}")
    refused = used.filter(~pl.col("status").is_in(tables.LOOKED_AT))["image_id"].sort()
    if len(refused):
        yield Discrepancy(where, f"holds pictures that are not ok: {some(refused)}")
    unlabelled = pl.col("status") == "unlabelled"
    indexed = results.index.filter(unlabelled)["frame_id"].to_list()
    wrong = used.filter(unlabelled != pl.col("frame_id").is_in(indexed))["image_id"].sort()
    if len(wrong):
        words = f"used with a label or without, other than the index says: {some(wrong)}"
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
        yield Discrepancy(where, f"pictures differ from their digests: {some(altered)}")
