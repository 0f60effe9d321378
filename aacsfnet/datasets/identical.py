"""Files of the same bytes under two people's names: one of the two names is wrong."""

from collections.abc import Callable, Iterable, Sequence

import polars as pl

from aacsfnet.datasets.files import DataFolder

#: Bytes from the middle that are compared first, then next: headers are alike, and few files that
#: differ agree in them.
_PIECES = (64, 4096)
_TEXTS = {"path": pl.String, "person": pl.String}


def same_bytes(
    folder: DataFolder,
    paths: Sequence[str],
    people: Sequence[str],
    is_usable: Callable[[str], bool],
) -> tuple[int, list[str]]:
    """Return files that hold the same bytes and belong to different people.

    Sizes are compared first, then pieces of the middle of the files, then all of them; few are
    opened, and fewer read.

    Args:
        folder: paths start from it; nothing outside is opened.
        paths: of files; "" for none. Of a path that stands several times, the first counts.
        people: the person of each, "" for nobody.
        is_usable: whether a path leads to frames at all; black and damaged files may be alike.

    Returns:
        How many such groups there are, and the paths of the first.
    """
    table = pl.DataFrame({"path": paths, "person": people}, schema_overrides=_TEXTS)
    table = table.filter(pl.col("path") != "", pl.col("person") != "")
    table = table.unique("path", keep="first", maintain_order=True)
    table = table.with_columns(pl.Series("size", folder.sizes(table["path"]), pl.Int64))
    table = table.filter(pl.col("size") > 0)
    table = _of_several(table, ["size"])
    for most in _PIECES:
        pieces = _pieces(folder, table.select("path", "size").iter_rows(), most)
        table = table.with_columns(pl.Series("piece", pieces, pl.Int64))
        table = _of_several(table.drop_nulls("piece"), ["size", "piece"])
    digests = [folder.digest(path) for path in table["path"]]
    table = table.with_columns(pl.Series("digest", digests, pl.String))
    table = _of_several(table.filter(pl.col("digest") != ""), ["digest"])
    groups = table.group_by("digest", maintain_order=True).agg("path")["path"].to_list()
    groups = [group for group in groups if is_usable(group[0])]
    return len(groups), (groups[0] if groups else [])


def _of_several(table: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Return the rows that agree in the keys with a row of another person."""
    return table.filter(pl.col("person").min().over(keys) != pl.col("person").max().over(keys))


def _pieces(folder: DataFolder, files: Iterable[tuple[str, int]], most: int) -> list[int | None]:
    """Return a hash of bytes from the middle of each file, None where they cannot be read."""
    return [None if piece is None else hash(piece) for piece in folder.middles(files, most)]
