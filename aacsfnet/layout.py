"""Where every result lies: the only owner of the paths below a data set's results folder.

A *scope* is the folder, below the data set's results, that holds a stage's results: "" for the
settings as they stand, `experiments/<name>/` where an experiment overrides a setting that the stage
depends on. Experiments that agree up to a stage share its results.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aacsfnet.config import Config
from aacsfnet.stages import lineage_of, settings_of


@dataclass(frozen=True)
class Merged:
    """The files of the merged data in a folder."""

    folder: Path

    @property
    def images(self) -> Path:
        """The pictures, one array."""
        return self.folder / "images.npy"

    @property
    def index(self) -> Path:
        """One row a picture."""
        return self.folder / "index.parquet"

    @property
    def splits(self) -> Path:
        """The role of each subject in each fold."""
        return self.folder / "splits.parquet"


@dataclass(frozen=True)
class Trained:
    """The files of one trained network in a folder."""

    folder: Path

    @property
    def weights(self) -> Path:
        """The network's weights."""
        return self.folder / "model.safetensors"

    @property
    def description(self) -> Path:
        """All that rebuilds the network, and how it was trained."""
        return self.folder / "config.json"

    @property
    def history(self) -> Path:
        """One line an epoch."""
        return self.folder / "history.csv"

    @property
    def predictions(self) -> Path:
        """What it says of the held-out subjects."""
        return self.folder / "predictions.parquet"

    @property
    def events(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.folder / "tensorboard"


@dataclass(frozen=True)
class Evaluated:
    """The files of an evaluated experiment in a folder."""

    folder: Path

    @property
    def predictions(self) -> Path:
        """The predictions of all its folds and seeds."""
        return self.folder / "predictions.parquet"

    @property
    def metrics(self) -> Path:
        """Its figures."""
        return self.folder / "metrics.json"


class Layout:
    """The paths of one data set's results under given settings; nothing is read from the disk.

    A scope, shard, experiment, seed or fold may also be a pattern such as "{shard}", which stands
    in the path as it is.
    """

    def __init__(self, config: Config, folder: Path | None = None) -> None:
        """Take all settings, and the data set's results folder if it is elsewhere than they say."""
        self.folder = folder or config.results / config.dataset
        self.experiments = list(config.experiments)
        self._configs = {"": config} | {
            self._own(name): config.for_experiment(name) for name in self.experiments
        }
        self.scope_within = cache(self._scope_within)

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

    def settings(self, scope: str, stage: str) -> str:
        """Return the settings that reach a stage in a scope, as JSON text for `--config`."""
        return json.dumps(settings_of(self._configs[scope], stage), sort_keys=True)

    def settings_of_experiment(self, experiment: str, stage: str) -> str:
        """Return the settings that reach a stage for an experiment, as `settings`."""
        return self.settings(self._own(experiment), stage)

    @property
    def index(self) -> Path:
        """The table of all frames."""
        return self.folder / "index.parquet"

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"

    @property
    def lock(self) -> Path:
        """The file that a run holds."""
        return self.folder / ".lock"

    def stage(self, scope: str, stage: str) -> Path:
        """Return the folder of a stage's results."""
        return self.folder / f"{scope}{stage}"

    def table(self, scope: str, stage: str, shard: str) -> Path:
        """Return the table of one shard."""
        return self.stage(scope, stage) / f"{shard}.parquet"

    def tables(self, scope: str, stage: str, shards: Sequence[str]) -> list[Path]:
        """Return the tables of all shards."""
        return [self.table(scope, stage, shard) for shard in shards]

    def merged(self, scope: str) -> Merged:
        """Return the merged data."""
        return Merged(self.stage(scope, "merge"))

    def experiment(self, name: str) -> Evaluated:
        """Return an experiment's evaluation."""
        return Evaluated(self.folder / self._own(name))

    def trained(self, experiment: str, seed: int | str, fold: int | str) -> Trained:
        """Return the network of one seed and fold."""
        return Trained(self.experiment(experiment).folder / f"seed-{seed}" / f"fold-{fold}")

    def log(self, path: str) -> Path:
        """Return the log of the job whose results stand at a path below the results folder."""
        return self.folder / "logs" / f"{path}.log"

    def benchmark(self, path: str) -> Path:
        """Return the time and memory that the same job took."""
        return self.folder / "benchmarks" / f"{path}.tsv"
