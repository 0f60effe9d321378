"""When the label of a table's row holds: what its columns of times say, in seconds.

A row has a time, from which on its label holds, or a start and a stop (or duration); the stop no
longer belongs to it. Times are seconds, or `mm:ss`, or `hh:mm:ss.mmm`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aacsfnet.datasets.columns import TimeColumn, bounds, time_column
from aacsfnet.datasets.files import shorten
from aacsfnet.datasets.numerals import Numerals, is_missing
from aacsfnet.datasets.sheet import Sheet
from aacsfnet.errors import DataError

#: Steps below this are no seconds: a spreadsheet keeps times as fractions of a day.
SHORTEST = 9e-4

_CLOCK = re.compile(r"(?:([0-9]+):)?([0-9]+):([0-9]{1,2}(?:[.,][0-9]+)?)")
_NUMBER = re.compile(r"([0-9.,+eE-]+) ?(s|sec|ms|msec|min)?")
_STARTS = frozenset({"start", "state start", "begin", "on"})
_STOPS = frozenset({"stop", "state stop", "end", "off"})


def seconds_of(text: str, unit: float, numerals: Numerals) -> float | None:
    """Return a time in seconds, or None when it is none.

    Args:
        text: a number, or a clock's form.
        unit: seconds in one of what a bare number counts.
        numerals: how the column writes numbers.

    >>> [seconds_of(text, 1.0, Numerals()) for text in ("1.5", "01:30", "00:01:30.250", "250 ms")]
    [1.5, 90.0, 90.25, 0.25]
    >>> seconds_of("00:00:01:12", 1.0, Numerals()) is None
    True
    """
    if (found := _CLOCK.fullmatch(text)) is not None:
        hours, minutes, seconds = found[1] or "0", found[2], float(found[3].replace(",", "."))
        if seconds >= 60 or (found[1] and int(minutes) >= 60):
            return None
        return int(hours) * 3600 + int(minutes) * 60 + seconds
    if (found := _NUMBER.fullmatch(text)) is None:
        return None
    if found[2]:
        unit = {"ms": 1e-3, "msec": 1e-3, "min": 60.0}.get(found[2], 1.0)
    value = numerals.value(found[1])
    if value is None or not 0 <= value < 1e9:
        return None
    return value * unit


@dataclass(frozen=True)
class RowTimes:
    """The times of one row, seconds.

    Attributes:
        row: of the table.
        start: from when on its label holds.
        stop: until when; None where the row does not say.
        event: "start" or "stop" where it tells only that a label starts or stops, else "".
    """

    row: int
    start: float
    stop: float | None
    event: str


class Times:
    """The columns of times in a table."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        found = [column for name in sheet.columns if (column := time_column(name)) is not None]
        self._roles: dict[str, list[TimeColumn]] = {}
        for column in found:
            self._roles.setdefault(column.role, []).append(column)
        # What bounds a label without saying from when on, in seconds.
        self._lone = [column.name for column in self._roles.pop("frames", [])]
        known = {column.name for column in found}
        self._lone += bounds([name for name in sheet.columns if name not in known])
        if "start" in self._roles:
            self._roles.pop("time", None)
        elif "time" not in self._roles:
            self._lone += [column.name for column in self._roles.get("stop", [])]
            self._roles = {}
        self._timing = [
            column.name
            for role, columns in self._roles.items()
            for column in columns
            if role != "event"
        ]
        self.columns = [column.name for columns in self._roles.values() for column in columns]

    def has(self, row: int) -> bool:
        """Return whether a row says when its label holds."""
        return any(not is_missing(self.sheet.columns[name][row]) for name in self._timing)

    def refuse_lone(self, row: int) -> None:
        """Refuse a row of a whole video that bounds its label in a way that is not understood.

        Raises:
            DataError: it names the column.
        """
        for name in self._lone:
            text = self.sheet.columns[name][row]
            if seconds_of(text, 1.0, Numerals()) is not None:
                raise DataError(
                    f"{self.sheet.at(row)}: {name} {shorten(text, 40)!r} bounds the label of"
                    " a video, but from when to when in seconds is not said; give the columns start"
                    " and stop in seconds, or frame, one row a frame"
                )

    def of(self, row: int) -> RowTimes:
        """Return the times of a row.

        Raises:
            DataError: one is missing or no time, or they contradict each other.
        """
        start = self._seconds("start" if "start" in self._roles else "time", row)
        if start is None:
            raise DataError(f"{self.sheet.at(row)}: no start, where other times are given")
        stop = self._seconds("stop", row)
        duration = self._seconds("duration", row)
        if stop is not None and stop < start:
            raise DataError(
                f"{self.sheet.at(row)}: stops at {stop:g} s, before it starts at {start:g} s"
            )
        if duration is not None:
            if stop is not None and abs(start + duration - stop) > 0.01 + 0.01 * duration:
                raise DataError(
                    f"{self.sheet.at(row)}: starts at {start:g} s and stops at {stop:g} s, but the"
                    f" duration says {duration:g} s; are the units the same?"
                )
            stop = start + duration if stop is None else stop
        if stop is None and {"stop", "duration"} & self._roles.keys() and not self._event(row):
            raise DataError(f"{self.sheet.at(row)}: a start but no stop; fill it in")
        if stop is not None and stop - start < SHORTEST and not self._event(row):
            raise DataError(
                f"{self.sheet.at(row)}: from {start:g} to {stop:g} s is shorter than a millisecond:"
                " a moment, a stop that is missing, or fractions of a day? give seconds, and a stop"
                " after the start"
            )
        return RowTimes(row, start, stop, self._event(row))

    def _event(self, row: int) -> str:
        for column in self._roles.get("event", ()):
            word = " ".join(self.sheet.columns[column.name][row].lower().split())
            if word in _STARTS or word in _STOPS:
                return "start" if word in _STARTS else "stop"
            if word in ("point", "state point"):
                raise DataError(
                    f"{self.sheet.at(row)}: an event at one moment ({word!r}) labels no frames;"
                    " give a start and a stop"
                )
        return ""

    def _seconds(self, role: str, row: int) -> float | None:
        """Return a row's time in a role; several columns of one role must say the same.

        The first that tells parts of a second counts: some exports hold whole seconds beside them.
        """
        if role not in self._roles:
            return None
        found: list[tuple[str, float, bool]] = []
        for column in self._roles[role]:
            text = self.sheet.columns[column.name][row]
            if is_missing(text):
                continue
            value = seconds_of(text, column.unit, self.sheet.numerals(column.name))
            if value is None:
                raise DataError(
                    f"{self.sheet.at(row)}: {column.name} {shorten(text, 40)!r} is neither seconds"
                    " nor mm:ss nor hh:mm:ss.mmm"
                )
            whole = value == int(value)
            for name, other, also_whole in found:
                if abs(value - other) >= (1.0 if whole or also_whole else 0.05):
                    raise DataError(
                        f"{self.sheet.at(row)}: {name!r} is {other:g} s and {column.name!r} is"
                        f" {value:g} s; keep one of the two columns"
                    )
            found.append((column.name, value, whole))
        return min(found, key=lambda each: each[2])[1] if found else None

    def refuse_mixed_forms(self, rows: Sequence[int]) -> None:
        """Refuse a column that holds `1:30` and `1.30`: the latter may be seconds or minutes.

        Raises:
            DataError: it names the row.
        """
        for name in self.columns:
            fields = [(row, self.sheet.columns[name][row]) for row in rows]
            if not any(":" in text for _, text in fields):
                continue
            for row, text in fields:
                if ":" not in text and re.search("[1-9]", text) and re.search("[.,]", text):
                    raise DataError(
                        f"{self.sheet.at(row)}: {name} {shorten(text, 40)!r} can be seconds, or"
                        " minutes and seconds as in other rows; write all times in one form"
                    )
