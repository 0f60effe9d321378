"""Where every result lies: the only owner of the paths below a data set's results folder.

A *scope* is the folder, below the data set's results, that holds a stage's results: "" for the
settings as they stand, `experiments/<name>/` where an experiment overrides a setting that the stage
depends on. Experiments that agree up to a stage share its results.
"""

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

from aacsfnet import times
from aacsfnet.config import Config
from aacsfnet.errors import WorkError
from aacsfnet.runs import begin, lines_of
from aacsfnet.space import NoSpaceError, lacks_space
from aacsfnet.stages import lineage_of, settings_of
from aacsfnet.surroundings import owner

#: What a scope looks like, a regular expression.
SCOPE = "(experiments/[A-Za-z0-9_-]+/)?"
#: What the name of a shard looks like: whose frames, and which part of them.
SHARD = re.compile(r"(?P<subject>[A-Za-z0-9_-]+)\.[0-9]+")


def training_state(folder: Path) -> Path:
    """Return the folder of what an unfinished training resumes from, given a network's folder."""
    return folder.parent / f".{folder.name}-state"


def unfinished_table(table: Path, key: str) -> Path:
    """Return the folder of an unfinished table's finished batches, for jobs of one key."""
    return table.parent / f".{table.stem}.unfinished-{key}"


def job_of_state(folder: Path) -> Path | None:
    """Return the file that is there when the job is done whose state a folder holds, or None."""
    if match := re.fullmatch(r"\.(.+)-state", folder.name):
        return Trained(folder.parent / match[1]).description
    if match := re.fullmatch(r"\.(.+)\.unfinished-[0-9a-f]+", folder.name):
        return folder.parent / f"{match[1]}.parquet"
    return None


class Merged:
    """The files of merged data: pictures, one row for each, each subject's role in each fold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = folder / "images.npy"
        self.index = folder / "index.parquet"
        self.splits = folder / "splits.parquet"


class Trained:
    """The files of one trained network; `events` is TensorBoard's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.weights = folder / "model.safetensors"
        self.description = folder / "config.json"
        self.features = folder / "features.safetensors"
        self.history = folder / "history.csv"
        self.predictions = folder / "predictions.parquet"
        self.events = folder / "tensorboard"


class Evaluated:
    """The files of an evaluated experiment: predictions of all folds and seeds, and figures."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.predictions = folder / "predictions.parquet"
        self.metrics = folder / "metrics.json"
        self.reliability = folder / "reliability.json"
        self.explanation = folder / "explanation.parquet"  # of `aacsfnet explain`

    def trained(self) -> list[Trained]:
        """Return the networks of all seeds and folds that are there."""
        folders = (path.parent for path in self.folder.glob("seed-*/fold-*/config.json"))
        return [Trained(folder) for folder in sorted(folders)]


class ReportFiles:
    """The files beside a report: its tables and figures, in a folder of the page's name."""

    def __init__(self, page: Path) -> None:
        self.folder = page.with_name(page.stem if page.suffix else f"{page.name}-files")
        self.tables = self.folder / "tables"
        self.figures = self.folder / "figures"


