"""Which column of a user's table is which, where tools call them otherwise or write two of them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aacsfnet.datasets.files import shorten
from aacsfnet.datasets.numerals import is_missing, plain_number
from aacsfnet.datasets.sheet import Sheet
from aacsfnet.errors import DataError

#: Names of the column `path` in exports of other tools, in small letters, words apart by blanks.
_PATHS = frozenset(
    {
        "path",
        "pfad",
        "datei",
        "dateiname",
        "bild",
        "file",
        "filename",
        "file name",
        "filepath",
        "file path",
        "files",
        "file names",
    }
    | {"picture", "picture path", "picture file", "photo", "frame path", "img"}
    | {"image", "image path", "image file", "image name"}
    | {"video", "video path", "video file", "video name", "clip"}
    | {"media", "media file", "media path", "media file path", "media file name"}
)
SUBJECT = re.compile(
    "(subject|subj|participant|person|patient|proband|vp)s?"
    " ?(id|no|nr|num|number|name|code|[0-9]+|x|y)?|[ps]id"
)
#: How pandas, R and joins tell two columns of one name apart: `label.1`, `label_x`, `label 2`.
_SECOND = re.compile(" ?([0-9]+|x|y)")

_TIMES = {
    "time": {"time", "timestamp", "time stamp", "timecode", "time code", "t", "video time"}
    | {"media time", "time relative", "zeit", "elapsed", "elapsed time"}
    | {"frame time", "tc"},
    "start": {"start", "start time", "time start", "begin", "begin time", "onset", "onset time"}
    | {
        "from",
        "starttime",
        "begintime",
        "t start",
        "tmin",
        "xmin",
        "anfang",
        "beginn",
        "von",
        "in",
    },
    "stop": {"stop", "stop time", "end", "end time", "time end", "time stop", "offset"}
    | {"offset time", "to", "until", "endtime", "stoptime", "t end", "tmax", "xmax", "ende"}
    | {"bis", "out"},
    "duration": {"duration", "dauer"},
    # Numbers of frames from and to; nobody has said at which rate they were counted.
    "frames": {
        f"{one} {other}"
        for first in ("start", "stop", "begin", "end", "first", "last", "onset", "offset")
        for one, other in ((first, "frame"), ("frame", first))
    },
    "event": {"event type", "status", "behavior type", "behaviour type"},
}
#: Words beside those that change nothing: `interval_start`, `start timestamp`.
_BESIDE = frozenset(
    {"interval", "segment", "label", "event", "annotation", "episode", "bout", "timestamp", "time"}
)
_BOUNDS = ({"start", "begin", "onset"}, {"stop", "end", "offset"})

#: Seconds in a unit that a header names; a clock's form needs none.
_UNITS = {
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "ss msec", "sf"), 1.0),
    **dict.fromkeys(("min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("hh:mm:ss ms", "hh:mm:ss", "hh:mm:ss mmm", "hh:mm:ss sss", "mm:ss"), 1.0),
    "hms": 1.0,
}


@dataclass(frozen=True)
class TimeColumn:
    """A column of times."""

    name: str
    role: str  # time, start, stop, duration, event, frames
    unit: float  # seconds in one of what bare numbers count


def time_column(name: str) -> TimeColumn | None:
    """Return what a column of times says, or None for another column.

    >>> time_column("Begin Time - msec")
    TimeColumn(name='Begin Time - msec', role='start', unit=0.001)
    """
    words = words_of(name)
    unit = 1.0
    for word in sorted(_UNITS, key=len, reverse=True):
        if words == word:
            words, unit = "time", _UNITS[word]
            break
        if words.endswith(f" {word}") and words not in _TIMES["time"]:
            words, unit = words.removesuffix(word).strip(), _UNITS[word]
            break
    if found := re.fullmatch("(start|begin|onset|stop|end|offset|time)(sec|msec|ms|s)", words):
        words, unit = found[1], _UNITS[found[2]]
    bare = " ".join(word for word in words.split() if word not in _BESIDE)
    role = next((role for role, names in _TIMES.items() if words in names), None)
    if role is None and bare:
        role = next((role for role in ("start", "stop") if bare in _TIMES[role]), None)
    return None if role is None else TimeColumn(name, role, unit)


def bounds(names: Iterable[str]) -> list[str]:
    """Return columns that seem to bound something, where there is a start and a stop among them.

    >>> bounds(["path", "pain start", "pain end", "weekend"])
    ['pain start', 'pain end']
    """
    found = [[name for name in names if word & {*words_of(name).split()}] for word in _BOUNDS]
    return found[0] + found[1] if all(found) else []


def is_needed(name: str, own_label: str) -> bool:
    """Return whether a plan of the run depends on a column."""
    words = words_of(name)
    return (
        name in ("label", own_label, "frame", "split")
        or words in _PATHS
        or SUBJECT.fullmatch(words) is not None
        or time_column(name) is not None
        or any(word & {*words.split()} for word in _BOUNDS)
        or any(_is_second(name, first) for first in ("label", own_label))
    )


def is_header(names: Sequence[str]) -> bool:
    """Return whether a row of a table is its header: a path, and whose it is or its label."""
    words = {words_of(name) for name in names}
    return bool(words & _PATHS) and any(
        word in ("label", "pspi") or SUBJECT.fullmatch(word) for word in words
    )


def path_place(names: Sequence[str]) -> int | None:
    """Return the place of the column of paths in a header."""
    if "path" in names:
        return names.index("path")
    return next((i for i, name in enumerate(names) if words_of(name) in _PATHS), None)


def settle(sheet: Sheet, own_label: str) -> None:
    """Name a table's columns `path`, `subject` and `label`, whatever a tool called them.

    Args:
        sheet: changed: columns renamed, and each remarked.
        own_label: the label's name in the settings, in small letters.

    Raises:
        DataError: two columns could each be the one, and say different things.
    """
    for column, others in (
        ("path", [name for name in sheet.columns if words_of(name) in _PATHS]),
        ("subject", [name for name in sheet.columns if SUBJECT.fullmatch(words_of(name))]),
    ):
        if column in sheet.columns or not others:
            continue
        for other in others[1:]:
            _same(sheet, column, others[0], other)
        sheet.columns[column] = sheet.columns.pop(others[0])
        sheet.remarks[f"column {shorten(others[0], 40)!r}, read as {column!r}"] = 1
    if "subject" in sheet.columns:
        for other in [*sheet.columns]:
            if other != "subject" and SUBJECT.fullmatch(words_of(other)):
                _same_people(sheet, other)
    labels = [name for name in (own_label, "label") if name in sheet.columns]
    labels += [
        name
        for name in sheet.columns
        if any(_is_second(name, first) for first in labels) and name not in labels
    ]
    for other in labels[1:]:
        _same(sheet, "label", labels[0], other)
    if labels and "label" not in sheet.columns:
        sheet.columns["label"] = sheet.columns[labels[0]]


def _same(sheet: Sheet, column: str, one: str, other: str) -> None:
    """Raise DataError where two columns that could each be the wanted one differ."""
    first, second = sheet.columns[one], sheet.columns[other]
    differing = {
        pair for pair in set(zip(first, second, strict=True)) if not _equal(pair[0], pair[1])
    }
    if differing:
        row = next(i for i, p in enumerate(zip(first, second, strict=True)) if p in differing)
        raise DataError(
            f"{sheet.at(row)}: the columns {one!r} and {other!r} could each be the {column}, and"
            f" say {shorten(first[row], 40)!r} and {shorten(second[row], 40)!r}; rename or remove"
            " the one that is not meant"
        )


def _equal(one: str, other: str) -> bool:
    if one == other or (is_missing(one) and is_missing(other)):
        return True
    return (number := plain_number(one)) is not None and number == plain_number(other)


def _same_people(sheet: Sheet, other: str) -> None:
    """Raise DataError where `subject` and another column of people draw different borders."""
    subjects, others = sheet.columns["subject"], sheet.columns[other]
    pairs = [
        pair
        for pair in dict.fromkeys(zip(subjects, others, strict=True))
        if not is_missing(pair[0]) and not is_missing(pair[1])
    ]
    for side in (0, 1):
        met: dict[str, tuple[str, str]] = {}
        for pair in pairs:
            if (before := met.setdefault(pair[side], pair)) != pair:
                rows = [*zip(subjects, others, strict=True)]
                first, second = rows.index(before), rows.index(pair)
                shown = [repr(shorten(text, 40)) for text in (*before, *pair)]
                raise DataError(
                    f"{sheet.at(first)} and row {sheet.numbers[second]}: the columns 'subject'"
                    f" ({shown[0]}, {shown[2]}) and {other!r} ({shown[1]}, {shown[3]}) could each"
                    " be the person, and differ in who is one; rename or remove the one that is"
                    " not meant, or people leak between folds"
                )


def _is_second(name: str, first: str) -> bool:
    words, base = words_of(name), words_of(first)
    return words.startswith(base) and _SECOND.fullmatch(words[len(base) :]) is not None


def words_of(name: str) -> str:
    """Return a column's name in small letters, with its words apart by single blanks."""
    return " ".join(re.sub(r"[\s_.()\[\]-]+", " ", name.lower()).split())


def lacking(needed: str, names: Sequence[str]) -> str:
    """Return what is said of a table that lacks a column, with its likely cause.

    >>> lacking("path", ["a.png", "s1", "0"])
    "no column 'path'; found a.png, s1, 0; its first row looks like data: add a header"
    """
    found = ", ".join(shorten(name, 40) for name in names[:20]) or "none"
    advice = "rename or add it"
    if any(
        plain_number(name) is not None or re.search(r"\.[a-z0-9]{3,4}$", name) for name in names
    ):
        advice = "its first row looks like data: add a header"
    elif any(needed in re.split(r"[\s,;|]+", name) and name != needed for name in names):
        advice = "are the names parted by two different signs? use one"
    return f"no column {needed!r}; found {found}; {advice}"
