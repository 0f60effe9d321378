"""A user's own frames: a CSV, TSV or Parquet table of `path, subject, label` and more.

Rows that cannot be used keep their place in the index with a status and a reason that names the
table's row. What makes the whole table useless (no label column, say) raises.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.config import Index
from aacsfnet.datasets.base import Dataset, Fault, Label, check_label, frame_id, natural_key
from aacsfnet.datasets.files import DataFolder, shorten
from aacsfnet.datasets.pictures import Header, PictureReader
from aacsfnet.datasets.sheet import Sheet, read_sheet
from aacsfnet.errors import DataError, SettingsError
from aacsfnet.table import ACTION_UNITS, SCHEMAS

_SEXES = {"f": "f", "female": "f", "w": "f", "woman": "f", "m": "m", "male": "m", "man": "m"}
_MISSING = {"", "na", "n/a", "nan", "null", "none"}


class Manifest(Dataset):
    """Frames named in a table."""

    def __init__(self, index: Index) -> None:
        settings = index.manifest
        if settings.file is None:
            raise SettingsError(
                "index.manifest.file: not given; with dataset: manifest, name your CSV table here"
            )
        self.file = settings.file
        self.label = Label(
            settings.label,
            settings.label_low,
            settings.label_high,
            "as the table's label column says",
        )
        self.folder = DataFolder(settings.root or settings.file.parent, index.further_roots)
        self.reader = PictureReader(self.folder, index.max_megapixels)
        self._remarks: dict[str, int] = {}

    def subjects(self) -> dict[str, int]:
        """Return the number of rows of each subject."""
        sheet = read_sheet(self.file, {"subject"})
        if "subject" not in sheet.columns or not sheet.numbers:
            self._checked(read_sheet(self.file))
        return dict(Counter(_same_name(subject) for subject in sheet.columns["subject"]))

    def index(self) -> pl.DataFrame:
        """Return one row a row of the table, in order of subject, sequence and position."""
        sheet = self._checked(read_sheet(self.file))
        rows = self._rows(sheet)
        _number(rows)
        schema = {name: kind for name, kind in SCHEMAS["index"].items() if name != "shard"}
        return pl.DataFrame(
            {name: [row.get(name) for row in rows] for name in schema}, schema=schema
        )

    def remarks(self) -> dict[str, int]:
        """Return what was odd about the table as a whole."""
        return self._remarks

    def pictures(self, rows: pl.DataFrame) -> Iterator[np.ndarray | Fault]:
        """Yield the frame of each row in order; rows that are not ok are not opened."""
        for path, status, reason in rows.select("path", "status", "reason").iter_rows():
            yield self.reader.read(path) if status == "ok" else Fault(status, reason)

    def _checked(self, sheet: Sheet) -> Sheet:
        """Return the table with its label column named `label`.

        Raises:
            DataError: a column is missing, or there is no row.
        """
        own_name = self.label.name.lower()
        if "label" not in sheet.columns and own_name in sheet.columns:
            sheet.columns["label"] = sheet.columns[own_name]
        for needed in ("path", "subject", "label"):
            if needed not in sheet.columns:
                found = ", ".join(shorten(name, 40) for name in sheet.columns) or "none"
                raise DataError(
                    f"{self.file}: no column {needed!r}; found {found}; rename or add it"
                )
        if not sheet.numbers:
            raise DataError(f"{self.file}: a header but no row; expected one row a frame")
        return sheet

    def _rows(self, sheet: Sheet) -> list[dict[str, Any]]:
        self._remarks = dict(sheet.remarks)
        units = _action_units(sheet)
        unknown = set(sheet.columns) - _KNOWN - set(units) - {"", self.label.name.lower()}
        self._remarks |= {f"unknown column {shorten(name, 40)!r}, not used": 1 for name in unknown}
        numbering = _sequences(sheet)
        seen: dict[str, int] = {}
        pictures: dict[str, int] = {}
        rows = []
        for i, given in enumerate(sheet.columns["path"]):
            path, real = self._found_path(given)
            sequence, frame = numbering[i]
            row: dict[str, Any] = {
                "subject": _same_name(sheet.columns["subject"][i]),
                "sequence": sequence,
                "frame": frame,
                "path": path,
                "sex": _SEXES.get(_optional(sheet, "sex", i).lower(), ""),
                "age_group": _optional(sheet, "age_group", i),
                "split": _optional(sheet, "split", i),
                "notes": [],
            }
            value, wrong_label = _label(sheet, i, self.label)
            row["label"] = value
            self._add_units(row, sheet, units, i)
            fault = _repeated(row, sheet, i, seen, (pictures, real)) or self._look(row)
            if fault is None and wrong_label:
                fault = Fault("bad_label", f"{wrong_label}; check the label column")
            row["status"] = fault.status if fault else "ok"
            row["reason"] = f"{sheet.at(i)}: {fault.reason}" if fault else ""
            rows.append(row)
        return rows

    def _found_path(self, path: str) -> tuple[str, str]:
        """Return a path as this machine writes it, and the real path ("" if there is no file).

        Windows separators and other Unicode forms are tried where the path itself leads nowhere.
        """
        posix = path.replace("\\", "/")
        forms = (unicodedata.normalize(form, posix) for form in ("NFC", "NFD"))
        for form in dict.fromkeys((path, posix, *forms)):
            if not isinstance(real := self.folder.locate(form), Fault):
                return form, real
        return posix, ""

    def _look(self, row: dict[str, Any]) -> Fault | None:
        """Return what is wrong with a row's subject or file; note what reading will even out."""
        if not row["subject"]:
            return Fault("bad_subject", "no subject is given; without one, folds would leak")
        if re.match(r"[A-Za-z]:/", row["path"]):
            shown = shorten(row["path"])
            return Fault("missing_file", f"{shown} is an absolute Windows path; make it relative")
        found: Header | Fault = self.reader.inspect(row["path"])
        if isinstance(found, Fault):
            return found
        row["notes"] += found.notes
        return None

    def _add_units(self, row: dict[str, Any], sheet: Sheet, units: dict[str, str], i: int) -> None:
        for column, unit in units.items():
            text = sheet.columns[column][i]
            value = _number_of(text, sheet.decimal_comma)
            highest = 1 if unit == "au43" else 5
            if value is not None and 0 <= value <= highest:
                row[unit] = value
            elif text.lower() not in _MISSING:
                row["notes"].append("bad_action_unit")