class Layout:
    """The paths of one data set's results under given settings.

    A scope, shard, experiment, seed or fold may also be a pattern such as "{shard}", which stands
    in the path as it is.
    """

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        """Take all settings, and the data set's results folder if it is elsewhere than they say."""
        self.folder = folder or config.results / config.dataset
        self.index = self.folder / "index.parquet"
        self.report = self.folder / "report.html"
        self.report_files = ReportFiles(self.report)
        self.lock = self.folder / ".lock"  # held by a run
        self.plan = self.folder / ".plan.json"  # of the latest run, for its jobs
        self.verified = self.folder / ".verified.json"  # files of other times and the same bytes
        self.experiments = list(config.experiments)
        self._configs = {"": config} | {
            self._own(name): config.for_experiment(name) for name in self.experiments
        }
        self.scope_within = cache(self._scope_within)
        self.settings = cache(self._settings)

    def hold(self) -> IO[str]:
        """Hold the results folder, until the file returned is closed; the system closes it too.

        `run` then tells which run holds it.

        Raises:
            WorkError: another process holds it, it may not be written, or the disk is full.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = self.lock.open("a+")
        except OSError as error:
            raise WorkError(
                f"{error.filename}: {error.strerror} ({owner(self.folder)}); give this run another"
                " `results` folder, or ask its owner"
            ) from error
        if not lock_descriptor(lock.fileno(), blocking=False):
            lock.seek(0)
            holder = lock.readline().strip() or "unknown process"
            lock.close()
            raise WorkError(
                f"{self.folder}: another run works here ({holder}); wait for it, or give this run"
                " another `results` folder"
            )
        self.run = begin(self.lock)
        lock.truncate(0)
        try:
            lock.write(lines_of(self.run))
            lock.flush()
        except OSError as error:
            raise NoSpaceError(self.folder) if lacks_space(error) else error from error
        return lock

    def _own(self, experiment: str) -> str:
        return f"experiments/{experiment}/"

    def _scope_within(self, owner: str, stage: str) -> str:
        """Return the scope of a stage's results for the settings of another scope."""
        wanted = lineage_of(self._configs[owner], stage)
        return next(
            scope
            for scope, config in self._configs.items()
            if scope == owner or lineage_of(config, stage) == wanted
        )

    def scope(self, experiment: str, stage: str) -> str:
        """Return the scope that holds a stage's results for an experiment."""
        return self.scope_within(self._own(experiment), stage)

    def scopes(self, stage: str) -> dict[str, list[str]]:
        """Return the scopes in which a stage runs, each with the experiments that it serves."""
        found: dict[str, list[str]] = {}
        for experiment in self.experiments:
            found.setdefault(self.scope(experiment, stage), []).append(experiment)
        return found

    def config(self, scope: str) -> Config:
        """Return the settings in force in a scope."""
        return self._configs[scope]

    def _settings(self, scope: str, stage: str) -> str:
        """Return the settings that reach a stage in a scope, as JSON text for `--config`."""
        return json.dumps(settings_of(self._configs[scope], stage), sort_keys=True)

    def settings_of_experiment(self, experiment: str, stage: str) -> str:
        """Return the settings that reach a stage for an experiment, as `settings`."""
        return self.settings(self._own(experiment), stage)

    def stage(self, scope: str, stage: str) -> Path:
        """Return the folder of a stage's results."""
        return self.folder / f"{scope}{stage}"

    def table(self, scope: str, stage: str, shard: str) -> Path:
        """Return the table of one shard."""
        return self.stage(scope, stage) / f"{shard}.parquet"

    def tables(self, scope: str, stage: str, shards: Sequence[str]) -> list[Path]:
        """Return the tables of all shards."""
        return [self.table(scope, stage, shard) for shard in shards]

    def shards(self) -> list[str]:
        """Return the shards that the index names, in order.

        Raises:
            DataError: there is no index.
        """
        from aacsfnet import tables  # heavy, and a model's folder is read without tables

        found: list[str] = tables.read(self.index, ["shard"])["shard"].unique().sort().to_list()
        return found

    def finished(self, scope: str, stage: str, shards: Sequence[str]) -> list[Path]:
        """Return the tables of a stage that are there, in order of shards."""
        return [path for path in self.tables(scope, stage, shards) if path.is_file()]

    def merged(self, scope: str) -> Merged:
        """Return the merged data."""
        return Merged(self.stage(scope, "merge"))

    def experiment(self, name: str) -> Evaluated:
        """Return an experiment's evaluation."""
        return Evaluated(self.folder / self._own(name))

    def figures(self) -> list[Path]:
        """Return the file of figures of each experiment."""
        return [self.experiment(name).metrics for name in self.experiments]

    def trained(self, experiment: str, seed: int | str, fold: int | str) -> Trained:
        """Return the network of one seed and fold."""
        return Trained(self.experiment(experiment).folder / f"seed-{seed}" / f"fold-{fold}")

    def log(self, result: Path) -> Path:
        """Return the log of the job that writes a file or folder of results."""
        return self.folder / "logs" / result.relative_to(self.folder).with_suffix(".log")

    def benchmark(self, result: Path) -> Path:
        """Return the time and memory that the same job took."""
        return times.file_of(self.folder, result)
