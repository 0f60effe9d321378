"""A file's table, and what its labels should be: by a second column, action units or a truth."""

from pathlib import Path

import numpy as np
import polars as pl

from aacsfnet.datasets.columns import path_place
from aacsfnet.datasets.fields import action_unit_columns, person_key, subject_of
from aacsfnet.datasets.sheet import Sheet, read_sheet
from aacsfnet.errors import DataError
from aacsfnet.evaluation.file_audit.arrays import Lengths, Loose, read_arrays
from aacsfnet.evaluation.file_audit.roles import Roles, is_header, roles_of
from aacsfnet.facs import pspi_if_known


def read_table(path: Path) -> tuple[Sheet, Loose, Lengths]:
    """Return a file's table: CSV, TSV and Parquet as a manifest is read, NPZ and MAT by arrays.

    Raises:
        DataError: there is no such file, or it cannot be read.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; give a CSV, TSV, Parquet, NPZ or MAT file")
    if path.suffix.lower() in (".npz", ".mat"):
        return read_arrays(path)
    if path.suffix.lower() in (".pkl", ".pickle", ".npy", ".pt", ".pth"):
        raise DataError(
            f"{path}: {path.suffix} can hold code or has no names of columns; save CSV, Parquet or"
            " NPZ with one named array a column"
        )
    return read_sheet(path, None, is_header, path_place), {}, {}


def numbers(sheet: Sheet, column: str | None) -> list[float | None]:
    """Return a column's numbers, null where a field holds none that is finite."""
    if column is None:
        return [None] * len(sheet.numbers)
    values = [sheet.number(column, row) for row in range(len(sheet.numbers))]
    return [value if value is not None and np.isfinite(value) else None for value in values]


def reference_of(sheet: Sheet, roles: Roles) -> tuple[list[float | None], list[bool], list[str]]:
    """Return what each label should be, where a second column or the action units tell."""
    count = len(sheet.numbers)
    if roles.reference:
        values = numbers(sheet, roles.reference)
        return values, [value is None for value in values], []
    units = action_unit_columns(sheet)
    if not units:
        return [None] * count, [False] * count, []
    read = {unit: numbers(sheet, column) for column, unit in units.items()}
    values, blank = [], []
    for row in range(count):
        known = {unit: value for unit, of in read.items() if (value := of[row]) is not None}
        values.append(pspi_if_known(known))
        blank.append(not known)
    if all(value is None for value in values):
        return values, [False] * count, []
    return values, blank, ["labels are checked by the PSPI of the action units"]


def with_truth(rows: pl.DataFrame, truth: Path) -> tuple[pl.DataFrame, list[str]]:
    """Return the rows with the true label of each frame, and the frames that are missing.

    Raises:
        DataError: the table names no frames, or none that is in the rows.
    """
    sheet, _, _ = read_table(truth)
    names = roles_of([*sheet.columns, "prediction"], {"prediction": "prediction"})
    frame, person = names.get("frame"), names.get("subject")
    if frame is None:
        raise DataError(f"{truth.name}: no column names the frame, by which labels are found")
    columns = {
        "frame": sheet.columns[frame],
        "true": numbers(sheet, names.get("label")),
        "known": [True] * len(sheet.numbers),
    }
    on = ["frame"]
    if person and (rows["person"] != "").all():
        columns["person"] = [person_key(subject_of(name)) for name in sheet.columns[person]]
        on.append("person")
    table = pl.DataFrame(columns, schema_overrides={"true": pl.Float64}).unique(on)
    joined = rows.join(table, on=on, how="left", maintain_order="left")
    if not joined["known"].any():
        raise DataError(
            f"{truth.name}: none of its frames is in the predictions; frames must have equal names"
        )
    absent = table.join(rows, on=on, how="anti", maintain_order="left")
    if "person" in on:
        absent = absent.filter(pl.col("person").is_in(rows["person"].unique().to_list()))
    checked = joined.with_columns(
        reference=pl.col("true"),
        reference_blank=pl.col("known").fill_null(False) & pl.col("true").is_null(),
    )
    return checked.drop("true", "known"), absent["frame"].to_list()
