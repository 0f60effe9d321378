"""Tables as Parquet files: written atomically with the schema of their stage, read and noted."""

import json
from collections.abc import Iterator
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from aacsfnet.errors import DataError, WorkError
from aacsfnet.files import replacing
from aacsfnet.tables.schemas import CARRIED, PICTURE, SCHEMAS, STATUSES

#: `PICTURE` as the `datasets` library takes it for an Image: with 32-bit offsets, so the pictures
#: of one slice of rows must have less than 2 GB. The largest crops have 12 MB.
#: What Polars makes of files that are no Parquet, or a damaged one.
_DAMAGED = (pl.exceptions.ComputeError, pl.exceptions.PanicException)
_PICTURE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
_SLICE = 128
#: Rows that are read or passed over together: a shard's rows of a large index are few of these.
_ROW_GROUP = 16_384
#: Bytes of pictures that are read together, and at most so many pictures.
_TOGETHER, _AT_MOST = 2**21, 16


def frame(stage: str, rows: list[dict[str, object]]) -> pl.DataFrame:
    """Return rows as a table of a stage; keys that a row lacks become null.

    Raises:
        WorkError: a row has a key that the stage's table does not hold.
    """
    schema = SCHEMAS[stage]
    unknown = {key for row in rows for key in row} - set(schema)
    if unknown:
        raise WorkError(f"{stage} rows hold {sorted(unknown)}, which its table has no column for")
    columns = {
        name: _column([row.get(name) for row in rows], kind) for name, kind in schema.items()
    }
    return pl.DataFrame(columns, schema=schema, strict=True)


def _column(values: list[Any], kind: pl.DataType | type[pl.DataType]) -> list[Any] | pl.Series:
    """Return a column's values; arrays, which Polars takes one number at a time, as one block."""
    if not isinstance(kind, pl.Array) or not any(isinstance(v, np.ndarray) for v in values):
        return values
    present = np.array([value is not None for value in values])
    first = next(value for value in values if value is not None)
    block = np.zeros((len(values), *kind.shape), np.asarray(first).dtype)
    for at in np.flatnonzero(present):
        block[at] = values[at]
    column = pl.Series(block, dtype=kind)
    return pl.select(pl.when(pl.Series(present)).then(column)).to_series()


def carry(row: dict[str, object], stage: str) -> dict[str, object]:
    """Return the columns of `row` that a stage's table also has, among `CARRIED`.

    Used to let a row survive: what was not "ok" upstream keeps its status and reason.
    """
    return {name: row[name] for name in CARRIED if name in SCHEMAS[stage] and name in row}


def write(path: Path, table: pl.DataFrame, stage: str, notes: dict[str, Any] | None = None) -> None:
    """Write a stage's table atomically.

    Args:
        path: of the file.
        table: rows with the stage's columns.
        stage: its name.
        notes: what holds for the whole table; `notes` reads it again from the file's metadata.

    Raises:
        WorkError: columns or types differ from the stage's schema, or a status is unknown.
    """
    schema = SCHEMAS[stage]
    expected = pl.DataFrame(schema=schema).schema
    if table.schema != expected:
        wrong = {
            name: (table.schema.get(name), expected.get(name))
            for name in expected.keys() | table.schema.keys()
            if table.schema.get(name) != expected.get(name)
        }
        difference = wrong or "the order of columns"
        raise WorkError(f"{stage} table differs from its schema (got, expected): {difference}")
    unknown = set(table["status"].unique()) - set(STATUSES)
    if unknown:
        raise WorkError(f"{stage} table holds unknown statuses {sorted(map(str, unknown))}")
    metadata = {"aacsfnet": json.dumps({"stage": stage} | (notes or {}))}
    groups = table.iter_slices(_ROW_GROUP) if len(table) else iter([table])
    first = _as_arrow(next(groups))
    if PICTURE in expected.values():
        features = {field.name: _feature(field.type) for field in first.schema}
        metadata["huggingface"] = json.dumps({"info": {"features": features}})
    options = {
        "schema": first.schema.with_metadata(metadata),
        "compression": "zstd",
        # A dictionary of pictures or points would only cost time and space.
        "use_dictionary": [name for name, kind in expected.items() if kind == pl.String],
    }
    size = int(table.estimated_size())
    with replacing(path, size) as temporary, pq.ParquetWriter(temporary, **options) as writer:
        for group in chain([first], map(_as_arrow, groups)):  # of a million rows all are too many
            writer.write_table(group.replace_schema_metadata(metadata), row_group_size=_ROW_GROUP)


def _as_arrow(rows: pl.DataFrame) -> Any:
    """Return rows as Arrow's; of pictures in slices, as their bytes may be too many for one."""
    pictures = PICTURE in rows.schema.values()
    slices = rows.iter_slices(_SLICE) if pictures and len(rows) else [rows]
    return pa.concat_tables([_as_parquet_holds_it(each.to_arrow()) for each in slices])


def write_rows(path: Path, rows: pl.DataFrame) -> None:
    """Write rows that are no stage's table into a Parquet file, atomically.

    Raises:
        NoSpaceError: the disk is full.
    """
    # As bytes: polars' own writing fails on a full disk in the words of a damaged file.
    written = BytesIO()
    rows.write_parquet(written)
    with replacing(path, written.tell()) as temporary:
        temporary.write_bytes(written.getbuffer())


