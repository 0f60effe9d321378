"""Tables of results, one form for the page, for CSV and for LaTeX."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aacsfnet.files import replacing

#: Text, a number, nothing known, or a figure as `metrics.json` holds it: value, low and high.
Cell = str | int | float | None | Mapping[str, Any]

_TEX = {
    **{letter: rf"\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "−": "$-$",
    "–": "--",
    "≥": r"$\geq$",
}
#: What a spreadsheet takes for a formula at the start of a field.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Table:
    """A table of results.

    Attributes:
        name: of its files.
        title: what it shows.
        head: names of the columns.
        rows: one cell a column.
        note: what the reader must know, "" for nothing.
    """

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""


def as_csv(table: Table) -> str:
    """Return a table as CSV; a figure with an interval takes three columns.

    >>> print(as_csv(Table("t", "", ["Who", "MAE"], [["a", {"value": 1.5, "low": 1, "high": 2}]])))
    Who,MAE,MAE low,MAE high
    a,1.5,1,2
    <BLANKLINE>
    """
    wide = [any(isinstance(row[at], Mapping) for row in table.rows) for at in range(_width(table))]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = zip(table.head, wide, strict=True)
    writer.writerow(
        [n for name, w in head for n in ([name, f"{name} low", f"{name} high"][: 3 if w else 1])]
    )
    for row in table.rows:
        fields: list[Any] = []
        for cell, is_wide in zip(row, wide, strict=True):
            if isinstance(cell, Mapping):
                fields += [cell["value"], cell["low"], cell["high"]]
            else:
                fields += [_plain(cell), *(["", ""] if is_wide else [])]
        writer.writerow(["" if field is None else field for field in fields])
    return text.getvalue()


def _width(table: Table) -> int:
    return len(table.head)


def _plain(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return cell


def as_tex(table: Table) -> str:
    r"""Return a table as a LaTeX tabular; it needs the package booktabs.

    >>> as_tex(Table("t", "", ["A"], [["50 %"], [None]])).splitlines()[6:8]
    ['50 \\% \\\\', '-- \\\\']
    """
    texts = all(isinstance(row[0], str) for row in table.rows)
    columns = ("l" if texts else "r") + "r" * (_width(table) - 1)
    lines = [f"% {' '.join(table.title.split())}", r"% \usepackage{booktabs}"]
    lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _tex_row(table.head), r"\midrule"]
    lines += [_tex_row(row) for row in table.rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _tex_row(cells: Iterable[Cell]) -> str:
    return " & ".join("".join(_TEX.get(c, c) for c in shown(cell)) for cell in cells) + r" \\"


def shown(cell: Cell) -> str:
    """Return a cell as it is read: three digits, an interval in brackets, unknown as a dash.

    >>> shown({"value": 0.5, "low": 0.25, "high": 0.75}), shown(None), shown(12)
    ('0.500 [0.250, 0.750]', '–', '12')
    """
    if cell is None:
        return "–"
    if isinstance(cell, Mapping):
        if cell["low"] is None:
            return shown(cell["value"])
        return f"{shown(cell['value'])} [{shown(cell['low'])}, {shown(cell['high'])}]"
    return f"{cell:.3f}".replace("-", "−") if isinstance(cell, float) else str(cell)


def as_text(table: Table) -> str:
    """Return a table for a terminal: columns apart by two blanks.

    >>> print(as_text(Table("t", "Who", ["Name", "MAE"], [["a", 1.25], ["long", None]])))
    Who
    Name    MAE
    a     1.250
    long      –
    """
    rows = [list(table.head), *([shown(cell) for cell in row] for row in table.rows)]
    wide = [max(len(row[at]) for row in rows) for at in range(_width(table))]
    texts = [
        all(isinstance(row[at], str) for row in table.rows) and bool(table.rows)
        for at in range(_width(table))
    ]
    lines = [
        "  ".join(
            cell.ljust(width) if is_text else cell.rjust(width)
            for cell, width, is_text in zip(row, wide, texts, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join([table.title, *lines])


def write_tables(tables: Iterable[Table], folder: Path) -> None:
    """Write each table as CSV and as LaTeX, and remove those of before that are no more."""
    written = set()
    for table in tables:
        for suffix, text in ((".csv", as_csv(table)), (".tex", as_tex(table))):
            path = folder / f"{table.name}{suffix}"
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
            written.add(path)
    remove_others(folder, written, (".csv", ".tex"))


def remove_others(folder: Path, written: set[Path], suffixes: Sequence[str]) -> None:
    """Remove a folder's files of some kinds that were not written now."""
    if folder.is_dir():
        for path in folder.iterdir():
            if path.suffix in suffixes and path not in written:
                path.unlink()
