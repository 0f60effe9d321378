"""Stretches of films that are left out: a table that the viewer's page saves and people may write.

| column | holds |
|---|---|
| `path` | the file, as in the table of predictions |
| `first_frame`, `last_frame` | both are left out, and all between; numbers as in that table |
| `first_s`, `last_s` | their times, seconds; may be empty, else they must be the film's |
| `note` | why, in words; may be empty |
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from aacsfnet.datasets.files import as_text
from aacsfnet.datasets.sheet import Sheet, read_sheet
from aacsfnet.errors import DataError

log = logging.getLogger(__name__)

COLUMNS = ("path", "first_frame", "last_frame", "first_s", "last_s", "note")
_NEEDED = COLUMNS[:3]
#: Times further apart than this are not those of one frame, seconds.
SAME_TIME = 2e-3


class Stretch(NamedTuple):
    """Frames that follow each other and are left out, the last one too.

    Attributes:
        path: of the file.
        first, last: numbers of frames.
        first_s, last_s: their times, seconds; None: not told.
        note: why; may be empty.
        where: the row of the list, for messages.
    """

    path: str
    first: int
    last: int
    first_s: float | None
    last_s: float | None
    note: str
    where: str


def read_stretches(path: Path) -> list[Stretch]:
    """Return the stretches that a table lists, in its order.

    Raises:
        DataError: there is no such table, a column is missing, or a row makes no sense.
    """
    sheet = read_sheet(path, lambda name: name in COLUMNS)
    if missing := [name for name in _NEEDED if name not in sheet.columns]:
        raise DataError(
            f"{path}: lacks the columns {', '.join(missing)}; expected {', '.join(COLUMNS)}, as "
            "the page of `aacsfnet view` saves them"
        )
    return [_stretch(sheet, row) for row in range(len(sheet.numbers))]


def _stretch(sheet: Sheet, row: int) -> Stretch:
    first, last = (_frame(sheet, row, name) for name in _NEEDED[1:])
    if first > last:
        raise DataError(f"{sheet.at(row)}: first_frame {first} is after last_frame {last}")
    if not (path := sheet.columns["path"][row]):
        raise DataError(f"{sheet.at(row)}: no path; it names the file, as predictions do")
    times = [
        sheet.number(name, row) if name in sheet.columns else None for name in ("first_s", "last_s")
    ]
    note = sheet.columns["note"][row] if "note" in sheet.columns else ""
    return Stretch(path, first, last, times[0], times[1], note, sheet.at(row))


def _frame(sheet: Sheet, row: int, name: str) -> int:
    text = sheet.columns[name][row]
    if not (text.isascii() and text.isdecimal()):
        raise DataError(f"{sheet.at(row)}: {name} = {text!r}; expected a frame's number, 0 or more")
    return int(text)


class Excluded:
    """Which frames of given files are left out.

    A path of the list means the file of that very path, else the only one of that name.

    Raises:
        DataError: a listed path means none of the files, or several.
    """

    def __init__(self, stretches: Iterable[Stretch], files: Iterable[Path]) -> None:
        names = [as_text(str(file)) for file in files]
        self._of: dict[str, list[Stretch]] = {}
        self._met: set[Stretch] = set()
        for stretch in stretches:
            meant = [name for name in names if name == stretch.path] or [
                name for name in names if Path(name).name == Path(stretch.path).name
            ]
            if len(meant) != 1:
                which, told = ("several", meant) if meant else ("none", names)
                more = ", …" if len(told) > 3 else ""
                raise DataError(
                    f"{stretch.where}: {stretch.path} is {which} of the files given"
                    f" ({', '.join(told[:3])}{more})"
                )
            self._of.setdefault(meant[0], []).append(stretch)

    def reason(self, path: str, frame: int | None, time_s: float | None) -> str | None:
        """Return why a frame is left out, None where it is not.

        Raises:
            DataError: the list gives a frame another time, so it was made for another film.
        """
        for stretch in self._of.get(path, ()):
            if frame is None or not stretch.first <= frame <= stretch.last:
                continue
            self._met.add(stretch)
            for number, listed in (
                (stretch.first, stretch.first_s),
                (stretch.last, stretch.last_s),
            ):
                if frame == number and None not in (listed, time_s):
                    _check_time(stretch, frame, listed, time_s)
            return f"left out: {stretch.note}" if stretch.note else "left out"
        return None

    def tell_unmet(self) -> None:
        """Warn of stretches that lie behind the end of their file."""
        for stretch in [each for of in self._of.values() for each in of]:
            if stretch not in self._met:
                log.warning("%s: %s has no frame %d", stretch.where, stretch.path, stretch.first)


def _check_time(stretch: Stretch, frame: int, listed: Any, found: Any) -> None:
    if abs(listed - found) > SAME_TIME:
        raise DataError(
            f"{stretch.where}: frame {frame} of {stretch.path} is at {listed:.3f} s there and at "
            f"{found:.3f} s in the film; the list was made for another film"
        )
