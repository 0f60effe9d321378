"""What the fields of a user's table mean: labels, action units, names of sequences and frames."""

import re
import unicodedata
from contextlib import suppress
from decimal import Decimal
from pathlib import PurePosixPath

from aacsfnet.datasets.base import Label, check_label
from aacsfnet.datasets.containers import is_video
from aacsfnet.datasets.files import shorten
from aacsfnet.datasets.numerals import is_date, is_missing, was_a_name
from aacsfnet.datasets.sheet import Sheet
from aacsfnet.errors import DataError
from aacsfnet.facs import ACTION_UNITS, HIGHEST

KNOWN_COLUMNS = frozenset(
    {"path", "subject", "label", "sequence", "frame", "split", "sex", "age_group"}
)
_SEXES = {"f": "f", "female": "f", "w": "f", "woman": "f", "m": "m", "male": "m", "man": "m"}
_DASHES = dict.fromkeys(map(ord, "-_\u2010\u2011\u2012\u2013\u2014\u2212"), " ")


def text_of(sheet: Sheet, column: str, row: int) -> str:
    """Return an optional field; "" where the column lacks, or says that it knows nothing."""
    value = sheet.columns[column][row] if column in sheet.columns else ""
    return "" if is_missing(value) else value


def label_of(sheet: Sheet, row: int, label: Label) -> tuple[float | None, str]:
    """Return a row's label, or None, and what is wrong with it, or ""."""
    text = sheet.columns["label"][row]
    if not text:
        return None, "the label is empty"
    if is_missing(text):
        return None, f"{label.name} is NaN or missing ({shorten(text, 40)!r})"
    value = sheet.number("label", row)
    if value is None:
        return None, f"label {shorten(text, 40)!r} is not a number"
    return value, check_label(value, label)


def refuse_dates(sheet: Sheet) -> None:
    """Refuse labels that a spreadsheet has made dates of: others may have changed unseen.

    Raises:
        DataError: it names the row and what the field may have been.
    """
    labels = sheet.columns["label"]
    for text in sorted(set(labels)):
        if is_date(text):
            raise DataError(
                f"{sheet.at(labels.index(text))}: the label {shorten(text, 40)!r} can be a date"
                " that a spreadsheet made of a number, a fraction or a range; format the column"
                " as text or number and enter the labels again"
            )


def subject_of(text: str) -> str:
    """Return a subject's name in one Unicode form, "" for words that name nobody.

    A person typed in two forms stays one.
    """
    name = unicodedata.normalize("NFC", text.strip())
    return "" if is_missing(name) else name


def person_key(subject: str) -> str:
    """Return what two names have in common that are likely one person's.

    >>> person_key("07") == person_key("7.0"), person_key("Anna") == person_key("anna")
    (True, True)
    >>> person_key("s01") == person_key("S 1"), person_key("1_1") == person_key("11")
    (True, False)
    """
    name = unicodedata.normalize("NFKC", subject)
    with suppress(UnicodeError):
        name = name.encode("cp1252").decode("utf-8")  # UTF-8 that was once read as Latin-1
    name = unicodedata.normalize("NFKC", name).casefold().translate(_DASHES)
    kinds = {letter: unicodedata.category(letter) for letter in name}
    name = "".join(" " if kinds[a] == "Cc" else a for a in name if kinds[a] != "Cf")
    name = " ".join(name.split()).strip("'\"“”‘’` ") or name
    name = re.sub(r"^[0-9]{1,3}(,[0-9]{3})+$", lambda found: found[0].replace(",", ""), name)
    name = re.sub(r"^([0-9]+),0+$", r"\1", name)
    if re.fullmatch(r"[+-]?[0-9]{1,25}(\.[0-9]{0,25})?(e[+-]?[0-9]{1,2})?", name):
        return f"{Decimal(name).normalize():f}"
    name = re.sub(r"(?<=[^0-9]) | (?=[^0-9])", "", name)  # `s 1` is `s1`, but `1 1` is not `11`
    return re.sub(r"(?<![0-9.,])0+(?=[0-9])", "", name)


def refuse_doubtful_people(sheet: Sheet) -> None:
    """Refuse names that are likely one person's, and names that a spreadsheet has changed.

    Raises:
        DataError: it shows both forms, with a row of each.
    """
    subjects = sheet.columns["subject"]
    met: dict[str, str] = {}
    for text in dict.fromkeys(subjects):
        if not (name := subject_of(text)):
            continue
        if was_a_name(name):
            raise DataError(
                f"{sheet.at(subjects.index(text))}: the subject {shorten(name, 40)!r} can be a date"
                " or a rounded number that a spreadsheet made of a name; format the column as text"
                " and enter the names again"
            )
        other = met.setdefault(person_key(name), text)
        if subject_of(other) != name:
            where = sheet.both(subjects.index(other), subjects.index(text))
            raise DataError(
                f"{where}: the subjects {shorten(subject_of(other), 40)!r} and"
                f" {shorten(name, 40)!r} differ in case, blanks, zeros or the like only: one"
                " person or two? give one person one name, and two persons names that differ more"
            )


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
        unit = unit_of(column)
        if unit in found.values():
            raise DataError(f"{sheet.name}: two columns hold {unit}; keep one of them")
        if unit in ACTION_UNITS:
            found[column] = unit
    return found


def unit_of(column: str) -> str:
    """Return the action unit that a column's name names, "" for none.

    >>> unit_of("au04"), unit_of("aura")
    ('au4', '')
    """
    match = re.fullmatch(r"au0*([1-9][0-9]?)", column)
    return f"au{match[1]}" if match else ""


def action_units_of(
    sheet: Sheet, row: int, columns: dict[str, str]
) -> tuple[dict[str, float], list[str]]:
    """Return a row's action units by name, without unknown ones, and notes."""
    values: dict[str, float] = {}
    notes: list[str] = []
    for column, unit in columns.items():
        text = sheet.columns[column][row]
        value = sheet.number(column, row)
        if value is not None and 0 <= value <= HIGHEST[unit]:
            values[unit] = value
        elif not is_missing(text):
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
    text = text_of(sheet, "frame", row)
    return re.sub(r"^([0-9]+)\.0+$", r"\1", text) if "." in text else text


def stem_of(path: str) -> str:
    """Return the name of a file without folders and suffix."""
    return _posix(path).stem or "unnamed"


def _posix(path: str) -> PurePosixPath:
    return PurePosixPath(path.replace("\\", "/"))
