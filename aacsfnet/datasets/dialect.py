"""How a text table is written: its encoding, delimiter and quotes, and where its header stands.

Spreadsheets, R, pandas and annotation tools differ in all of it.
"""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aacsfnet.datasets.tabular import tidy_name
from aacsfnet.errors import DataError

#: Between fields; blanks count only where no other gives a header.
DELIMITERS = (",", ";", "\t", "|")

#: Lines among which the header is looked for: exports put titles and settings before it.
_LONGEST_PREAMBLE = 60


#: What files begin with that are no text, whatever they are called.
_NO_TEXT = {
    b"PK\x03\x04": "a spreadsheet or a ZIP archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet of old Excel",
    b"\x1f\x8b": "compressed by gzip",
    b"PAR1": "a Parquet table without the suffix .parquet",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True)
class Dialect:
    """How a text is split into fields, and where its header stands."""

    delimiter: str
    quote: str = '"'
    header: int = 0  # lines before it
    wrapped: bool = False  # each line is one quoted field
    commented: bool = False  # the header is behind a `#`


def decode(data: bytes, name: str) -> tuple[str, dict[str, int]]:
    """Return text from UTF-8 with or without BOM, UTF-16 with BOM, or Latin-1 line by line.

    Raises:
        DataError: the bytes are not text.
    """
    for start, what in _NO_TEXT.items():
        if data.startswith(start):
            raise DataError(f"{name}: no text but {what}; save the table as CSV UTF-8")
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


def told_delimiter(text: str) -> tuple[str, str]:
    r"""Return a text without a first line `sep=;`, which Excel writes and hides, and what it says.

    >>> told_delimiter("sep=;\na;b\n")
    ('a;b\n', ';')
    """
    found = re.match(r'"?sep=([,;|\t])"?[,;|\t]*(\r\n|\r|\n)', text, re.IGNORECASE)
    return (text, "") if found is None else (text[found.end() :], found[1])


def dialect_of(
    text: str, told: str, tabs: bool, is_header: Callable[[Sequence[str]], bool]
) -> Dialect:
    """Return how a text is split, and where its header stands."""
    source = io.StringIO(text[: 2**20], newline="")
    lines = [line.rstrip("\r\n") for line, _ in zip(source, range(_LONGEST_PREAMBLE), strict=False)]
    delimiters = [told] if told else [*DELIMITERS, " "]
    if tabs and any("\t" in line for line in lines):
        delimiters = ["\t"]
    for commented in (False, True):
        for at, line in enumerate(lines):
            if not line.strip() or line.lstrip().startswith("#") != commented:
                continue
            bare = line.lstrip("# ") if commented else line
            dialects = [
                (len(names), Dialect(delimiter, quote, at, commented=commented))
                for delimiter in delimiters
                for quote in ('"', "'")
                if is_header(names := _split(bare, delimiter, quote))
            ]
            if dialects:
                return max(dialects, key=lambda pair: _rank(*pair))[1]
            whole = _split(bare, "\0", '"')[0]
            for delimiter in delimiters:
                if whole != bare.strip() and is_header(_split(whole, delimiter, '"')):
                    return Dialect(delimiter, header=at, wrapped=True)
    first = next((line for line in lines if line.strip()), "")
    start = next((at for at, line in enumerate(lines) if line.strip()), 0)
    return Dialect(max(delimiters[: len(DELIMITERS)], key=first.count), header=start)


def _rank(columns: int, dialect: Dialect) -> tuple[bool, int, bool]:
    return dialect.delimiter != " ", columns, dialect.quote == '"'


def _split(line: str, delimiter: str, quote: str) -> list[str]:
    if len(line) > 2**16 or "\0" in line:
        return [line]
    reader = csv.reader(
        [line], delimiter=delimiter, quotechar=quote, skipinitialspace=delimiter != "\t"
    )
    try:
        return [tidy_name(name) for name in next(reader, [""])]
    except csv.Error:
        return [line]
