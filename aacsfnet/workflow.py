"""What the workflow's rules ask: the shards, the folds, and what a run makes of them.

All of it comes from the settings and a fast scan of names, so the plan of a run is complete before
the first job and `snakemake --dry-run` tells the whole truth.
"""

import json
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Self

from aacsfnet.augmentation.plan.pictures import check_levels
from aacsfnet.cohort.splits import fold_count, given_roles, pool_of
from aacsfnet.cohort.unlabelled import labelled_people
from aacsfnet.config import Config, validate
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import GROUPS, shards_of
from aacsfnet.errors import InputError, SettingsError
from aacsfnet.evaluation.thresholds import thresholds_of
from aacsfnet.files import replacing
from aacsfnet.freshness import Freshness
from aacsfnet.labels import Label
from aacsfnet.layout import Layout, Trained
from aacsfnet.made import hash_of

#: Shards that share a job of a cluster, at most: it asks for the cores and the memory of all.
_TOGETHER = 4


class Workflow:
    """The plan of one run.

    Raises:
        SettingsError: the settings are wrong, or the data set has too few subjects for them, or
            no such group of people.
        DataError: the data set cannot be used, or its own split: its pool, and all of it where
            `merge.folds` is given; or somebody without a label is outside the pool.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.config = validate(dict(settings))
        self.layout = Layout(self.config)
        dataset = open_dataset(self.config)
        dataset.compared = _left(self.config, self.layout).get("compared", "")
        subjects = dataset.subjects()
        self.frames = sum(subjects.values())  # planned ones
        cut = self.config.index
        self.shards = list(shards_of(subjects, cut.shard_frames, cut.packed_frames))
        self.sources = [str(path) for path in dataset.sources()]
        self.experiments = self.layout.experiments
        self._check_levels(dataset.label)
        evaluated = self.config.evaluate
        thresholds_of(dataset.label, evaluated.thresholds)
        if further := [name for name in evaluated.groups if name not in GROUPS]:
            dataset.people(further)
        words = dataset.splits()
        useful = labelled_people(words, dataset.unlabelled())
        people = subjects.keys() - pool_of(words)
        self._folds = {n: self._fold_count(n, useful, len(people)) for n in self.experiments}
        self._dataset, self._subjects = dataset, subjects
        self.forced: frozenset[str] = frozenset()  # stages and results made again in any case

    @classmethod
    def of_job(cls, settings: Mapping[str, Any]) -> Self:
        """Return the plan for a process that runs jobs of it, as the run itself left it in a file.

        The data set, which may be large, is looked through only where that file is of other
        settings or not there.
        """
        config = validate(dict(settings))
        layout = Layout(config)
        left = _left(config, layout)
        if not left:
            return cls(settings)
        plan = cls.__new__(cls)
        plan.config, plan.layout, plan.experiments = config, layout, layout.experiments
        plan.frames, plan.shards = left["frames"], left["shards"]
        plan.sources, plan._folds = left["sources"], left["folds"]
        return plan

    @cached_property
    def freshness(self) -> Freshness:
        """Which results stand; found out when it is first asked for."""
        return Freshness(
            self.config, self.layout, self._dataset, self._subjects, self.shards, self.forced
        )

    @property
    def fullness(self) -> float:
        """How many frames a shard has on the average, as a share of a full one's."""
        return self.frames / max(len(self.shards) * self.config.index.shard_frames, 1)

    @property
    def together(self) -> int:
        """How many shards share a job of a cluster: as many as have the frames of a full one."""
        return max(1, min(int(1 / self.fullness), _TOGETHER)) if self.frames else 1

    def why(self, stage: str, wildcards: Mapping[str, str]) -> str:
        """Return why a job of a stage runs, "" where its results stand.

        Args:
            stage: its name.
            wildcards: of the job's rule: `scope` and `shard`, or `experiment`, `seed` and `fold`.
        """
        fresh = self.freshness
        if stage == "index":
            return fresh.index()
        if stage == "merge":
            return fresh.merged(wildcards["scope"])
        if stage == "train":
            return fresh.trained(wildcards["experiment"], wildcards["seed"], wildcards["fold"])
        if stage == "evaluate":
            return self._why_evaluated(wildcards["experiment"])
        if stage == "report":
            return fresh.report(self._why_evaluated)
        return fresh.table(wildcards["scope"], stage, wildcards["shard"])

    def _why_evaluated(self, experiment: str) -> str:
        runs = [(s, f) for s in self.config.training_seeds for f in self.folds(experiment)]
        return self.freshness.evaluated(experiment, runs)

    def result(self, stage: str, wildcards: Mapping[str, str]) -> Path:
        """Return the first of the files that a job of a stage writes."""
        layout = self.layout
        if stage == "index":
            return layout.index
        if stage == "merge":
            return layout.merged(wildcards["scope"]).images
        if stage == "train":
            names = ("experiment", "seed", "fold")
            return layout.trained(*(wildcards[name] for name in names)).weights
        if stage == "evaluate":
            return layout.experiment(wildcards["experiment"]).metrics
        if stage == "report":
            return layout.report
        return layout.table(wildcards["scope"], stage, wildcards["shard"])

    def _check_levels(self, label: Label) -> None:
        for name in self.experiments:
            try:
                check_levels(self.config.for_experiment(name), label)
            except SettingsError as error:
                raise SettingsError(f"{error} (experiment {name})") from None

    def _fold_count(self, name: str, words: Mapping[str, Collection[str]], people: int) -> int:
        """Return how many folds an experiment has.

        Args:
            name: of the experiment.
            words: what is said of the split of each subject with labels.
            people: how many there are outside the pool.
        """
        merge = self.config.for_experiment(name).merge
        try:
            if merge.folds == "given":
                given_roles(words, merge.validation_subjects)
            with_pool = bool(pool_of(words))
            return fold_count(merge.folds, people, merge.validation_subjects, with_pool)
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
            WorkError: as `Layout.hold`.
        """
        lock = self.layout.hold()
        self._held = lock
        self.freshness.keep()
        left = {
            "settings": _settings_hash(self.config),
            "frames": self.frames,
            "shards": self.shards,
            "sources": self.sources,
            "folds": self._folds,
            "compared": self._dataset.compared,
        }
        with replacing(self.layout.plan) as temporary:
            temporary.write_text(json.dumps(left), encoding="utf-8")
        return lock

    def environment(self) -> dict[str, str]:
        """Return the environment that ties jobs to the run that holds the results folder."""
        return self.layout.run.environment()


def _left(config: Config, layout: Layout) -> dict[str, Any]:
    """Return what the last run left of its plan; nothing where that was of other settings."""
    try:
        left = json.loads(layout.plan.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    mine = isinstance(left, dict) and left.get("settings") == _settings_hash(config)
    return left if mine else {}


def _settings_hash(config: Config) -> str:
    return hash_of(config.model_dump(mode="json"))
