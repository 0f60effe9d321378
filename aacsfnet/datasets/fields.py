"""What the fields of a user's table mean: labels, action units, names of sequences and frames."""

import math
import re
import unicodedata
from pathlib import PurePosixPath

from aacsfnet.datasets.base import Label, check_label
from aacsfnet.datasets.files import shorten
from aacsfnet.datasets.sheet import Sheet
from aacsfnet.datasets.videos import is_video
from aacsfnet.errors import DataError
from aacsfnet.facs import ACTION_UNITS, HIGHEST

KNOWN_COLUMNS = frozenset(
    {"path", "subject", "label", "sequence", "frame", "split", "sex", "age_group"}
)
_SEXES = {"f": "f", "female": "f", "w": "f", "woman": "f", "m": "m", "male": "m", "man": "m"}
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})


def text_of(sheet: Sheet, column: str, row: int) -> str:
    """Return an optional field; "" where the column lacks, or says that it knows nothing."""
    value = sheet.columns[column][row] if column in sheet.columns else ""
    return "" if value.lower() in _MISSING else value


def number_of(text: str, decimal_comma: bool = False) -> float | None:
    """Return a field's number, or None when it is none.

    >>> number_of("3,5", decimal_comma=True), number_of("1_0"), number_of("three")
    (3.5, None, None)
    """
    if "_" in text:  # Python's own reading of 1_0 is 10
        return None
    try:
        return float(text.replace(",", ".") if decimal_comma else text)
    except ValueError:
        return None


def label_of(sheet: Sheet, row: int, label: Label) -> tuple[float | None, str]:
    """Return a row's label, or None, and what is wrong with it, or ""."""
    text = sheet.columns["label"][row]
    value = number_of(text, sheet.decimal_comma)
    if value is None:
        wrong = f"label {shorten(text, 40)!r} is not a number" if text else "the label is empty"
        return None, wrong
    return None if math.isnan(value) else value, check_label(value, label)


def subject_of(text: str) -> str:
    """Return a subject's name in one Unicode form: a person typed in two forms stays one."""
    return unicodedata.normalize("NFC", text.strip())


def sex_of(text: str) -> str:
    """Return "f", "m", or "" for anything else."""
    return _SEXES.get(text.lower(), "")


def action_unit_columns(sheet: Sheet) -> dict[str, str]:
    """Return which columns hold which action units: `au04` -> `au4`.

    Raises:
        DataError: two columns hold the same one.
    """
    found: dict[str, str] = {}
    for column in sheet.columns:
        match = re.fullmatch(r"au0*([1-9][0-9]?)", column)
        unit = f"au{match[1]}" if match else ""
        if unit in found.values():
            raise DataError(f"{sheet.name}: two columns hold {unit}; keep one of them")
        if unit in ACTION_UNITS:
            found[column] = unit
    return found


def action_units_of(
    sheet: Sheet, row: int, columns: dict[str, str]
) -> tuple[dict[str, float], list[str]]:
    """Return a row's action units by name, without unknown ones, and notes."""
    values: dict[str, float] = {}
    notes: list[str] = []
    for column, unit in columns.items():
        text = sheet.columns[column][row]
        value = number_of(text, sheet.decimal_comma)
        if value is not None and 0 <= value <= HIGHEST[unit]:
            values[unit] = value
        elif text.lower() not in _MISSING:
            notes = ["bad_action_unit"]
    return values, notes


def sequence_of(sheet: Sheet, row: int) -> str:
    """Return a row's sequence.

    Without one in the table, the frames of a video belong together, numbered pictures do by
    folder, and pictures without numbers stand each alone.
    """
    if named := text_of(sheet, "sequence", row):
        return named
    path = _posix(sheet.columns["path"][row])
    if "frame" in sheet.columns and not is_video(path.name):
        return str(path.parent) if str(path.parent) != "." else "frames"
    return str(path.with_suffix("")) if path.name else "unnamed"


def frame_of(sheet: Sheet, row: int) -> str:
    """Return a row's frame, "" where the table gives none; `3.0` is 3, as spreadsheets write."""
    return re.sub(r"^([0-9]+)\.0+$", r"\1", text_of(sheet, "frame", row))


def stem_of(path: str) -> str:
    """Return the name of a file without folders and suffix."""
    return _posix(path).stem or "unnamed"


def _posix(path: str) -> PurePosixPath:
    return PurePosixPath(path.replace("\\", "/"))
