"""A data set's results on disk, read a few columns and a few pictures at a time.

Tables of pictures are large: of 48,000 frames only the columns without pictures are read whole, and
pictures only of the rows that are shown.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.errors import DataError
from aacsfnet.seeds import seed_of

#: Stages with one table a shard, in flow order.
SHARDED = ("crop", "landmarks", "depth", "prompts", "generate", "quality")

#: The column by which a stage's rows are found again.
KEYS = dict.fromkeys(SHARDED, "image_id") | dict.fromkeys(
    ("crop", "landmarks", "depth"), "frame_id"
)


class Results:
    """The folder `results/<dataset>`.

    A stage's results stand in its own folder, or below `experiments/<name>/` where an experiment
    has its own; the report shows the first that exists.

    Raises:
        DataError: there is no index.
    """

    def __init__(self, folder: Path, experiments: Sequence[str]) -> None:
        self.folder = folder
        self.experiments = list(experiments)
        self.index = tables.read(folder / "index.parquet")
        self.shards = self.index["shard"].unique().sort().to_list()

    def stage(self, name: str, experiment: str | None = None) -> Path | None:
        """Return the folder of a stage's results, an experiment's own before the shared ones."""
        own = [self.folder / "experiments" / each / name for each in self.experiments]
        if experiment is not None:
            own = [self.folder / "experiments" / experiment / name]
            places = [*own, self.folder / name]
        else:
            places = [self.folder / name, *own]
        return next((place for place in places if place.is_dir()), None)

    def scopes(self, name: str) -> list[Path]:
        """Return every folder that holds results of a stage."""
        own = [self.folder / "experiments" / each / name for each in self.experiments]
        return [place for place in (self.folder / name, *own) if place.is_dir()]

    def paths(self, name: str) -> list[Path]:
        """Return the tables of a stage that are there, in order of shards."""
        folder = self.stage(name)
        if folder is None:
            return []
        return [
            path
            for path in (folder / f"{shard}.parquet" for shard in self.shards)
            if path.is_file()
        ]

    def columns(self, name: str, columns: Sequence[str]) -> pl.DataFrame:
        """Return columns of all rows of a stage; without any table, an empty one."""
        schema = {column: tables.SCHEMAS[name][column] for column in columns}
        found = [tables.read(path, list(columns)) for path in self.paths(name)]
        return pl.concat([pl.DataFrame(schema=schema), *found])

    def rows(
        self, name: str, keys: Sequence[str], columns: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """Return some rows of a stage by their key; one shard is in memory at a time."""
        key = KEYS[name]
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
        return read_json(self.folder / "experiments" / experiment / "metrics.json")

    def predictions(self, experiment: str) -> pl.DataFrame | None:
        """Return an experiment's pooled predictions, None while there are none."""
        path = self.folder / "experiments" / experiment / "predictions.parquet"
        return tables.read(path) if path.is_file() else None

    def runs(self, experiment: str) -> list[tuple[int, int, Path]]:
        """Return seed, fold and folder of an experiment's trained models, in order."""
        folder = self.folder / "experiments" / experiment
        found = [
            (
                int(path.parent.name.removeprefix("seed-")),
                int(path.name.removeprefix("fold-")),
                path,
            )
            for path in folder.glob("seed-*/fold-*")
            if path.is_dir()
        ]
        return sorted(found)


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
