"""The table of predictions: one row a face a frame, written row by row.

| column | holds |
|---|---|
| `path` | the file, as it was given |
| `frame` | number of the frame in it, counted from 0; null: the file cannot be opened |
| `time_s` | presentation time of the frame, seconds; null for a picture |
| `face` | number of the person in the file, counted from 0; null: no face |
| `status`, `reason` | "ok", or what is wrong: see `aacsfnet.tables.STATUSES` |
| `box` | left, top, right, bottom of the face's mesh in the upright picture, pixels |
| `pose` | yaw, pitch of the head and its roll in the picture, degrees |
| `measures` | facial measures by name, eye distances |
| `prediction` | the score, in units of the model's label |
| `relative` | the score less the person's own neutral level in the file; null unless asked for |
| `low`, `high` | ends of the prediction interval; null where the model tells none |
| `abstained`, `why` | whether the score must not be trusted, and why; null where unknown |
"""

import csv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from aacsfnet.errors import SettingsError
from aacsfnet.files import replacing
from aacsfnet.tables import MEASURES

Row = dict[str, Any]

_PARTS = {"box": ("left", "top", "right", "bottom"), "pose": ("yaw", "pitch", "roll")}
_FLOAT = pa.float32()
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("frame", pa.int64()),
        ("time_s", pa.float64()),
        ("face", pa.int64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        *((name, pa.struct([(part, _FLOAT) for part in parts])) for name, parts in _PARTS.items()),
        ("measures", pa.struct([(name, _FLOAT) for name in MEASURES])),
        ("prediction", _FLOAT),
        ("relative", _FLOAT),
        ("low", _FLOAT),
        ("high", _FLOAT),
        ("abstained", pa.bool_()),
        ("why", pa.string()),
    ]
)
#: Rows of a Parquet file's row group, which are all that is held.
_GROUP = 4096
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*_DELIMITERS, ".parquet")


class Writer(Protocol):
    """Takes the rows of a table."""

    def write(self, row: Row) -> None:
        """Take one row; what it lacks is null."""


class TextWriter:
    """Writes CSV or TSV; a column with parts becomes one a part: `box_left`, `pose_yaw`."""

    def __init__(self, file: TextIO, delimiter: str) -> None:
        self._writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        self._columns: list[tuple[str, list[str]]] = []
        for field in SCHEMA:
            parts = [part.name for part in field.type] if pa.types.is_struct(field.type) else []
            self._columns.append((field.name, parts))
        self._writer.writerow(
            chain.from_iterable(
                [f"{name}_{part}" for part in parts] or [name] for name, parts in self._columns
            )
        )

    def write(self, row: Row) -> None:
        """Take one row."""
        values: list[str] = []
        for name, parts in self._columns:
            value = row.get(name)
            if parts:
                inner = value or {}
                values += [_text(inner.get(part)) for part in parts]
            else:
                values.append(f"{value:.6f}" if name == "time_s" and value else _text(value))
        self._writer.writerow(values)


class ParquetWriter:
    """Writes Parquet, one row group at a time."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file = file
        self._rows: list[Row] = []

    def write(self, row: Row) -> None:
        """Take one row."""
        self._rows.append(row)
        if len(self._rows) >= _GROUP:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        if self._rows:
            self._file.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA))
        self._rows = []


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Yield what takes the rows of a table; the file is there when the block ends well.

    Raises:
        SettingsError: the suffix is not one of `SUFFIXES`, or the file cannot be written.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SettingsError(f"output = {path}: expected a name that ends in {', '.join(SUFFIXES)}")
    if path.is_dir():
        raise SettingsError(f"output = {path}: a folder; expected a file")
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(replacing(path))
        except OSError as error:
            raise SettingsError(f"output = {path}: cannot be written: {error.strerror}") from None
        yield stack.enter_context(_opened(temporary, _DELIMITERS.get(path.suffix.lower())))


@contextmanager
def _opened(path: Path, delimiter: str | None) -> Iterator[Writer]:
    if delimiter is not None:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield TextWriter(file, delimiter)
        return
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as file:
        writer = ParquetWriter(file)
        yield writer
        writer.flush()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.7g}" if isinstance(value, float) else str(value)
