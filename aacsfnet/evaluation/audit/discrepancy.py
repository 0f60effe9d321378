"""What an audit finds, and the words for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from aacsfnet.errors import AacsfnetError
from aacsfnet.evaluation.results import Results

_SHOWN = 3


@dataclass(frozen=True)
class Discrepancy:
    """Something that is wrong: where, and what in one sentence."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def guarded(checks: Iterator[Discrepancy], where: str) -> list[Discrepancy]:
    """Return the discrepancies; a table that cannot be read, or lacks a column, is one too."""
    discrepancies = []
    try:
        for discrepancy in checks:
            discrepancies.append(discrepancy)  # noqa: PERF402 those before an error count
    except (AacsfnetError, pl.exceptions.PolarsError, OSError, ValueError) as error:
        discrepancies.append(Discrepancy(where, f"cannot be read: {' '.join(str(error).split())}"))
    return discrepancies


def name_of(results: Results, path: Path) -> str:
    """Return what a file or folder of the results is called."""
    return path.relative_to(results.layout.folder).as_posix()


def some(values: list[str] | pl.Series) -> str:
    """Return a count with the first few values."""
    more = ", …" if len(values) > _SHOWN else ""
    return f"{len(values)} ({', '.join(values[:_SHOWN])}{more})"
