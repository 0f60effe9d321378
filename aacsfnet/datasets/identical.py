"""Files of the same bytes under two people's names: one of the two names is wrong."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, combinations
from typing import NamedTuple

import numpy as np
import polars as pl

from aacsfnet.datasets.files import DataFolder

#: Bytes from the middle that are compared first, then next: headers are alike, and few files that
#: differ agree in them.
_PIECES = (64, 4096)
#: Raised where files are compared in another way: then all are opened again.
_COMPARISON = b"2"
_TEXTS = {"path": pl.String, "person": pl.String}


class Copies(NamedTuple):
    """Files that hold the same bytes and belong to different people.

    Attributes:
        groups: how many there are.
        pair: path and person of two files of one group, both different; empty where none is.
        compared: a digest of what was told of the files that were compared, their bytes aside; ""
            where not all could be read.
    """

    groups: int
    pair: list[tuple[str, str]]
    compared: str


def same_bytes(
    folder: DataFolder,
    paths: Sequence[str],
    people: Sequence[str],
    is_usable: Callable[[str], bool],
    compared: str = "",
) -> Copies:
    """Return files that hold the same bytes and belong to different people.

    Sizes are compared first, then pieces of the middle of the files, then all of them; few are
    opened, and fewer read.

    Args:
        folder: paths start from it; nothing outside is opened.
        paths: of files; "" for none. A film may be several people's.
        people: the person of each, "" for nobody.
        is_usable: whether a path leads to frames at all; black and damaged files may be alike.
        compared: what was told of files that were compared before: the same are not opened again.
    """
    table = pl.DataFrame({"path": paths, "person": people}, schema_overrides=_TEXTS)
    table = table.filter(pl.col("path") != "", pl.col("person") != "")
    if table["path"].hash().is_duplicated().any():  # seldom, and a lot of memory
        table = table.unique(["path", "person"], keep="first", maintain_order=True)
    numbers = chain.from_iterable(folder.changes(table["path"]))
    sizes, times = np.fromiter(numbers, np.int64, 2 * len(table)).reshape(-1, 2).T
    table = table.with_columns(pl.Series("size", sizes), pl.Series("changed", times))
    table = _of_several(table.filter(pl.col("size") > 0), ["size"])
    now = _told(table)
    if now == compared:
        return Copies(0, [], now)
    whole = True
    for most in _PIECES:
        pieces = _pieces(folder, table.select("path", "size").iter_rows(), most)
        table = table.with_columns(pl.Series("piece", pieces, pl.Int64))
        whole = whole and not table["piece"].null_count()
        table = _of_several(table.drop_nulls("piece"), ["size", "piece"])
    digests = [folder.digest(path) or None for path in table["path"]]
    table = table.with_columns(pl.Series("digest", digests, pl.String))
    whole = whole and not table["digest"].null_count()
    table = _of_several(table.drop_nulls("digest"), ["digest"])
    found = table.group_by("digest", maintain_order=True).agg("path", "person")
    groups = [[*zip(*each, strict=True)] for each in found.select("path", "person").iter_rows()]
    usable = [group for group in groups if is_usable(group[0][0])]
    whole = whole and len(usable) == len(groups)
    return Copies(len(usable), _pair(usable[0]) if usable else [], now if whole else "")


def _pair(group: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return two members of a group whose paths and people both differ."""
    return next(
        [one, other]
        for one, other in combinations(group, 2)
        if one[0] != other[0] and one[1] != other[1]
    )


def _told(table: pl.DataFrame) -> str:
    """Return a digest of whose files there are, how large they are and when they were changed."""
    found = hashlib.blake2b(_COMPARISON, digest_size=16)
    for column in table.get_columns():
        texts = column.dtype == pl.String
        found.update("\0".join(column).encode() if texts else column.to_numpy().tobytes())
        found.update(f"{column.name} {len(column)}".encode())
    return found.hexdigest()


def _of_several(table: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Return the rows of which several agree in the keys, of several people and several files."""
    several = (pl.col(name).min().over(keys) != pl.col(name).max().over(keys) for name in _TEXTS)
    return table.filter(pl.all_horizontal(*several))


def _pieces(folder: DataFolder, files: Iterable[tuple[str, int]], most: int) -> list[int | None]:
    """Return a hash of bytes from the middle of each file, None where they cannot be read."""
    return [None if piece is None else hash(piece) for piece in folder.middles(files, most)]
