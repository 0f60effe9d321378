"""Tables that people wrote: CSV, TSV and Parquet, in the encodings and habits they come in."""

import csv
import io
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aacsfnet.datasets.files import shorten
from aacsfnet.errors import DataError

_DELIMITERS = (",", ";", "\t")

#: A table of frames has a few dozen columns; one with more is something else.
_MOST_COLUMNS = 2_000

#: At a million rows the index takes 2 GB of memory.
_MOST_ROWS = 1_000_000

#: What a Parquet table may unpack to: half a kilobyte for each of the most rows.
_MOST_BYTES = 2**29


@dataclass
class Sheet:
    """A table as text: column names in small letters, one list of stripped fields a column."""

    name: str  # of the file, for messages
    columns: dict[str, list[str]]
    numbers: list[int]  # of each row as a spreadsheet counts them: the header is row 1
    decimal_comma: bool = False
    remarks: dict[str, int] = field(default_factory=dict)

    def at(self, row: int) -> str:
        """Return where a row (from 0) stands, for messages: `manifest.csv row 17`."""
        return f"{self.name} row {self.numbers[row]}"


def read_sheet(path: Path, columns: Collection[str] | None = None) -> Sheet:
    """Return a table.

    Args:
        path: `.parquet`, or text: `.tsv` is split at tabs, other names at what the header uses.
        columns: names wanted, in small letters; None: all.

    Raises:
        DataError: no plain file, no such format, no header, a row with too many fields.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give the path of a CSV, TSV or Parquet table")
    if path.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(path, columns)
    if path.suffix.lower() in (".xls", ".xlsx", ".ods"):
        raise DataError(f"{path}: a spreadsheet; save it as CSV UTF-8 and name that file")
    return _read_text(path, columns)


def _read_parquet(path: Path, columns: Collection[str] | None) -> Sheet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        texts = [f.name for f in schema if pa.types.is_string(f.type)]
        # As dictionaries, a long text that a million rows repeat is in memory once.
        table = pq.ParquetFile(path, read_dictionary=texts)
        names = _names(path, schema.names)
        wanted = [i for i, name in enumerate(names) if columns is None or name in columns]
        _check_size(path, table.metadata)
        data = table.read(columns=[schema.names[i] for i in wanted])
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet table: {' '.join(str(error).split())}") from None
    values = {
        names[i]: _as_text(path, column) for i, column in zip(wanted, data.columns, strict=True)
    }
    return Sheet(path.name, values, list(range(2, data.num_rows + 2)))


def _check_size(path: Path, about: Any) -> None:
    """Refuse what unpacks to far more than its file's size lets expect; `about`: the metadata."""
    if about.num_rows > _MOST_ROWS:
        raise _too_many_rows(path)
    groups = (about.row_group(at) for at in range(about.num_row_groups))
    size = sum(g.column(at).total_uncompressed_size for g in groups for at in range(g.num_columns))
    if size > _MOST_BYTES:
        raise DataError(
            f"{path.name}: unpacks to {size} bytes, expected at most {_MOST_BYTES}; keep only the"
            " columns that docs/reference/data-sets.md names"
        )


def _as_text(path: Path, column: Any) -> list[str]:
    """Return a column's values as stripped text, "" for null."""
    import pyarrow as pa

    found: list[str] = []
    for part in column.chunks:
        values = part.dictionary if pa.types.is_dictionary(part.type) else part
        texts = ["" if value is None else str(value).strip() for value in values.to_pylist()]
        if any(len(text) > csv.field_size_limit() for text in texts):
            raise DataError(f"{path.name}: a field of more than {csv.field_size_limit()} letters")
        if values is not part:
            texts = ["" if at is None else texts[at] for at in part.indices.to_pylist()]
        found += texts
    return found


def _too_many_rows(path: Path) -> DataError:
    return DataError(
        f"{path.name}: more than {_MOST_ROWS} rows; take fewer frames, every fifth of a film, say"
    )


def _read_text(path: Path, columns: Collection[str] | None) -> Sheet:
    text, remarks = _decode(path.read_bytes(), path.name)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    numbers: list[int] = []
    rows: list[list[str]] = []
    names: list[str] = []
    number = 0
    try:
        for number, row in enumerate(reader, start=1):
            if not row or not any(row):
                continue
            if not names:
                names = _names(path, row)
                continue
            if len(row) > len(names) and any(row[len(names) :]):
                raise DataError(
                    f"{path.name} row {number}: {len(row)} fields, the header names {len(names)}; "
                    f"put quotes round a field that holds {delimiter!r}"
                )
            if len(rows) == _MOST_ROWS:
                raise _too_many_rows(path)
            numbers.append(number)
            rows.append(row)
    except csv.Error as error:
        raise DataError(f"{path.name} row {number + 1}: {error}; is a quote missing?") from None
    if not names:
        raise DataError(f"{path}: empty; expected a header and one row a frame")
    values = {
        name: [row[i].strip() if i < len(row) else "" for row in rows]
        for i, name in enumerate(names)
        if columns is None or name in columns
    }
    return Sheet(path.name, values, numbers, delimiter != ",", remarks)


def _decode(data: bytes, name: str) -> tuple[str, dict[str, int]]:
    """Return text from UTF-8 with or without BOM, UTF-16 with BOM, or Latin-1 line by line."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16"), {}
        except UnicodeDecodeError as error:
            raise DataError(f"{name}: not UTF-16 as its first bytes say: {error}") from None
    try:
        return data.decode("utf-8-sig"), {}
    except UnicodeDecodeError:
        pass
    lines, odd = [], 0
    for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(line.decode("latin-1"))
            odd += 1
    return "\n".join(lines), {f"rows of {name} that are not UTF-8, read as Latin-1": odd}


def _delimiter(text: str) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(_DELIMITERS, key=header.count)


def _names(path: Path, header: list[str]) -> list[str]:
    names = [name.strip().lower() for name in header]
    if len(names) > _MOST_COLUMNS:
        raise DataError(
            f"{path.name}: {len(names)} columns, expected at most {_MOST_COLUMNS}; a table has one"
            " row a frame"
        )
    if any("\0" in name for name in names):
        raise DataError(
            f"{path.name}: the header holds NUL characters: no text, or UTF-16 without its mark;"
            " save the table as CSV UTF-8"
        )
    counts = Counter(name for name in names if name)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        shown = ", ".join(shorten(name, 40) for name in twice[:8])
        raise DataError(f"{path.name}: columns named twice: {shown}; rename one of each")
    return names
