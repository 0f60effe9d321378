"""Text tables in the habits of spreadsheets, R, pandas and annotation tools, split into rows."""

from collections.abc import Callable, Sequence
from pathlib import Path

from aacsfnet.datasets.dialect import Dialect, decode, dialect_of, told_delimiter
from aacsfnet.datasets.plain_rows import plain_columns
from aacsfnet.datasets.row_by_row import RowByRow
from aacsfnet.datasets.tabular import MOST_ROWS, Rows, check_names


def read_rows(
    path: Path,
    is_header: Callable[[Sequence[str]], bool],
    path_place: Callable[..., int | None],
    wanted: Callable[[str], bool] | None = None,
) -> Rows:
    """Return the rows of a text table.

    Args:
        path: `.tsv` is split at tabs, other names at what the header uses.
        is_header: whether names are those of a header; where no line is so, the first counts.
        path_place: which of a header's columns holds files, to tell R's row names from a field
            too many.
        wanted: whether a column, named in small letters, is kept; None: all are.

    Raises:
        DataError: no header, a row with too many fields, a lost quote, two ways to split.
    """
    text, remarks = decode(path.read_bytes(), path.name)
    text, told = told_delimiter(text)
    if told:
        remarks[f"first line of {path.name}, sep={told!r}, followed and not counted"] = 1
    dialect = dialect_of(text, told, path.suffix.lower() == ".tsv", is_header)
    found = _plain(path, dialect, text, wanted)
    if found is None:
        found = RowByRow(path, dialect, path_place, wanted).read(text)
    found.remarks = remarks | found.remarks
    return found


def _plain(
    path: Path, dialect: Dialect, text: str, wanted: Callable[[str], bool] | None
) -> Rows | None:
    """Return the rows of a text in which nothing is odd, None of another."""
    head, _, body = text.partition("\n")
    if dialect.header or dialect.wrapped or dialect.commented or dialect.delimiter == " ":
        return None
    if dialect.quote in text or not body or not head.strip():
        return None
    count = body.count("\n") + (body[-1] != "\n")
    header = head.removesuffix("\r").split(dialect.delimiter)
    if len(header) < 2 or count > MOST_ROWS or head.find("\r", 0, -1) >= 0:
        return None
    names = check_names(path, header)
    keep = [wanted is None or wanted(name) for name in names]
    columns = plain_columns(body, dialect.delimiter, header, keep)
    if columns is None:
        return None
    found = {name: column for name, column, kept in zip(names, columns, keep, strict=True) if kept}
    return Rows(found, list(range(2, count + 2)), dialect.delimiter)
