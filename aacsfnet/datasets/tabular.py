"""A user's table, text or not: what its columns are called, how large it may be, its fields."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aacsfnet.datasets.files import shorten
from aacsfnet.errors import DataError

#: A table of frames has a few dozen columns; one with more is something else.
_MOST_COLUMNS = 2_000

#: What the index takes of memory at a million rows is in docs/explanation/shards.md.
MOST_ROWS = 1_000_000

#: Rows that are turned into columns together.
_BLOCK = 8192

_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))


@dataclass
class Rows:
    """The fields of a text table."""

    columns: dict[str, list[str]]  # by name in small letters, stripped fields
    numbers: list[int]  # of each row as a spreadsheet counts
    delimiter: str
    remarks: dict[str, int] = field(default_factory=dict)


class Columns:
    """Fields row by row in, column by column out; a text that many rows repeat is held once.

    Args:
        wanted: whether a column is kept, by its name; None: all are.
    """

    def __init__(self, wanted: Callable[[str], bool] | None) -> None:
        self._wanted = wanted
        self._rows: list[list[str]] = []
        self._found: dict[str, list[str]] = {}
        self._places: dict[str, int] = {}
        self._known: dict[str, dict[str, str]] = {}
        self.count = 0

    def name(self, names: Sequence[str]) -> None:
        """Take the names of the header's columns, in order."""
        for place, name in enumerate(names):
            if self._wanted is None or self._wanted(name):
                self._places[name], self._found[name], self._known[name] = place, [], {}

    def append(self, row: list[str]) -> None:
        """Take one row; what it lacks at its end is ""."""
        self._rows.append(row)
        self.count += 1
        if len(self._rows) == _BLOCK:
            self._flush()

    def _flush(self) -> None:
        for name, place in self._places.items():
            texts = [row[place].strip() if place < len(row) else "" for row in self._rows]
            if (known := self._known.get(name)) is not None:
                texts = [known.setdefault(text, text) for text in texts]
                if 2 * len(known) > len(self._found[name]) + len(texts):
                    del self._known[name]  # nearly every row says something else
            self._found[name] += texts
        self._rows.clear()

    def all(self) -> dict[str, list[str]]:
        """Return the columns of all rows."""
        self._flush()
        return self._found


def too_many_rows(path: Path) -> DataError:
    """Return what is said of a table of more than `MOST_ROWS` rows."""
    return DataError(
        f"{path.name}: more than {MOST_ROWS} rows; take fewer frames, every fifth of a film, say"
    )


def tidy_name(name: str) -> str:
    r"""Return a column's name in small letters, single blanks between words.

    >>> tidy_name("\ufeffPath  of FILE ")
    'path of file'
    """
    return " ".join(name.translate(_INVISIBLE).split()).lower()


def check_names(path: Path, header: list[str]) -> list[str]:
    """Return a header's names, tidied.

    Raises:
        DataError: too many, no text, or one name twice.
    """
    names = [tidy_name(name) for name in header]
    if len(names) > _MOST_COLUMNS:
        raise DataError(
            f"{path.name}: {len(names)} columns, expected at most {_MOST_COLUMNS}; a table has one"
            " row a frame"
        )
    if any("\0" in name for name in names):
        raise DataError(
            f"{path.name}: the header holds NUL characters: no text, or UTF-16 without its mark;"
            " save the table as CSV UTF-8"
        )
    counts = Counter(name for name in names if name)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        shown = ", ".join(shorten(name, 40) for name in twice[:8])
        raise DataError(f"{path.name}: columns named twice: {shown}; rename one of each")
    return names
