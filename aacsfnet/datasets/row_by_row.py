"""Rows of a text table one after another, where something in it could be meant in two ways.

Comments, quotes, R's row names and repeated headers are understood here; what is ambiguous is
refused.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

from aacsfnet.datasets.dialect import DELIMITERS, Dialect
from aacsfnet.datasets.files import shorten
from aacsfnet.datasets.numerals import is_missing
from aacsfnet.datasets.tabular import MOST_ROWS, Columns, Rows, check_names, too_many_rows
from aacsfnet.errors import DataError

_WORDS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'", " ": "a blank"}


def _lines(text: str) -> Iterator[str]:
    r"""Yield the lines of a text with their ends; `io.StringIO` would hold it four bytes a letter.

    >>> list(_lines("a\r\n\rb"))
    ['a\r\n', '\r', 'b']
    """
    return (found[0] for found in re.finditer(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+", text))


class RowByRow:
    """Reads the rows of one text, one after another, and looks at each.

    Args:
        path: of its file, for what is said of it.
        dialect: how it is split.
        path_place: which of a header's columns holds files.
        wanted: whether a column is kept, by its name; None: all are.
    """

    def __init__(
        self,
        path: Path,
        dialect: Dialect,
        path_place: Callable[..., int | None],
        wanted: Callable[[str], bool] | None,
    ) -> None:
        self.path, self.dialect, self._path_place = path, dialect, path_place
        self._columns = Columns(wanted)
        self.names: list[str] = []
        self.remarks: Counter[str] = Counter()
        self._shift: bool | None = None  # R's row names lead each row, without a name of theirs
        self._parts: list[str] = []  # the lines of the row that is being read

    def read(self, text: str) -> Rows:
        """Return the text's rows.

        Raises:
            DataError: no header, a row with too many fields, a lost quote, too many rows.
        """
        dialect = self.dialect
        quoted = dialect.quote in text
        source = _lines(text)
        if dialect.wrapped:
            source = iter([(row or [""])[0] for row in csv.reader(source)])
            self.remarks[f"{self.path.name}: each line is one quoted field, unpacked"] = 1
        reader = csv.reader(
            self._watched(source) if quoted else source,
            delimiter=dialect.delimiter,
            quotechar=dialect.quote,
            skipinitialspace=dialect.delimiter != "\t",
        )
        rows = self._columns
        numbers: list[int] = []
        number = before = comments = again = 0
        header: list[str] = []
        wide = -1
        parts: list[str] = []
        try:
            for number, row in enumerate(reader, start=1):
                if quoted:
                    parts, self._parts = self._parts, []
                # Nearly all rows of most tables; what is odd goes the longer way below.
                if (
                    (len(row) == wide and (first := row[0]))
                    and (not quoted or (len(parts) == 1 and not parts[0].count(dialect.quote) % 2))
                    and (first[0] != "#" and first != header[0])
                    and (not self._shift and rows.count < MOST_ROWS)
                ):
                    numbers.append(number)
                    rows.append(row)
                    continue
                if not row or not any(row):
                    continue
                if not self.names:
                    if number <= dialect.header:
                        before += 1
                        continue
                    if dialect.commented:
                        row[0] = row[0].lstrip("# ")
                    header = row
                    if any("\n" in name and dialect.delimiter in name for name in row):
                        shown = shorten(parts[0].strip(), 60)
                        raise DataError(
                            f"{self.path.name} row {number}: a quote {dialect.quote} is lost in the"
                            f" header {shown!r}; close it or take it away"
                        )
                    self.names = check_names(self.path, row)
                    rows.name(self.names)
                    wide = len(row)
                    continue
                if row[0][:1] == "#" and not is_missing(row[0].strip()):
                    comments += 1
                    continue
                if quoted and any(dialect.quote in part for part in parts):
                    self._check_quotes(number, row, parts)
                if len(row) != len(self.names):
                    row = self._fitted(number, row, not rows.count)
                elif self._shift:
                    raise self._wrong(number, row, "rows before it had a row name more")
                elif row == header:
                    again += 1
                    continue
                if rows.count == MOST_ROWS:
                    raise too_many_rows(self.path)
                numbers.append(number)
                rows.append(row)
        except csv.Error as error:
            place = f"{self.path.name} row {number + 1}"
            raise DataError(f"{place}: {error}; is a quote missing?") from None
        if not self.names:
            raise DataError(f"{self.path}: empty; expected a header and one row a frame")
        for words, count in (
            ("lines before the header, not used", before),
            ("lines that start with #, read as comments", comments),
            ("rows that repeat the header, not used", again),
        ):
            if count:
                self.remarks[f"{self.path.name}: {words}"] = count
        return Rows(rows.all(), numbers, dialect.delimiter, dict(self.remarks))

    def _watched(self, source: Iterator[str]) -> Iterator[str]:
        for line in source:
            self._parts.append(line)
            yield line

    def _check_quotes(self, number: int, row: list[str], parts: list[str]) -> None:
        """Raise DataError where a lost quote has joined or swallowed fields.

        A field may hold line ends; several lines that are each as wide as the table are rows.
        """
        quote, delimiter, wide = self.dialect.quote, self.dialect.delimiter, len(self.names) - 1
        odd = sum(part.count(quote) for part in parts) % 2
        full = sum(part.count(delimiter) >= wide for part in parts)
        edged = any(name[:1] == quote or name[-1:] == quote for name in map(str.strip, row))
        joined = len(row) <= wide and parts[0].count(delimiter) >= wide
        if (
            (len(parts) > 1 and wide and (odd or full > 1))
            or (len(parts) == 1 and odd and (edged or len(row) <= wide))
            or joined
        ):
            swallowed = f" and swallows {len(parts) - 1} more rows" if full > 1 else ""
            raise DataError(
                f"{self.path.name} row {number}: a quote {quote} is lost or too much in"
                f" {shorten(parts[0].strip(), 60)!r}{swallowed}; close it or take it away"
            )

    def _fitted(self, number: int, row: list[str], first: bool) -> list[str]:
        """Return a row of another width than the header, as wide as the header at most."""
        wide = len(self.names)
        if len(row) == wide + 1 and (self._shift or (first and self._has_row_name(row))):
            if not self._shift:
                self.remarks[f"{self.path.name}: row names without a header, left out"] = 1
            self._shift = True
            return row[1:]
        if len(row) > wide:
            if any(row[wide:]):
                raise self._wrong(number, row, self._too_many(row))
            return row
        for other in DELIMITERS:
            inside = sum(name.count(other) for name in row)
            if other != self.dialect.delimiter and inside and inside + len(row) == wide:
                raise self._wrong(
                    number,
                    row,
                    f"it is split by {_WORDS[other]}, the header by"
                    f" {_WORDS[self.dialect.delimiter]}; use one of them",
                )
        return row

    def _has_row_name(self, row: list[str]) -> bool:
        """Return whether a first row leads with R's row name: then files stand one place on."""
        place = self._path_place(self.names)
        if place is None:
            return False
        suffix = re.compile(r".*\.[A-Za-z][A-Za-z0-9]{1,4}")
        named = place > 0 or row[0].strip().isdigit()
        return bool(
            named
            and suffix.fullmatch(row[place + 1].strip())
            and not suffix.fullmatch(row[place].strip())
        )

    def _too_many(self, row: list[str]) -> str:
        for one, two in pairwise(row):
            if self.dialect.delimiter == "," and one.strip().isdigit() and two.strip().isdigit():
                return (
                    f"is {one.strip()},{two.strip()} a decimal comma? put quotes round a field"
                    " that holds ',', or use ';' between fields"
                )
        return f"put quotes round a field that holds {self.dialect.delimiter!r}"

    def _wrong(self, number: int, row: list[str], why: str) -> DataError:
        return DataError(
            f"{self.path.name} row {number}: {len(row)} fields, the header names"
            f" {len(self.names)}; {why}"
        )
