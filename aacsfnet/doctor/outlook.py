"""What a run will find, take and need: told from a rehearsal on a few frames."""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import polars as pl

from aacsfnet.config import Config
from aacsfnet.datasets import Label
from aacsfnet.devices import has_gpu
from aacsfnet.doctor import estimates
from aacsfnet.doctor.findings import Finding
from aacsfnet.doctor.machine import cores_here
from aacsfnet.doctor.rehearsal import Rehearsal, rehearse, training_seconds
from aacsfnet.errors import AacsfnetError
from aacsfnet.faces.mesh import LOOKS
from aacsfnet.space import in_bytes


def look_ahead(config: Config, rows: pl.DataFrame, label: Label, shards: int) -> Iterator[Finding]:
    """Rehearse on a sample of usable frames; yield faces found, disk needed and time.

    Args:
        config: all settings.
        rows: the judged index, without shards.
        label: of the data set.
        shards: number of shards that it is split into.
    """
    usable = rows.filter(pl.col("status") == "ok")
    if not len(usable):
        return
    unlabelled = int((rows["status"] == "unlabelled").sum())
    seconds_of = cache(training_seconds)  # experiments often train the same network
    try:
        rehearsal = rehearse(config, usable.with_columns(shard=pl.lit("")))
        plan = estimates.plan_of(config, usable, label, unlabelled)
        training = sum(
            pictures * seconds_of(own.train, own.merge.image_size)
            for own, pictures in plan.training
        )
    except AacsfnetError as error:
        yield Finding("error", "rehearsal", str(error), "correct this first")
        return
    yield _faces(rehearsal)
    if rehearsal.least_sure:
        yield _least_sure(rehearsal)
    yield _disk(config, plan, rehearsal)
    jobs = estimates.jobs_of(config, shards, usable["subject"].n_unique())
    yield _time(plan, rehearsal, training, jobs)


def _faces(rehearsal: Rehearsal) -> Finding:
    seen = sum(rehearsal.statuses.values())
    found = rehearsal.statuses.get("ok", 0)
    lines = [f"{found} of {seen} sampled frames gave a face with landmarks"]
    lines += [f"{status}: {reason}" for status, reason in sorted(rehearsal.reasons.items())]
    if found >= 0.9 * seen:
        return Finding("ok", "faces", "\n".join(lines))
    advice = "look at these frames; crop.min_face, crop.min_confidence and crop.people decide"
    return Finding("warning", "faces", "\n".join(lines), advice)


def _least_sure(rehearsal: Rehearsal) -> Finding:
    faces = len(rehearsal.least_sure)
    first = f"the {faces} least sure faces of the sampled frames, least sure first"
    return Finding("note", "faces", "\n".join([first, *rehearsal.least_sure]))


def _disk(config: Config, plan: estimates.Plan, rehearsal: Rehearsal) -> Finding:
    needed = estimates.disk_bytes(plan, rehearsal)
    folder = Path(config.results).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    message = f"about {in_bytes(round(needed))} needed in {config.results}, "
    message += f"{in_bytes(free)} free"
    if needed > free:
        return Finding("error", "disk", message, "name another folder in results, or make room")
    tight = needed > 0.5 * free
    advice = "make room, if others write here too" if tight else ""
    return Finding("warning" if tight else "ok", "disk", message, advice)


def _time(
    plan: estimates.Plan, rehearsal: Rehearsal, training: float, jobs: dict[str, int]
) -> Finding:
    cores, gpu = cores_here(), has_gpu()
    each = rehearsal.seconds
    first = sum(plan.rows[stage] * each[stage] for stage in each) / cores
    # Nine looks at picture and source each, where landmarks takes one.
    check = plan.generated * (2 * LOOKS * each["landmarks"] + each["crop"]) / cores
    generate = 0.0
    for config, pictures in plan.generation:
        of_kind = estimates.generation_seconds(config, gpu, cores)
        generate += sum(of_kind[kind] * number for kind, number in pictures.items())
    start = estimates.start_seconds(jobs) / cores
    whole = start + first + check + generate + training
    words = estimates.hours_minutes
    message = (
        f"about {words(whole)} with {cores} cores{' and a GPU' if gpu else ''}\n"
        f"starting {sum(jobs.values())} jobs: {words(start)}\n"
        f"crop and landmarks of {plan.frames} frames, depth of the plan: {words(first)}\n"
        f"generate {plan.generated} pictures: {words(generate)} (rough), quality: {words(check)}\n"
        f"train, {plan.trained} pictures in all: {words(training)} (from one step)"
    )
    long = whole > 2 * 86_400
    advice = (
        "a GPU, fewer pictures (prompts.keep.variants), or a cluster (see docs/how-to/cluster.md)"
        if long
        else ""
    )
    return Finding("note" if long else "ok", "time", message, advice)