_KNOWN = {"path", "subject", "label", "sequence", "frame", "split", "sex", "age_group"}


def _action_units(sheet: Sheet) -> dict[str, str]:
    """Return which columns hold action units: `AU04` -> `au4`."""
    found: dict[str, str] = {}
    for column in sheet.columns:
        if match := re.fullmatch(r"au0*([1-9][0-9]?)", column):
            unit = f"au{match[1]}"
            if unit in found.values():
                raise DataError(f"{sheet.name}: two columns hold {unit}; keep one of them")
            if unit in ACTION_UNITS:
                found[column] = unit
    return found


def _optional(sheet: Sheet, column: str, row: int) -> str:
    value = sheet.columns[column][row] if column in sheet.columns else ""
    return "" if value.lower() in _MISSING else value


def _number_of(text: str, decimal_comma: bool) -> float | None:
    """Return a field's number; None: it is none."""
    try:
        # float() takes "1_0", which no table means as a number.
        return float(text.replace(",", ".") if decimal_comma else text) if "_" not in text else None
    except ValueError:
        return None


def _label(sheet: Sheet, row: int, label: Label) -> tuple[float | None, str]:
    """Return a row's label, or None, and what is wrong with it, or ''."""
    text = sheet.columns["label"][row]
    value = _number_of(text, sheet.decimal_comma)
    if value is None:
        return None, f"label {shorten(text, 40)!r} is no number" if text else "the label is empty"
    return None if math.isnan(value) else value, check_label(value, label)


def _same_name(subject: str) -> str:
    """Return a subject's name in one Unicode form: one person typed in two forms stays one."""
    return unicodedata.normalize("NFC", subject.strip())


def _sequences(sheet: Sheet) -> list[tuple[str, str]]:
    """Return each row's sequence and frame.

    Without a `sequence` column, frames with numbers belong together by folder, and pictures
    without numbers stand each alone. Without a `frame` column, a file's name is the frame.
    """
    has_sequence, has_frame = "sequence" in sheet.columns, "frame" in sheet.columns
    named = []
    for i, text in enumerate(sheet.columns["path"]):
        path = PurePosixPath(text.replace("\\", "/"))
        folder = str(path.parent) if path.name and str(path.parent) != "." else "frames"
        alone = folder if has_frame else str(path.with_suffix("")) if path.name else "unnamed"
        sequence = _optional(sheet, "sequence", i) if has_sequence else alone
        frame = _optional(sheet, "frame", i) if has_frame else ""
        named.append((sequence or alone, _plain_number(frame) or path.stem or "unnamed"))
    return named


def _plain_number(frame: str) -> str:
    """Return `3` for `3.0`, as spreadsheets write whole numbers in a column with gaps."""
    return re.sub(r"^([0-9]+)\.0+$", r"\1", frame)


def _repeated(
    row: dict[str, Any],
    sheet: Sheet,
    i: int,
    seen: dict[str, int],
    picture: tuple[dict[str, int], str],
) -> Fault | None:
    """Give a row its unique `frame_id`; return a fault if frame or picture were named before."""
    name = frame_id(row["subject"], row["sequence"], row.pop("frame"))
    first = seen.get(name)
    copy = 2
    row["frame_id"] = name
    while row["frame_id"] in seen:
        row["frame_id"] = f"{name}~{copy}"
        copy += 1
    seen[row["frame_id"]] = i
    if first is not None:
        return Fault("duplicate", f"the same frame as {sheet.at(first)}")
    pictures, real = picture
    if real and (owner := pictures.setdefault(real, i)) != i:
        return Fault("duplicate", f"the same picture as {sheet.at(owner)}")
    return None


def _number(rows: list[dict[str, Any]]) -> None:
    """Sort rows and give each its position in its sequence: by frame, numbers by value."""
    rows.sort(key=lambda row: (row["subject"], row["sequence"], natural_key(row["frame_id"])))
    position = -1
    before = None
    for row in rows:
        this = (row["subject"], row["sequence"])
        position = position + 1 if this == before else 0
        row["position"] = position
        before = this
