"""What a run will make, and how much disk and time that takes, from a rehearsal's figures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from aacsfnet.augmentation.diffusion.recipe import strength_of
from aacsfnet.augmentation.plan.pictures import Planner
from aacsfnet.cohort.splits import Folds, in_pool
from aacsfnet.config import Config
from aacsfnet.config.augmentation import guidance_of, steps_of
from aacsfnet.datasets import Label
from aacsfnet.doctor.rehearsal import Rehearsal
from aacsfnet.stages import SHARDED, STAGES, lineage_of
from aacsfnet.tables import KINDS

#: Seconds of one denoising step at 128 pixels with the bundled miniature: 0.3 s a picture of ten
#: steps was measured on two CPU cores.
MINIATURE_STEP = 0.03
#: Stable Diffusion 1.5 with a ControlNet at 512 pixels: one pass of UNet and ControlNet (guidance
#: takes two a step), and VAE encoding and decoding of a picture; in 10^12 operations.
PASS_TERAFLOP, PICTURE_TERAFLOP = 0.803 + 0.283, 1.117 + 2.515
#: Operations a second assumed for it, 10^12: a recent data-centre GPU in half precision without
#: tuning, and one desktop CPU core.
GPU_TERAFLOPS, CORE_TERAFLOPS = 60.0, 0.03


#: Processor seconds to start a job of a stage and import what it needs, with the pinned packages.
START_SECONDS = {
    "index": 0.7,
    "crop": 1.5,
    "landmarks": 1.5,
    "prompts": 1.9,
    "depth": 0.8,
    "generate": 6.5,
    "quality": 3.9,
    "merge": 0.7,
    "train": 8.9,
    "evaluate": 0.8,
    "report": 1.3,
}


@dataclass(frozen=True)
class Plan:
    """How much each part of a run handles; experiments share what they agree on.

    Attributes:
        frames: usable real frames.
        rows: what crop, landmarks and depth handle: frames, and pictures to make.
        generation: settings and pictures by kind of each run of `generate`.
        merged: sides and numbers of the pictures in each merged array.
        training: settings of each experiment and the pictures that its training shows, over all
            epochs, folds and seeds.
    """

    frames: int
    rows: dict[str, int]
    generation: tuple[tuple[Config, dict[str, int]], ...]
    merged: tuple[tuple[int, int], ...]
    training: tuple[tuple[Config, int], ...]

    @property
    def generated(self) -> int:
        """Return how many pictures are generated in all."""
        return sum(sum(pictures.values()) for _, pictures in self.generation)

    @property
    def trained(self) -> int:
        """Return how many pictures training shows in all."""
        return sum(pictures for _, pictures in self.training)


def plan_of(config: Config, usable: pl.DataFrame, label: Label, unlabelled: int = 0) -> Plan:
    """Return what a run makes of usable frames.

    Args:
        config: all settings.
        usable: columns `subject`, `label` and `split` of the index's rows that are "ok"; the pool's
            are shown in every fold.
        label: of the data set.
        unlabelled: further frames, for pretraining alone.
    """
    owners = [config.for_experiment(name) for name in config.experiments]
    pool, people = usable.filter(in_pool()), usable.filter(~in_pool())
    subjects = people["subject"].n_unique()
    frames_read = len(usable) + unlabelled
    training = []
    for own in owners:
        shown = 0.0  # in an epoch
        folds, held_out = _folds(own.merge.folds, subjects)
        kept = max(0.0, 1 - held_out - own.merge.validation_subjects / max(1, subjects))
        for frames, share in ((people, kept), (pool, 1.0)):
            made = pictures_by_kind(own, frames, label)
            shown += share * (len(frames) + sum(made[kind] for kind in own.train.taken()))
        if own.train.epoch_steps is not None:
            shown = own.train.epoch_steps * own.train.batch
        runs = folds * len(config.training_seeds)
        before = own.train.geometry_pretraining_steps * own.train.batch
        training.append((own, round((shown * own.train.epochs + before) * runs)))
    return Plan(
        frames=frames_read,
        rows={
            **{s: frames_read * len(distinct(owners, s)) for s in ("crop", "landmarks")},
            "depth": sum(pictures_of(own, usable, label) for own in distinct(owners, "depth")),
        },
        generation=tuple(
            (own, pictures_by_kind(own, usable, label)) for own in distinct(owners, "generate")
        ),
        merged=tuple(
            (own.merge.image_size, frames_read + pictures_of(own, usable, label))
            for own in distinct(owners, "merge")
        ),
        training=tuple(training),
    )


def distinct(owners: Sequence[Config], stage: str) -> list[Config]:
    """Return one of the experiments' settings for each set of results that a stage has."""
    found = {json.dumps(lineage_of(own, stage), sort_keys=True): own for own in reversed(owners)}
    return list(reversed(found.values()))


