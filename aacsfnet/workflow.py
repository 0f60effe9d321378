"""What the workflow's rules ask: the shards, the folds, and what a run makes of them.

All of it comes from the settings and a fast scan of names, so the plan of a run is complete before
the first job and `snakemake --dry-run` tells the whole truth.
"""

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

from filelock import lock_descriptor

from aacsfnet.augmentation.plan.pictures import check_levels
from aacsfnet.cohort.splits import fold_count, given_roles, pool_of
from aacsfnet.config import validate
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import GROUPS, shards_of
from aacsfnet.errors import InputError, SettingsError, WorkError
from aacsfnet.evaluation.thresholds import thresholds_of
from aacsfnet.labels import Label
from aacsfnet.layout import Layout, Trained


class Workflow:
    """The plan of one run.

    Raises:
        SettingsError: the settings are wrong, or the data set has too few subjects for them, or
            no such group of people.
        DataError: the data set cannot be used, or its own split: its pool, and all of it where
            `merge.folds` is given.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.config = validate(dict(settings))
        dataset = open_dataset(self.config)
        subjects = dataset.subjects()
        self.shards = list(shards_of(subjects, self.config.index.shard_frames))
        self.names_hash = hashlib.sha256(json.dumps(sorted(subjects.items())).encode()).hexdigest()
        self.sources = [str(path) for path in dataset.sources()]
        self.layout = Layout(self.config)
        self.experiments = self.layout.experiments
        self._check_levels(dataset.label)
        evaluated = self.config.evaluate
        thresholds_of(dataset.label, evaluated.thresholds)
        if further := [name for name in evaluated.groups if name not in GROUPS]:
            dataset.people(further)
        words = dataset.splits()
        self._folds = {name: self._fold_count(name, words, subjects) for name in self.experiments}

    def _check_levels(self, label: Label) -> None:
        for name in self.experiments:
            try:
                check_levels(self.config.for_experiment(name), label)
            except SettingsError as error:
                raise SettingsError(f"{error} (experiment {name})") from None

    def _fold_count(
        self, name: str, words: Mapping[str, Collection[str]], subjects: Mapping[str, int]
    ) -> int:
        merge = self.config.for_experiment(name).merge
        try:
            pool = pool_of(words)
            if merge.folds == "given":
                given_roles(words, merge.validation_subjects)
            people = len(subjects.keys() - pool)
            return fold_count(merge.folds, people, merge.validation_subjects, bool(pool))
        except InputError as error:
            raise type(error)(f"{error} (experiment {name})") from None

    def folds(self, experiment: str) -> range:
        """Return the fold numbers of an experiment."""
        return range(self._folds[experiment])

    def tables(self, stage: str) -> list[Path]:
        """Return every table that a stage with one table a shard writes."""
        return [
            path
            for scope in self.layout.scopes(stage)
            for path in self.layout.tables(scope, stage, self.shards)
        ]

    def trained(self, experiment: str) -> list[Trained]:
        """Return the networks of an experiment: one for each training seed and fold."""
        return [
            self.layout.trained(experiment, seed, fold)
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
        folder = self.layout.folder
        folder.mkdir(parents=True, exist_ok=True)
        lock = self.layout.lock.open("a+")
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
