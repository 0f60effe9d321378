"""A data set's results on disk, read a few columns and a few pictures at a time.

Tables of pictures are large: of 48,000 frames only the columns without pictures are read whole, and
pictures only of the rows that are shown.
"""

import json
from collections.abc import Iterable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.config import Config
from aacsfnet.errors import DataError
from aacsfnet.layout import Layout, Merged, Trained
from aacsfnet.seeds import seed_of


class Results:
    """A data set's results as one experiment sees them: its own where it has them, else shared.

    Raises:
        DataError: there is no index.
    """

    def __init__(self, layout: Layout, experiment: str | None = None) -> None:
        """Take the layout and the experiment that is looked at, the first unless named."""
        self.layout = layout
        self.experiments = layout.experiments
        self.experiment = experiment or layout.experiments[0]
        self.index = tables.read(layout.index)
        self.shards = self.index["shard"].unique().sort().to_list()

    def views(self, stage: str) -> dict[str, "Results"]:
        """Return the results up to a stage for each group of experiments that share them.

        The key names the experiments; it is empty where all share.
        """
        groups = self.layout.scopes(stage).values()
        if len(groups) == 1:
            return {"": self}
        return {", ".join(names): self._of(names[0]) for names in groups}

    def _of(self, experiment: str) -> "Results":
        found = copy(self)
        found.experiment = experiment
        return found

    def paths(self, stage: str) -> list[Path]:
        """Return the tables of a stage that are there, in order of shards."""
        scope = self.layout.scope(self.experiment, stage)
        return self.layout.finished(scope, stage, self.shards)

    def config(self, stage: str) -> Config:
        """Return the settings in force where a stage ran."""
        return self.layout.config(self.layout.scope(self.experiment, stage))

    def merged(self) -> Merged:
        """Return the merged data that the experiment trains on."""
        return self.layout.merged(self.layout.scope(self.experiment, "merge"))

    def columns(self, name: str, columns: Sequence[str]) -> pl.DataFrame:
        """Return columns of all rows of a stage; without any table, an empty one."""
        schema = {column: tables.SCHEMAS[name][column] for column in columns}
        found = [tables.read(path, list(columns)) for path in self.paths(name)]
        return pl.concat([pl.DataFrame(schema=schema), *found])

    def rows(
        self, name: str, keys: Sequence[str], columns: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Return some rows of a stage by their key; one shard is in memory at a time."""
        key = key_of(name)
        found: dict[str, dict[str, Any]] = {}
        for path in self.paths(name):
            if not len(tables.read(path, [key]).filter(pl.col(key).is_in(list(keys)))):
                continue
            chosen = (
                pl.scan_parquet(path)
                .filter(pl.col(key).is_in(list(keys)))
                .select(key, *(column for column in columns if column != key))
                .collect(engine="streaming")
            )
            found |= {row[key]: row for row in chosen.iter_rows(named=True)}
        return found

    def first_values(self, name: str, column: str) -> list[Any]:
        """Return the first value that is not null of a column in each of a stage's tables."""
        found = []
        for path in self.paths(name):
            values = tables.read(path, [column])[column].drop_nulls()
            found += values.head(1).to_list()
        return found

    def metrics(self, experiment: str) -> dict[str, Any] | None:
        """Return an experiment's `metrics.json`, None while there is none."""
        return read_json(self.layout.experiment(experiment).metrics)

    def predictions(self, experiment: str) -> pl.DataFrame | None:
        """Return an experiment's pooled predictions, None while there are none."""
        path = self.layout.experiment(experiment).predictions
        return tables.read(path) if path.is_file() else None

    def runs(self, experiment: str, seeds: Iterable[int]) -> list[tuple[int, int, Trained]]:
        """Return seed, fold and files of an experiment's trained networks, in order."""
        splits = self._of(experiment).merged().splits
        if not splits.is_file():
            return []
        folds = tables.read(splits, ["fold"])["fold"].unique().sort().to_list()
        found = [
            (seed, fold, self.layout.trained(experiment, seed, fold))
            for seed in sorted(seeds)
            for fold in folds
        ]
        return [run for run in found if run[2].folder.is_dir()]


def key_of(stage: str) -> str:
    """Return the column by which a stage's rows are found again."""
    return "image_id" if "image_id" in tables.SCHEMAS[stage] else "frame_id"


def read_json(path: Path) -> dict[str, Any] | None:
    """Return what a JSON file holds, None when there is no file.

    Raises:
        DataError: the file is no JSON object.
    """
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not JSON ({error}); delete it and run again") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(found).__name__}")
    return found


def spread(rows: pl.DataFrame, count: int, key: str) -> list[str]:
    """Return the keys of up to `count` rows that show many levels and many subjects.

    Levels take turns; within a level the subject shown least comes first, then a hash of the key
    decides, so that the choice depends on the data alone.

    Args:
        rows: columns `label`, `subject` and the key; rows without a label are left out.
        count: most rows to choose.
        key: name of the key column.
    """
    rows = rows.filter(pl.col("label").is_finite())
    levels = rows["label"].round(0).unique().sort().to_list()
    if 0 < count < len(levels):
        levels = [
            levels[place] for place in np.linspace(0, len(levels) - 1, count).round().astype(int)
        ]
    waiting = {
        level: sorted(
            rows.filter(pl.col("label").round(0) == level).select(key, "subject").iter_rows(),
            key=lambda row: seed_of("report", row[0]),
        )
        for level in levels
    }
    shown: dict[str, int] = {}
    chosen: list[str] = []
    while len(chosen) < count and any(waiting.values()):
        for level in levels:
            if not waiting[level] or len(chosen) == count:
                continue
            best = min(waiting[level], key=lambda row: shown.get(row[1], 0))
            waiting[level].remove(best)
            shown[best[1]] = shown.get(best[1], 0) + 1
            chosen.append(best[0])
    return chosen