def pictures_of(config: Config, usable: pl.DataFrame, label: Label) -> int:
    """Return how many pictures are generated from usable frames, about."""
    return sum(pictures_by_kind(config, usable, label).values())


def pictures_by_kind(config: Config, usable: pl.DataFrame, label: Label) -> dict[str, int]:
    """Return how many pictures of each kind are generated from usable frames, about."""
    people = [
        Planner(config, label, person).expected() for person in usable.partition_by("subject")
    ]
    return {kind: round(sum(person[kind] for person in people)) for kind in KINDS}


def _folds(folds: Folds, subjects: int) -> tuple[int, float]:
    """Return how many folds there are, and the share of subjects that each tests, about."""
    if folds == "given":
        return 1, 0.2
    count = max(1, subjects if folds == "loso" else folds)
    return count, 1 / count


def jobs_of(config: Config, shards: int, subjects: int) -> dict[str, int]:
    """Return how many jobs of each stage a run has.

    Args:
        config: all settings.
        shards: number of shards that the data set is split into.
        subjects: that are held out in turn.
    """
    owners = [config.for_experiment(name) for name in config.experiments]
    jobs = {stage: len(distinct(owners, stage)) for stage in STAGES}
    jobs |= {stage: jobs[stage] * shards for stage in SHARDED}
    jobs |= {"evaluate": len(owners), "report": 1}
    jobs["train"] = sum(
        len(config.training_seeds) * _folds(own.merge.folds, subjects)[0] for own in owners
    )
    return jobs


def start_seconds(jobs: Mapping[str, int]) -> float:
    """Return the processor seconds that starting a run's jobs takes, whatever they then do."""
    return sum(START_SECONDS[stage] * number for stage, number in jobs.items())


def disk_bytes(plan: Plan, rehearsal: Rehearsal) -> float:
    """Return the bytes that a run writes."""
    each = rehearsal.bytes
    merged = sum(3 * side**2 * pictures for side, pictures in plan.merged)
    tables = sum(plan.rows[stage] * each[stage] for stage in each)
    return tables + plan.generated * each["crop"] + merged


def generation_seconds(config: Config, gpu: bool, cores: int) -> dict[str, float]:
    """Return the seconds that one generated picture of each kind takes, roughly."""
    return {kind: _seconds(config, kind, gpu, cores) for kind in KINDS}


def _seconds(config: Config, kind: str, gpu: bool, cores: int) -> float:
    steps = max(1.0, strength_of(config.generate, kind) * steps_of(config.generate))
    if config.generate.model == "bundled":
        return MINIATURE_STEP * steps * (config.crop.size / 128) ** 2 * 2 / max(1, min(cores, 2))
    passes = steps * (2 if guidance_of(config.generate) > 1 else 1)
    teraflop = (passes * PASS_TERAFLOP + PICTURE_TERAFLOP) * (config.crop.size / 512) ** 2
    return teraflop / (GPU_TERAFLOPS if gpu else CORE_TERAFLOPS * cores)


def hours_minutes(seconds: float) -> str:
    """Return a duration in words.

    >>> [hours_minutes(s) for s in (20, 200, 9000, 1e6)]
    ['under a minute', '3 min', '2 h 30 min', '11 days 13 h']
    """
    minutes = round(seconds / 60)
    if minutes < 1:
        return "under a minute"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} days {minutes % 1440 // 60} h"
