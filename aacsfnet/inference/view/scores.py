"""The rows that `aacsfnet predict` wrote for one film, read back from any of its formats."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from aacsfnet.datasets.files import as_text
from aacsfnet.datasets.sheet import Sheet, read_sheet
from aacsfnet.errors import DataError

#: Columns of the table that are shown, a column with parts as one a part; those that the table
#: lacks are null.
COLUMNS: dict[str, Any] = {
    "path": pl.String,
    "frame": pl.Int64,
    "time_s": pl.Float64,
    "face": pl.Int64,
    "status": pl.String,
    "reason": pl.String,
    **{f"box_{part}": pl.Float64 for part in ("left", "top", "right", "bottom")},
    "pose_roll": pl.Float64,
    "prediction": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "relative": pl.Float64,
    "abstained": pl.Boolean,
    "why": pl.String,
}
_NEEDED = ("path", "frame", "face", "status", "prediction")
_YES, _NO = {"true", "1", "yes"}, {"false", "0", "no", ""}


def read_scores(table: Path, video: Path) -> pl.DataFrame:
    """Return the rows of one film with the columns `COLUMNS`, in order of frames and faces.

    Rows of the very path are taken, else those of the only file of that name.

    Raises:
        DataError: this is no table of predictions, or it has no rows of the film or rows of
            several that it may be, or a face of a frame has two rows.
    """
    rows = _parquet(table) if table.suffix.lower() == ".parquet" else _text(table)
    paths = rows["path"].unique(maintain_order=True).to_list()
    meant = [path for path in paths if path == as_text(str(video))] or [
        path for path in paths if Path(path).name == as_text(video.name)
    ]
    if len(meant) != 1:
        found = f"several of its name ({', '.join(meant)})" if meant else "none"
        raise DataError(
            f"{table}: has rows of {', '.join(paths[:5]) or 'no file'}; of {video}: {found}"
        )
    own = rows.filter(pl.col("path") == meant[0], pl.col("frame").is_not_null())
    twice = own.filter(pl.struct("frame", "face").is_duplicated())
    if len(twice):
        frame, face = twice.row(0, named=True)["frame"], twice.row(0, named=True)["face"]
        raise DataError(f"{table}: frame {frame} has two rows of face {face}; predict once more")
    if own.is_empty():
        why = "; ".join(rows.filter(path=meant[0])["reason"].drop_nulls()) or "no row has a frame"
        raise DataError(f"{table}: nothing of {video} was scored ({why})")
    return own.sort("frame", "face")


def _checked(table: Path, found: Mapping[str, Any]) -> pl.DataFrame:
    if missing := [name for name in _NEEDED if name not in found]:
        raise DataError(
            f"{table}: lacks the columns {', '.join(missing)}; expected a table that `aacsfnet "
            "predict` wrote"
        )
    count = len(found["path"])
    return pl.DataFrame(
        {name: found.get(name, [None] * count) for name in COLUMNS}, schema=COLUMNS, strict=False
    )


def _parquet(table: Path) -> pl.DataFrame:
    try:
        read = pl.read_parquet(table)
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{table}: no such file; give a table of `aacsfnet predict`") from None
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{table}: not a Parquet table ({error})") from None
    structs = [name for name, kind in read.schema.items() if isinstance(kind, pl.Struct)]
    flat = read.with_columns(pl.col(structs).name.prefix_fields("")).unnest(*structs, separator="_")
    return _checked(table, {name: flat[name] for name in flat.columns if name in COLUMNS})


def _text(table: Path) -> pl.DataFrame:
    sheet = read_sheet(table, COLUMNS.__contains__)
    return _checked(table, {name: _column(sheet, name) for name in sheet.columns})


def _column(sheet: Sheet, name: str) -> list[Any]:
    texts, kind = sheet.columns[name], COLUMNS[name]
    if kind == pl.String:
        return [text or None for text in texts]
    if kind == pl.Boolean:
        return [_flag(sheet, row) for row in range(len(texts))]
    numbers = [sheet.number(name, row) if text else None for row, text in enumerate(texts)]
    for row, (text, value) in enumerate(zip(texts, numbers, strict=True)):
        if text and (value is None or (kind == pl.Int64 and value != int(value))):
            raise DataError(f"{sheet.at(row)}: {name} = {text!r} is no number of that kind")
    return (
        [None if each is None else int(each) for each in numbers] if kind == pl.Int64 else numbers
    )


def _flag(sheet: Sheet, row: int) -> bool:
    text = sheet.columns["abstained"][row].lower()
    if text not in _YES | _NO:
        raise DataError(f"{sheet.at(row)}: abstained = {text!r}; expected True or False")
    return text in _YES
