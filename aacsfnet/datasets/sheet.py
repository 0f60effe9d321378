"""Tables that people wrote: CSV, TSV and Parquet, in the encodings and habits they come in."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aacsfnet.datasets.delimited import read_rows
from aacsfnet.datasets.numerals import DoubtfulNumberError, Numerals, numerals_of
from aacsfnet.datasets.tabular import MOST_ROWS, check_names, too_many_rows
from aacsfnet.errors import DataError

#: What a Parquet table may unpack to: half a kilobyte for each of the most rows.
_MOST_BYTES = 2**29


@dataclass
class Sheet:
    """A table as text: column names in small letters, one list of stripped fields a column."""

    name: str  # of the file, for messages
    columns: dict[str, list[str]]
    numbers: list[int]  # of each row as a spreadsheet counts them: the header is row 1
    comma_file: bool = True  # fields are not parted by something else, so a comma parts them
    remarks: dict[str, int] = field(default_factory=dict)
    _numerals: dict[str, Numerals] = field(default_factory=dict)

    def at(self, row: int) -> str:
        """Return where a row (from 0) stands, for messages: `manifest.csv row 17`."""
        return f"{self.name} row {self.numbers[row]}"

    def both(self, one: int, other: int) -> str:
        """Return where two rows stand: `manifest.csv rows 3 and 17`."""
        first, second = sorted((self.numbers[one], self.numbers[other]))
        return f"{self.name} rows {first} and {second}"

    def number(self, column: str, row: int) -> float | None:
        """Return a field's number, or None when it is none; see `numerals`."""
        return self.numerals(column).value(self.columns[column][row])

    def numerals(self, column: str) -> Numerals:
        """Return how the numbers of a column are written.

        Raises:
            DataError: one of them can be read two ways.
        """
        if (known := self._numerals.get(column)) is None:
            try:
                known = numerals_of(set(self.columns[column]), self.comma_file)
            except DoubtfulNumberError as error:
                row = self.columns[column].index(error.text)
                raise DataError(f"{self.at(row)}: {column} {error}") from None
            self._numerals[column] = known
        return known


def _no_header(names: Sequence[str]) -> bool:
    return False


def read_sheet(
    path: Path,
    wanted: Callable[[str], bool] | None = None,
    is_header: Callable[[Sequence[str]], bool] = _no_header,
    path_place: Callable[[Sequence[str]], int | None] = lambda names: None,
) -> Sheet:
    """Return a table.

    Args:
        path: `.parquet`, or text: `.tsv` is split at tabs, other names at what the header uses.
        wanted: whether a column, named in small letters, is read; None: all are.
        is_header: whether names are those of the header; where no line is so, the first counts.
        path_place: which of a header's columns holds files.

    Raises:
        DataError: no plain file, no such format, no header, a row with too many fields.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give the path of a CSV, TSV or Parquet table")
    if path.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(path, wanted)
    if path.suffix.lower() in (".xls", ".xlsx", ".ods"):
        raise DataError(f"{path}: a spreadsheet; save it as CSV UTF-8 and name that file")
    found = read_rows(path, is_header, path_place, wanted)
    return Sheet(path.name, found.columns, found.numbers, found.delimiter == ",", found.remarks)


def _read_parquet(path: Path, wanted: Callable[[str], bool] | None) -> Sheet:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
        texts = [f.name for f in schema if pa.types.is_string(f.type)]
        # As dictionaries, a long text that a million rows repeat is in memory once.
        table = pq.ParquetFile(path, read_dictionary=texts)
        names = check_names(path, schema.names)
        places = [i for i, name in enumerate(names) if wanted is None or wanted(name)]
        _check_size(path, table.metadata)
        data = table.read(columns=[schema.names[i] for i in places])
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a Parquet table: {' '.join(str(error).split())}") from None
    values = {
        names[i]: _as_text(path, column) for i, column in zip(places, data.columns, strict=True)
    }
    return Sheet(path.name, values, list(range(2, data.num_rows + 2)))


def _check_size(path: Path, about: Any) -> None:
    """Refuse what unpacks to far more than its file's size lets expect; `about`: the metadata."""
    if about.num_rows > MOST_ROWS:
        raise too_many_rows(path)
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
