"""Finished batches of a generation job, from which a killed one resumes."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import polars as pl

from aacsfnet import tables
from aacsfnet.layout import unfinished_table


class Unfinished:
    """Finished batches of a job, kept beside its output until that is written.

    They are found again only by a job with the same key, so results of other settings are never
    mixed in.

    Args:
        output: the table that the job writes.
        key: everything that decides the results, as text.
    """

    def __init__(self, output: Path, key: str) -> None:
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        self._folder = unfinished_table(output, digest)
        self._others = unfinished_table(output, "*").name

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows finished so far, in order."""
        files = sorted(self._folder.glob("[0-9]*.parquet"))
        return [row for file in files for row in tables.read(file).iter_rows(named=True)]

    def add(self, first: int, rows: list[dict[str, Any]]) -> None:
        """Keep the rows of a batch; `first` is the number of its first one."""
        batch: pl.DataFrame = tables.frame("generate", rows)
        tables.write(self._folder / f"{first:09d}.parquet", batch, "generate")

    def clear(self) -> None:
        """Remove what was kept for this output, by this and by jobs with other settings."""
        for folder in self._folder.parent.glob(self._others):
            shutil.rmtree(folder)
