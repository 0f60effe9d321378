"""What a user's table tells of each subject, as hashes: which frames, their labels, their split.

The order of a subject's rows counts only among those that could be taken for one another: of the
same picture, or of the same frame's name.
"""

import hashlib
from collections.abc import Callable, Iterator

import polars as pl

from aacsfnet.datasets import columns, fields
from aacsfnet.datasets.base import Told
from aacsfnet.datasets.claims import Claims

#: Between the fields of a row, and before each row.
_FIELD, _ROW = "\x1f", "\x1e"
#: Rows whose texts are joined together, about.
_TOGETHER = 65_536


def is_told(name: str, own_label: str) -> bool:
    """Return whether a column of a table counts in `told_by`."""
    known = name in fields.KNOWN_COLUMNS or fields.unit_of(name) != ""
    return known or columns.is_needed(name, own_label)


def told_by(claims: Claims) -> dict[str, Told]:
    """Return the hashes of each subject's rows of a table."""
    sheet = claims.sheet
    units = list(fields.action_unit_columns(sheet))
    # Numbers as they are read: how a column writes them is found out from all of its rows.
    numbers = {name: _each(sheet.columns[name], _number(claims, name)) for name in units}
    table = (
        pl.DataFrame(sheet.columns, schema=dict.fromkeys(sheet.columns, pl.String))
        .with_columns(
            pl.Series("subject", claims.subjects, pl.String),
            pl.Series("label", _each(sheet.columns["label"], lambda i: str(claims.label_of(i)[0]))),
            pl.Series("wrong", _each(sheet.columns["label"], lambda i: claims.label_of(i)[1])),
            pl.Series("shared", _shared_videos(claims), pl.String),
            *(pl.Series(name, values, pl.String) for name, values in numbers.items()),
            pl.col("path").str.replace_all("\\", "/", literal=True).str.strip_prefix("./"),
        )
        .with_columns(pl.col("path").str.split("/").list.last().alias("name"))
    )
    named = [each for each in ("sequence", "frame") if each in sheet.columns]
    frames = ["path", *named, *claims.times.columns, "wrong", "shared"]
    table = table.with_columns(
        pl.int_range(pl.len()).over(keys).cast(pl.String).alias(rank)
        for rank, keys in (
            ("same picture", ["path"]),
            ("same name", ["subject", *named, "name"]),
        )
    )
    frames += ["same picture", "same name"]
    taken = {"path", "subject", "label", "split", *named}
    others = sorted((fields.KNOWN_COLUMNS & sheet.columns.keys()) - taken)  # sex, age group
    labels = [*frames, "label", *others, *units]
    split = labels + [each for each in ("split",) if each in sheet.columns]
    parts = {"frames": frames, "labels": labels, "split": split}
    told: dict[str, Told] = {}
    for some in _slices(table.sort("subject", maintain_order=True)):
        said = some.select(
            "subject",
            **{part: pl.concat_str(names, separator=_FIELD) for part, names in parts.items()},
        )
        found = said.group_by("subject").agg(pl.exclude("subject").sort().str.join(_ROW))
        for subject, *rows in found.iter_rows():
            told[subject] = Told(*(_hash(*each) for each in zip(parts.values(), rows, strict=True)))
    return told


def _slices(table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the rows of some subjects after another: their texts take a multiple of memory."""
    counts = table.group_by("subject", maintain_order=True).len()["len"].to_list()
    start = end = 0
    for count in counts:
        end += count
        if end - start >= _TOGETHER:
            yield table[start:end]
            start = end
    if end > start:
        yield table[start:end]


def _each(values: list[str], of_row: Callable[[int], str]) -> list[str]:
    """Return what is said of each row where it depends on a value alone: asked once for each."""
    first = {value: row for row, value in reversed([*enumerate(values)])}
    said = {value: of_row(row) for value, row in first.items()}
    return [said[value] for value in values]


def _number(claims: Claims, name: str) -> Callable[[int], str]:
    sheet = claims.sheet
    return lambda row: f"{sheet.columns[name][row] and sheet.number(name, row)}"


def _shared_videos(claims: Claims) -> list[str]:
    """Return, of rows with times of a video that shows several people, what all of them say."""
    sheet, found = claims.sheet, [""] * len(claims.subjects)
    for track in claims.tracks.values():
        rows = sorted({segment.row for segment in track})
        if len({claims.subjects[row] for row in rows}) > 1:
            times = [sheet.columns[name] for name in claims.times.columns]
            said = [_FIELD.join([claims.subjects[row], *(t[row] for t in times)]) for row in rows]
            for row in rows:
                found[row] = _ROW.join(said)
    return found


def _hash(names: list[str], rows: str) -> str:
    told = _FIELD.join(names) + _ROW + rows
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
