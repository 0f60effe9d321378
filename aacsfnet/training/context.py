"""Which pictures stand beside each picture: the same person's, chosen without any label."""

from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.models.reference import calmest

#: Column of the place of a real frame in its sequence, from 0; unusable frames count.
POSITION = "position"


class ContextRows(NamedTuple):
    """The pictures beside each of `n` pictures, `P` of each.

    Attributes:
        rows: `(n, P)` int64 places in the array of pictures; where none is known, the picture's
            own.
        known: `(n, P)` bool.
    """

    rows: np.ndarray
    known: np.ndarray


def with_positions(index: pl.DataFrame) -> pl.DataFrame:
    """Return the merged table with `POSITION`, null for generated pictures.

    The table has a row for each frame of the data set, in order of time.
    """
    real = ~pl.col("synthetic")
    counted = real.cum_sum().over("subject", "sequence").cast(pl.Int64) - 1
    return index.with_columns(pl.when(real).then(counted).alias(POSITION))


def context_rows(
    rows: pl.DataFrame,
    frames: pl.DataFrame,
    kind: Literal["none", "person", "sequence"],
    count: int,
) -> ContextRows | None:
    """Return the pictures beside those of some rows of the merged table; None for kind "none".

    All are real pictures of the row's own subject, so that none crosses a fold. A generated
    picture that shows its source's person has that person's reference; one that shows another
    person has none. No generated picture has neighbours in time: frames of the source differ from
    it by how it was made, and by its level, and not by a movement.

    Args:
        rows: for which; with `POSITION`.
        frames: the real ones among which they are chosen; with `POSITION`.
        kind: of the context.
        count: frames of a reference, or on each side.
    """
    if kind == "none":
        return None
    choose = _references if kind == "person" else _neighbours
    found = choose(rows, frames.filter(~pl.col("synthetic")), count)  # (n, P), -1: none
    known = found >= 0
    own = rows["row"].to_numpy().astype(np.int64)[:, None]
    return ContextRows(np.where(known, found, own), known)


def _references(rows: pl.DataFrame, frames: pl.DataFrame, count: int) -> np.ndarray:
    of_subject: dict[Any, np.ndarray] = {}
    for (subject,), own in frames.group_by("subject", maintain_order=True):
        places = own["row"].to_numpy()[calmest(measures_of(own), count)]
        of_subject[subject] = np.pad(places, (0, count - len(places)), constant_values=-1)
    none = np.full(count, -1)
    other = (rows["synthetic"] & (rows["kind"] == "person")).fill_null(False)
    found = [
        none if shows_another else of_subject.get(subject, none)
        for subject, shows_another in zip(rows["subject"], other, strict=True)
    ]
    return np.array(found, np.int64).reshape(len(rows), count)


def _neighbours(rows: pl.DataFrame, frames: pl.DataFrame, count: int) -> np.ndarray:
    places = frames.select("subject", "sequence", POSITION, pl.col("row").alias("found"))
    keys = ["subject", "sequence", POSITION]
    found = [
        rows.select("subject", "sequence", pl.col(POSITION) + away)
        .join(places, on=keys, how="left", maintain_order="left")["found"]
        .fill_null(-1)
        .to_numpy()
        for away in (*range(-count, 0), *range(1, count + 1))
    ]
    places_of_rows: np.ndarray = np.stack(found, axis=1).astype(np.int64)
    return places_of_rows


def measures_of(rows: pl.DataFrame) -> np.ndarray:
    """Return the facial measures of rows of the merged table, `(n, measures)`, NaN if unknown."""
    return rows["measures"].struct.unnest().select(tables.MEASURES).cast(pl.Float64).to_numpy()
