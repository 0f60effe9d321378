"""What the workflow's rules ask: the shards, the folds, and where each stage's results lie.

All of it comes from the settings and a fast scan of names, so the plan of a run is complete before
the first job and `snakemake --dry-run` tells the whole truth.
"""

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any

from filelock import lock_descriptor

from aacsfnet.cohort.splits import fold_count, given_roles
from aacsfnet.config import validate
from aacsfnet.datasets import Dataset, open_dataset
from aacsfnet.datasets.base import shards_of
from aacsfnet.errors import InputError, WorkError
from aacsfnet.stages import lineage_of, settings_of


class Workflow:
    """The plan of one run.

    A *scope* is the folder, below the data set's results, that holds a stage's results: "" for the
    settings as they stand, `experiments/<name>/` where an experiment overrides a setting that the
    stage depends on. Experiments that agree up to a stage share its results.

    Raises:
        SettingsError: the settings are wrong, or the data set has too few subjects for them.
        DataError: the data set cannot be used, or its own split where `merge.folds` is given.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.config = validate(dict(settings))
        dataset = open_dataset(self.config)
        subjects = dataset.subjects()
        self.shards = list(shards_of(subjects, self.config.index.shard_frames))
        self.names_hash = hashlib.sha256(json.dumps(sorted(subjects.items())).encode()).hexdigest()
        self.sources = [str(path) for path in dataset.sources()]
        self.results = f"{self.config.results}/{self.config.dataset}/"
        self.experiments = list(self.config.experiments)
        self._configs = {"": self.config} | {
            f"experiments/{name}/": self.config.for_experiment(name) for name in self.experiments
        }
        self._folds = {name: self._fold_count(name, dataset, subjects) for name in self.experiments}
        self.scope = cache(self._scope)

    def _fold_count(self, name: str, dataset: Dataset, subjects: Collection[str]) -> int:
        merge = self._configs[f"experiments/{name}/"].merge
        try:
            if merge.folds == "given":
                given_roles(dataset.splits(), merge.validation_subjects)
            return fold_count(merge.folds, len(subjects), merge.validation_subjects)
        except InputError as error:
            raise type(error)(f"{error} (experiment {name})") from None

    def _scope(self, owner: str, stage: str) -> str:
        """Return the scope that holds a stage's results for the experiment that owns a scope."""
        wanted = lineage_of(self._configs[owner], stage)
        return next(
            scope
            for scope, config in self._configs.items()
            if scope == owner or lineage_of(config, stage) == wanted
        )

    def scopes(self, stage: str) -> list[str]:
        """Return the scopes in which a stage runs, for all experiments together."""
        owners = [f"experiments/{name}/" for name in self.experiments]
        return list(dict.fromkeys(self.scope(owner, stage) for owner in owners))

    def settings(self, scope: str, stage: str) -> str:
        """Return the settings that reach a stage, as JSON text for `--config`."""
        return json.dumps(settings_of(self._configs[scope], stage), sort_keys=True)

    def folds(self, experiment: str) -> range:
        """Return the fold numbers of an experiment."""
        return range(self._folds[experiment])

    def tables(self, stage: str) -> list[str]:
        """Return every table that a stage with one table a shard writes."""
        return [
            f"{self.results}{scope}{stage}/{shard}.parquet"
            for scope in self.scopes(stage)
            for shard in self.shards
        ]

    def models(self, experiment: str) -> list[str]:
        """Return the model folders of an experiment: one for each training seed and fold."""
        return [
            f"{self.results}experiments/{experiment}/seed-{seed}/fold-{fold}"
            for seed in self.config.training_seeds
            for fold in self.folds(experiment)
        ]

    def hold(self) -> IO[str]:
        """Hold the results folder for one run, until the file returned is closed.

        This plan keeps the file too, and the system closes it when the process ends, even a
        killed one.

        Raises:
            WorkError: another run holds it.
        """
        folder = Path(self.results)
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a+")
        if not lock_descriptor(lock.fileno(), blocking=False):
            lock.seek(0)
            holder = lock.read().strip() or "unknown process"
            lock.close()
            raise WorkError(
                f"{folder}: another run works here ({holder}); wait for it, or give this run"
                " another `results` folder"
            )
        lock.truncate(0)
        lock.write(f"process {os.getpid()}")
        lock.flush()
        self._held = lock
        return lock
