"""Text tables in the habits of spreadsheets, R, pandas and annotation tools, split into rows."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from aacsfnet.datasets.files import shorten
from aacsfnet.datasets.numerals import is_missing
from aacsfnet.datasets.plain_rows import plain_columns
from aacsfnet.errors import DataError

#: Between fields; blanks count only where no other gives a header.
_DELIMITERS = (",", ";", "\t", "|")
_WORDS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'", " ": "a blank"}

#: Lines among which the header is looked for: exports put titles and settings before it.
_LONGEST_PREAMBLE = 60

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


@dataclass(frozen=True)
class _Form:
    """How a text is split."""

    delimiter: str
    quote: str = '"'
    header: int = 0  # lines before it
    wrapped: bool = False  # each line is one quoted field
    commented: bool = False  # the header is behind a `#`


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


def read_rows(
    path: Path,
    is_header: Callable[[Sequence[str]], bool],
    path_place: Callable[..., int | None],
    wanted: Callable[[str], bool] | None = None,
) -> Rows:
    """Return the rows of a text table.

    Args:
        path: `.tsv` is split at tabs, other names at what the header uses.
        is_header: whether names are those of a header; where no line is so, the first counts.
        path_place: which of a header's columns holds files, to tell R's row names from a field
            too many.
        wanted: whether a column, named in small letters, is kept; None: all are.

    Raises:
        DataError: no header, a row with too many fields, a lost quote, two ways to split.
    """
    text, remarks = decode(path.read_bytes(), path.name)
    text, told = _told_delimiter(text)
    if told:
        remarks[f"first line of {path.name}, sep={told!r}, followed and not counted"] = 1
    form = _form(text, told, path.suffix.lower() == ".tsv", is_header)
    found = _plain(path, form, text, wanted) or _Reader(path, form, path_place, wanted).read(text)
    found.remarks = remarks | found.remarks
    return found


def _plain(path: Path, form: _Form, text: str, wanted: Callable[[str], bool] | None) -> Rows | None:
    """Return the rows of a text in which nothing is odd, None of another."""
    head, _, body = text.partition("\n")
    if form.header or form.wrapped or form.commented or form.delimiter == " ":
        return None
    if form.quote in text or not body or not head.strip():
        return None
    count = body.count("\n") + (body[-1] != "\n")
    header = head.removesuffix("\r").split(form.delimiter)
    if len(header) < 2 or count > MOST_ROWS or head.find("\r", 0, -1) >= 0:
        return None
    names = check_names(path, header)
    keep = [wanted is None or wanted(name) for name in names]
    columns = plain_columns(body, form.delimiter, header, keep)
    if columns is None:
        return None
    found = {name: column for name, column, kept in zip(names, columns, keep, strict=True) if kept}
    return Rows(found, list(range(2, count + 2)), form.delimiter)


def too_many_rows(path: Path) -> DataError:
    """Return what is said of a table of more than `MOST_ROWS` rows."""
    return DataError(
        f"{path.name}: more than {MOST_ROWS} rows; take fewer frames, every fifth of a film, say"
    )


def decode(data: bytes, name: str) -> tuple[str, dict[str, int]]:
    """Return text from UTF-8 with or without BOM, UTF-16 with BOM, or Latin-1 line by line."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16"), {}
        except UnicodeDecodeError as error:
            raise DataError(f"{name}: not UTF-16 as its first bytes say: {error}") from None
    try:
        return data.decode("utf-8-sig"), {}
    except UnicodeDecodeError:
        pass
    lines, odd = [], 0
    for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            lines.append(line.decode("latin-1"))
            odd += 1
    return "\n".join(lines), {f"rows of {name} that are not UTF-8, read as Latin-1": odd}


def check_names(path: Path, header: list[str]) -> list[str]:
    """Return a header's names in small letters, single blanks between words.

    Raises:
        DataError: too many, no text, or one name twice.
    """
    names = [" ".join(name.translate(_INVISIBLE).split()).lower() for name in header]
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


def _told_delimiter(text: str) -> tuple[str, str]:
    r"""Return a text without a first line `sep=;`, which Excel writes and hides, and what it says.

    >>> _told_delimiter("sep=;\na;b\n")
    ('a;b\n', ';')
    """
    found = re.match(r'"?sep=([,;|\t])"?[,;|\t]*(\r\n|\r|\n)', text, re.IGNORECASE)
    return (text, "") if found is None else (text[found.end() :], found[1])


