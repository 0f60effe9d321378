"""Rows of a text table as programs write it, split together: a table may have a million of them.

Whatever a text has that could be meant otherwise is left to `aacsfnet.datasets.row_by_row`, which
looks at one row after another.
"""

import csv
from collections.abc import Iterator, Sequence

import polars as pl

#: Ends of lines and blanks in Python's eyes that are none in those of polars, and no text at all.
_ODD = "\r\0\x1c\x1d\x1e\x1f"
#: Letters that are split together, about: all at once would take several times their memory.
_TOGETHER = 2**20


def plain_columns(
    text: str, delimiter: str, header: Sequence[str], wanted: Sequence[bool]
) -> list[list[str]] | None:
    r"""Return the stripped fields of each column of a text without quotes; None for an odd one.

    Not odd are rows that are each as wide as the header, and begin with a field that is neither
    empty nor a comment nor the header's.

    Args:
        text: the rows, without the header.
        delimiter: between fields; not a blank.
        header: its fields, more than one.
        wanted: which columns are kept; others give an empty list.

    >>> plain_columns("a, 1\nb,2\n", ",", ["path", "label"], [True, True])
    [['a', 'b'], ['1', '2']]
    >>> plain_columns("a,1\nb\n", ",", ["path", "label"], [True, True])
    """
    text = text.replace("\r\n", "\n").removesuffix("\n")
    if any(sign in text for sign in _ODD):
        return None
    found: list[list[str]] = [[] for _ in header]
    known: list[dict[str, str]] = [{} for _ in header]
    for block in _blocks(text):
        lines = pl.Series("line", block.split("\n"), pl.String)
        longest = lines.str.len_bytes().max()
        widths = lines.str.count_matches(delimiter, literal=True)
        if not (widths == len(header) - 1).all() or longest >= csv.field_size_limit():  # type: ignore
            return None
        table = lines.str.split_exact(delimiter, len(header) - 1).struct.unnest()
        table = table.with_columns(pl.all().str.strip_chars())
        first = table.to_series(0)
        if ((first == "") | first.str.starts_with("#") | (first == header[0].strip())).any():
            return None
        for at, column in enumerate(table.iter_columns()):
            if wanted[at]:
                found[at] += _texts(column, known[at])
    return found


def _blocks(text: str) -> Iterator[str]:
    """Yield some lines of a text after another."""
    start = 0
    while (end := text.find("\n", start + _TOGETHER)) >= 0:
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _texts(values: pl.Series, known: dict[str, str]) -> list[str]:
    """Return texts as a list; one that many rows repeat is held once.

    Args:
        values: the texts.
        known: those that were repeated before; it is added to.
    """
    different = values.unique(maintain_order=True)
    if 2 * len(different) > len(values):
        return values.to_list()
    texts = [known.setdefault(text, text) for text in different.to_list()]
    places = values.replace_strict(different, range(len(different)), return_dtype=pl.UInt32)
    return [texts[place] for place in places.to_list()]
