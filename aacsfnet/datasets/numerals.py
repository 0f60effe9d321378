"""Numbers as people and spreadsheets write them: decimal commas, thousands, words for nothing."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from aacsfnet.datasets.files import shorten

#: What people write where there is nothing to say, in small letters.
ABSENT = frozenset(
    {"", "na", "n/a", "n.a.", "null", "none", "nil", "<na>", "-", "--", "–", "—"}
    | {"?", "missing", "unknown"}
)
#: What tables write where nothing is known: what a computation without a result gives, too.
MISSING = ABSENT | frozenset(
    {"nan", "nat", "#n/a", "#nv", "#n/v", "#ref!", "#value!", "#name?"}
    | {"#div/0!", "#num!", "#null!", "#bezug!", "#wert!", "#zahl!", "#calc!", "#spill!"}
)

_GROUPED = r"[+-]?[1-9][0-9]{0,2}"
_PATTERNS = {
    "comma or thousands": rf"{_GROUPED},[0-9]{{3}}",
    "comma thousands": rf"{_GROUPED}((,[0-9]{{3}}){{2,}}|(,[0-9]{{3}})+\.[0-9]+)",
    "decimal comma": rf"[+-]?([0-9]*,[0-9]*([eE][+-]?[0-9]+)?|{_GROUPED}(\.[0-9]{{3}})+,[0-9]+)",
    "dot or thousands": rf"{_GROUPED}\.[0-9]{{3}}",
    "dot thousands": rf"{_GROUPED}(\.[0-9]{{3}}){{2,}}",
    "decimal dot": r"[+-]?[0-9]*\.[0-9]*([eE][+-]?[0-9]+)?",
}
_MONTHS = "(jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-zäé]*"
_DATE = re.compile(
    rf"[0-9]{{1,4}}[./-][0-9]{{1,2}}([./-][0-9]{{1,4}})?\.?([ T][0-9:.]+)?"
    rf"|[0-9]{{1,2}}[-. /]+{_MONTHS}\.?([-. /]+[0-9]{{2,4}})?|{_MONTHS}[-. /]+[0-9]{{1,4}}",
    re.IGNORECASE,
)
_DAY_AND_MONTH = re.compile(rf"[0-9]{{1,2}}[-. /]+{_MONTHS}\.?", re.IGNORECASE)


class DoubtfulNumberError(Exception):
    """A number that can be read two ways.

    Attributes:
        text: the number.
    """

    def __init__(self, text: str, why: str) -> None:
        digits = re.sub("[.,]", "", text)
        last = max(text.rfind(","), text.rfind("."))
        one = re.sub("[.,]", "", text[:last]) + "." + text[last + 1 :]
        super().__init__(
            f"{shorten(text, 40)!r} can be {one} or {digits} ({why}); write numbers with a decimal"
            " point and without thousands marks"
        )
        self.text = text


def is_missing(text: str) -> bool:
    """Return whether a field says that it knows nothing.

    >>> is_missing("N/A"), is_missing("#N/A"), is_missing("0")
    (True, True, False)
    """
    return text.lower() in MISSING or (text[:2] == "##" and not text.strip("#"))


def is_absent(text: str) -> bool:
    """Return whether a field was left empty, as it were; failed computations were not.

    >>> is_absent(""), is_absent("NA"), is_absent("NaN"), is_absent("#REF!")
    (True, True, False, False)
    """
    return text.lower() in ABSENT


def is_date(text: str) -> bool:
    """Return whether a field reads as a date that a spreadsheet made of something else.

    >>> is_date("1/2"), is_date("01. Mai"), is_date("1.2.2024"), is_date("1.2")
    (True, True, True, False)
    """
    return plain_number(text) is None and _DATE.fullmatch(text) is not None


def was_a_name(text: str) -> bool:
    """Return whether a spreadsheet has made a day or a rounded number of a name.

    >>> was_a_name("02-Jan"), was_a_name("1.23E+11"), was_a_name("jan-02")
    (True, True, False)
    """
    return bool(_DAY_AND_MONTH.fullmatch(text) or re.fullmatch(r"[0-9][.,]?[0-9]*E\+[0-9]+", text))


def plain_number(text: str) -> float | None:
    """Return a number with a decimal point, or None."""
    if "_" in text:  # Python's own reading of 1_0 is 10
        return None
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Numerals:
    """How the numbers of one column are written."""

    comma_is_decimal: bool = True

    def value(self, text: str) -> float | None:
        """Return a field's number, or None when it is none.

        >>> Numerals().value("3,5"), Numerals().value("1.234,5"), Numerals().value("1,234.5")
        (3.5, 1234.5, 1234.5)
        >>> Numerals(comma_is_decimal=False).value("1,500")
        1500.0
        """
        if "," in text:
            kinds = _kinds(text)
            if not kinds:
                return None
            if "decimal comma" in kinds or (
                self.comma_is_decimal and "comma or thousands" in kinds
            ):
                text = text.replace(".", "").replace(",", ".")
            else:
                text = text.replace(",", "")
        elif text.count(".") > 1 and "dot thousands" in _kinds(text):
            text = text.replace(".", "")
        return plain_number(text)


def _kinds(text: str) -> set[str]:
    """Return which ways of writing a number a text shows; the doubtful ones go first."""
    for kind, pattern in _PATTERNS.items():
        if re.fullmatch(pattern, text):
            return {kind}
    return set()


def numerals_of(texts: Iterable[str], comma_file: bool) -> Numerals:
    """Return how the numbers of a column are written.

    Args:
        texts: its fields.
        comma_file: whether commas separate the fields of the table, so that a comma inside one
            is no habit of the file.

    Raises:
        DoubtfulNumberError: one of them can be read two ways.

    >>> numerals_of(["0,5", "1,500"], True).value("1,500")
    1.5
    """
    marked = {text for text in texts if "," in text or "." in text}
    by_kind: dict[str, str] = {}
    for text in sorted(marked):
        for kind in _kinds(text):
            by_kind.setdefault(kind, text)
    decimal, thousands = by_kind.get("decimal comma"), by_kind.get("comma thousands")
    doubtful = by_kind.get("comma or thousands")
    if decimal and thousands:
        raise DoubtfulNumberError(thousands, f"another row says {decimal!r}")
    if doubtful and not decimal and (comma_file or by_kind.get("decimal dot")) and not thousands:
        raise DoubtfulNumberError(doubtful, "no other row tells")
    dotted = by_kind.get("dot or thousands") or by_kind.get("dot thousands")
    if dotted and decimal:
        raise DoubtfulNumberError(dotted, f"another row says {decimal!r}")
    return Numerals(comma_is_decimal=not thousands)