def _form(text: str, told: str, tabs: bool, is_header: Callable[[Sequence[str]], bool]) -> _Form:
    """Return how a text is split, and where its header stands."""
    source = io.StringIO(text[: 2**20], newline="")
    lines = [line.rstrip("\r\n") for line, _ in zip(source, range(_LONGEST_PREAMBLE), strict=False)]
    delimiters = [told] if told else [*_DELIMITERS, " "]
    if tabs and any("\t" in line for line in lines):
        delimiters = ["\t"]
    for commented in (False, True):
        for at, line in enumerate(lines):
            if not line.strip() or line.lstrip().startswith("#") != commented:
                continue
            bare = line.lstrip("# ") if commented else line
            forms = [
                (len(names), _Form(delimiter, quote, at, commented=commented))
                for delimiter in delimiters
                for quote in ('"', "'")
                if is_header(names := _split(bare, delimiter, quote))
            ]
            if forms:
                return max(forms, key=lambda pair: _rank(*pair))[1]
            whole = _split(bare, "\0", '"')[0]
            for delimiter in delimiters:
                if whole != bare.strip() and is_header(_split(whole, delimiter, '"')):
                    return _Form(delimiter, header=at, wrapped=True)
    first = next((line for line in lines if line.strip()), "")
    start = next((at for at, line in enumerate(lines) if line.strip()), 0)
    return _Form(max(delimiters[: len(_DELIMITERS)], key=first.count), header=start)


def _rank(columns: int, form: _Form) -> tuple[bool, int, bool]:
    return form.delimiter != " ", columns, form.quote == '"'


def _split(line: str, delimiter: str, quote: str) -> list[str]:
    if len(line) > 2**16 or "\0" in line:
        return [line]
    reader = csv.reader(
        [line], delimiter=delimiter, quotechar=quote, skipinitialspace=delimiter != "\t"
    )
    try:
        return [" ".join(name.translate(_INVISIBLE).split()).lower() for name in next(reader, [""])]
    except csv.Error:
        return [line]


def _lines(text: str) -> Iterator[str]:
    r"""Yield the lines of a text with their ends; `io.StringIO` would hold it four bytes a letter.

    >>> list(_lines("a\r\n\rb"))
    ['a\r\n', '\r', 'b']
    """
    return (found[0] for found in re.finditer(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+", text))


class _Reader:
    """Reads the rows of one text."""

    def __init__(
        self,
        path: Path,
        form: _Form,
        path_place: Callable[..., int | None],
        wanted: Callable[[str], bool] | None,
    ) -> None:
        self.path, self.form, self._path_place = path, form, path_place
        self._columns = Columns(wanted)
        self.names: list[str] = []
        self.remarks: Counter[str] = Counter()
        self._shift: bool | None = None  # R's row names lead each row, without a name of theirs
        self._parts: list[str] = []  # the lines of the row that is being read

    def read(self, text: str) -> Rows:
        form = self.form
        quoted = form.quote in text
        source = _lines(text)
        if form.wrapped:
            source = iter([(row or [""])[0] for row in csv.reader(source)])
            self.remarks[f"{self.path.name}: each line is one quoted field, unpacked"] = 1
        reader = csv.reader(
            self._watched(source) if quoted else source,
            delimiter=form.delimiter,
            quotechar=form.quote,
            skipinitialspace=form.delimiter != "\t",
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
                    and (not quoted or (len(parts) == 1 and not parts[0].count(form.quote) % 2))
                    and (first[0] != "#" and first != header[0])
                    and (not self._shift and rows.count < MOST_ROWS)
                ):
                    numbers.append(number)
                    rows.append(row)
                    continue
                if not row or not any(row):
                    continue
                if not self.names:
                    if number <= form.header:
                        before += 1
                        continue
                    if form.commented:
                        row[0] = row[0].lstrip("# ")
                    header = row
                    if any("\n" in name and form.delimiter in name for name in row):
                        shown = shorten(parts[0].strip(), 60)
                        raise DataError(
                            f"{self.path.name} row {number}: a quote {form.quote} is lost in the"
                            f" header {shown!r}; close it or take it away"
                        )
                    self.names = check_names(self.path, row)
                    rows.name(self.names)
                    wide = len(row)
                    continue
                if row[0][:1] == "#" and not is_missing(row[0].strip()):
                    comments += 1
                    continue
                if quoted and any(form.quote in part for part in parts):
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
        return Rows(rows.all(), numbers, form.delimiter, dict(self.remarks))

    def _watched(self, source: Iterator[str]) -> Iterator[str]:
        for line in source:
            self._parts.append(line)
            yield line

    def _check_quotes(self, number: int, row: list[str], parts: list[str]) -> None:
        """Raise DataError where a lost quote has joined or swallowed fields.

        A field may hold line ends; several lines that are each as wide as the table are rows.
        """
        quote, delimiter, wide = self.form.quote, self.form.delimiter, len(self.names) - 1
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
        for other in _DELIMITERS:
            inside = sum(name.count(other) for name in row)
            if other != self.form.delimiter and inside and inside + len(row) == wide:
                raise self._wrong(
                    number,
                    row,
                    f"it is split by {_WORDS[other]}, the header by"
                    f" {_WORDS[self.form.delimiter]}; use one of them",
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
            if self.form.delimiter == "," and one.strip().isdigit() and two.strip().isdigit():
                return (
                    f"is {one.strip()},{two.strip()} a decimal comma? put quotes round a field"
                    " that holds ',', or use ';' between fields"
                )
        return f"put quotes round a field that holds {self.form.delimiter!r}"

    def _wrong(self, number: int, row: list[str], why: str) -> DataError:
        return DataError(
            f"{self.path.name} row {number}: {len(row)} fields, the header names"
            f" {len(self.names)}; {why}"
        )