def _as_parquet_holds_it(arrow: Any) -> Any:
    """Return an Arrow table with plain lists for lists of fixed length, and pictures as `_PICTURE`.

    Parquet knows no lists of fixed length: Arrow cannot write, or read back, those with nulls.
    """
    for at, field in enumerate(arrow.schema):
        if pa.types.is_struct(field.type) and field.type.names == _PICTURE.names:
            arrow = arrow.set_column(at, field.name, arrow.column(at).cast(_PICTURE))
        if not pa.types.is_fixed_size_list(field.type):
            continue
        column = arrow.column(at).combine_chunks()
        # To and from numpy by polars: Arrow looks whether it is for pandas, and loads that to look.
        present = pl.Series(column.is_valid()).to_numpy()
        offsets = np.concatenate([[0], np.cumsum(present * field.type.list_size)]).astype(np.int32)
        starts, missing = (pl.Series(each).to_arrow() for each in (offsets, ~present))
        lists = pa.ListArray.from_arrays(starts, column.drop_null().flatten(), mask=missing)
        arrow = arrow.set_column(at, field.name, lists)
    return arrow


def _feature(kind: Any) -> object:
    """Return the Hugging Face feature that stands for an Arrow type.

    >>> _feature(pa.list_(pa.float32(), 3))
    {'_type': 'List', 'feature': {'_type': 'Value', 'dtype': 'float32'}, 'length': 3}
    """
    if kind == _PICTURE:
        return {"_type": "Image"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    if pa.types.is_fixed_size_list(kind):
        return {"_type": "List", "feature": _feature(kind.value_type), "length": kind.list_size}
    if pa.types.is_list(kind):
        return {"_type": "List", "feature": _feature(kind.value_type)}
    names = {"double": "float64", "float": "float32"}
    return {"_type": "Value", "dtype": names.get(str(kind), str(kind))}


def read(
    path: str | Path, columns: list[str] | None = None, where: pl.Expr | None = None
) -> pl.DataFrame:
    """Return a table that a stage wrote, or the rows of it that meet a condition.

    Raises:
        DataError: there is no such file, or it is no Parquet file.
    """
    try:
        if where is None:
            stored = pl.read_parquet(path, columns=columns)
        else:  # parts of the file without such rows are not read
            found = pl.scan_parquet(path).filter(where)
            stored = (found if columns is None else found.select(columns)).collect()
    except FileNotFoundError:
        raise _no_table(path) from None
    except pl.exceptions.ComputeError as error:
        raise _not_a_table(path, error) from None
    arrays = {
        name: kind
        for schema in SCHEMAS.values()
        for name, kind in schema.items()
        if isinstance(kind, pl.Array) and isinstance(stored.schema.get(name), pl.List)
    }
    return stored.cast(arrays)  # type: ignore[arg-type]


def _no_table(path: str | Path) -> DataError:
    return DataError(f"{path}: no such table; run the stage that writes it first")


def _not_a_table(path: str | Path, error: Exception) -> DataError:
    return DataError(f"{path}: not a Parquet table ({error}); delete it and run again")


def read_pictures(path: Path, key: str) -> Iterator[tuple[list[str], list[dict[str, Any] | None]]]:
    """Yield the ids and pictures of a table a few at a time, so that memory holds few of them.

    Args:
        path: of the file.
        key: the column of ids.

    Raises:
        DataError: there is no such file, or it is no Parquet file with such columns.
    """
    try:
        with pq.ParquetFile(path) as file:
            held = [file.metadata.row_group(at) for at in range(file.num_row_groups)]
            largest = max(
                (each.total_byte_size // max(each.num_rows, 1) for each in held), default=0
            )
            rows = min(max(_TOGETHER // max(largest, 1), 1), _AT_MOST)
            for batch in file.iter_batches(rows, columns=[key, "image"], use_threads=False):
                encoded, names = batch.column("image").flatten()
                # What lies in Arrow's memory is not copied.
                files = [each.as_buffer() if each.is_valid else None for each in encoded]
                yield (
                    batch.column(key).to_pylist(),
                    [
                        None
                        if file is None
                        else {"bytes": memoryview(file).cast("B"), "path": name.as_py()}
                        for file, name in zip(files, names, strict=True)
                    ],
                )
    except FileNotFoundError:
        raise _no_table(path) from None
    except (pa.ArrowInvalid, KeyError) as error:
        raise _not_a_table(path, error) from None


def labelled(rows: pl.DataFrame, index: pl.DataFrame) -> pl.DataFrame:
    """Return rows of frames with their `label`, null where the index knows none.

    Args:
        rows: with `frame_id`.
        index: rows of the index table, the only one that says what a frame's label is.
    """
    labels = index.select("frame_id", "label")
    return rows.join(labels, on="frame_id", how="left", maintain_order="left")


def notes(path: str | Path) -> dict[str, Any]:
    """Return what a table's file notes of the whole table, `stage` among it.

    Raises:
        DataError: there is no such file, or no stage wrote it.
    """
    try:  # by polars: a plan asks thousands, and Arrow takes many times as long for one
        found = json.loads(pl.read_parquet_metadata(path)["aacsfnet"])
    except (FileNotFoundError, KeyError, ValueError, *_DAMAGED):
        found = None
    if not isinstance(found, dict):
        raise DataError(f"{path}: no table that a stage wrote; run the stage again")
    return found
