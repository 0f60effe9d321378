"""A look at the configured data set and the machine before anything runs.

Every finding says what was met and what to do about it. Nothing is written but a few temporary
files: a sample of frames goes through the first stages, to see faces found and time taken.
"""

import os
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from aacsfnet import estimates
from aacsfnet.config import Config
from aacsfnet.datasets import NOTES, Dataset, open_dataset
from aacsfnet.datasets.index import check_plan, counts, judge, with_defaults
from aacsfnet.errors import AacsfnetError
from aacsfnet.rehearsal import Rehearsal, rehearse, training_seconds
from aacsfnet.table import STATUSES

Level = Literal["ok", "note", "warning", "error"]

#: Rows shown of a list; what is left out is counted.
_MOST_LINES = 40
_LEAST_MEMORY = 8e9


@dataclass(frozen=True)
class Finding:
    """One thing met: how grave, about what, what it is, and what to do ("" if nothing)."""

    level: Level
    about: str
    message: str
    advice: str = ""


def diagnose(config: Config) -> list[Finding]:
    """Return everything worth knowing before a run; "error" findings would stop it."""
    findings = [*_machine(), *_models(config)]
    try:
        dataset = open_dataset(config)
        rows = judge(with_defaults(dataset.index()), dataset.label)
        check_plan(rows, dataset.subjects(), dataset.exact_scan)
    except AacsfnetError as error:
        return [*findings, Finding("error", "data", str(error), "correct this first")]
    usable = rows.filter(pl.col("status") == "ok")
    findings += [_people(rows, dataset), *_states(rows), *_oddities(rows, dataset)]
    findings += _subjects(rows, usable)
    findings += _folds(config, usable["subject"].n_unique())
    if len(usable):
        findings += _outlook(config, usable.with_columns(shard=pl.lit("")))
    else:
        reason = rows["reason"][0] if len(rows) else "there is no row"
        findings.append(Finding("error", "data", f"no frame can be used; the first: {reason}"))
    return findings


def render(findings: list[Finding]) -> str:
    """Return findings as text for a terminal, the gravest last, with a closing line."""
    marks = {"ok": "  ok   ", "note": " note  ", "warning": "WARNING", "error": " ERROR "}
    order = list(marks)
    lines = []
    for finding in sorted(findings, key=lambda finding: order.index(finding.level)):
        head, *rest = finding.message.splitlines() or [""]
        lines.append(f"{marks[finding.level]}  {finding.about}: {head}")
        lines += [f"         {line}" for line in rest]
        if finding.advice:
            lines.append(f"         -> {finding.advice}")
    found = Counter(finding.level for finding in findings)
    closing = f"{found['error']} errors, {found['warning']} warnings, {found['note']} notes"
    return "\n".join([*lines, closing])


# ---- the data ----


def _people(rows: pl.DataFrame, dataset: Dataset) -> Finding:
    """Count frames by subject and level of the label."""
    label = dataset.label
    usable = rows.filter(pl.col("status") == "ok")
    low, high = round(label.low), round(label.high)
    width = max(1, -(-(high - low + 1) // 17))
    levels: dict[str, Counter[int]] = defaultdict(Counter)
    for subject, value in usable.select("subject", "label").iter_rows():
        levels[subject][low + (round(value) - low) // width * width] += 1
    total = Counter(dict(rows["subject"].value_counts().iter_rows()))
    met = {level for here in levels.values() for level in here}
    shown = [level for level in range(low, high + 1, width) if level in met]
    head = "".join(f"{level:>7}" for level in shown)
    lines = [f"{'subject':<20}{'frames':>8}{'usable':>8}  {label.name}{head}"]
    gap = " " * len(label.name)
    for subject in sorted(total)[:_MOST_LINES]:
        here = "".join(f"{levels[subject][level] or '':>7}" for level in shown)
        name = subject if len(subject) <= 19 else subject[:18] + "…"
        lines.append(f"{name:<20}{total[subject]:>8}{levels[subject].total():>8}  {gap}{here}")
    if len(total) > _MOST_LINES:
        lines.append(f"… and {len(total) - _MOST_LINES} subjects more")
    sums = "".join(f"{sum(c[level] for c in levels.values()):>7}" for level in shown)
    lines.append(f"{'all':<20}{total.total():>8}{len(usable):>8}  {gap}{sums}")
    kind = f"{label.name} {label.low:g}–{label.high:g}, {label.meaning}"
    head = f"{len(rows)} frames of {len(total)} subjects; label: {kind}"
    return Finding("ok", "data", "\n".join([head, *lines]))


def _states(rows: pl.DataFrame) -> Iterator[Finding]:
    """Report the frames that cannot be used, by status."""
    for status, count in counts(rows, "status").items():
        if status == "ok":
            continue
        example = rows.filter(pl.col("status") == status)["reason"][0]
        share = count / len(rows)
        yield Finding(
            "warning",
            f"status {status}",
            f"{count} frames ({share:.1%}): {STATUSES[status]}\nfirst: {example}",
            _ADVICE.get(status, "") or "these frames are kept as rows and left out of training",
        )


_ADVICE = {
    "missing_file": "restore the files, or correct the paths and the root; otherwise left out",
    "outside_root": "name the folder in index.further_roots if you mean it to be read",
    "duplicate": "remove the second row; the first counts",
    "bad_subject": "fill in who it is; without a subject, folds would leak",
    "bad_label": "correct the label or its range in the settings; otherwise left out",
}


def _oddities(rows: pl.DataFrame, dataset: Dataset) -> Iterator[Finding]:
    """Report what was evened out, and what belongs to no frame."""
    for note, count in counts(rows, "notes").items():
        message = f"{count} frames: {NOTES[note]}"
        if note in ("pspi_differs", "class_differs"):
            message = "\n".join([message, *_listed(rows, note)])
        yield Finding("note", note, message)
    for remark, count in dataset.remarks().items():
        yield Finding("note", "data", f"{count} x {remark}")


def _listed(rows: pl.DataFrame, note: str) -> list[str]:
    """Return the frames that have a note, with its words."""
    found = rows.select("frame_id", "notes").explode("notes", empty_as_null=True)
    found = found.filter(pl.col("notes").str.starts_with(note))
    lines = [f"{frame}{text.removeprefix(note)}" for frame, text in found.iter_rows()]
    more = len(lines) - _MOST_LINES
    return lines[:_MOST_LINES] + ([f"… and {more} more"] if more > 0 else [])


def _subjects(rows: pl.DataFrame, usable: pl.DataFrame) -> Iterator[Finding]:
    """Report subjects that will trouble folds or figures."""
    everybody, useful = set(rows["subject"]), set(usable["subject"])
    if unusable := sorted(everybody - useful):
        shown = ", ".join(unusable[:8])
        yield Finding("warning", "subjects", f"{len(unusable)} without a usable frame: {shown}")
    spelled: dict[str, set[str]] = defaultdict(set)
    for subject in everybody:
        spelled[" ".join(subject.casefold().split())].add(subject)
    for names in spelled.values():
        if len(names) > 1:
            yield Finding(
                "warning",
                "subjects",
                f"{', '.join(sorted(names))} differ in case or blanks only",
                "if they are one person, give them one name, or that person leaks between folds",
            )
    levels = usable.group_by("subject").agg(pl.col("label").n_unique()).filter(pl.col("label") == 1)
    if len(levels):
        shown = ", ".join(sorted(levels["subject"])[:8])
        message = f"{len(levels)} with one label throughout: {shown}"
        yield Finding("note", "subjects", message, "their own correlation is undefined and counted")
    splits = rows.filter(pl.col("split") != "").group_by("subject").agg(pl.col("split").n_unique())
    if mixed := sorted(splits.filter(pl.col("split") > 1)["subject"]):
        message = f"{len(mixed)} in more than one split of the table: {', '.join(mixed[:8])}"
        yield Finding("warning", "subjects", message, "folds are made of subjects; see merge.folds")


def _folds(config: Config, subjects: int) -> Iterator[Finding]:
    """Check that there are people enough to hold out, to validate on and to train on."""
    folds = subjects if config.merge.folds == "loso" else config.merge.folds
    validation = config.merge.validation_subjects
    training = subjects - -(-subjects // max(1, folds)) - validation
    if folds > subjects or training < 1:
        yield Finding(
            "error",
            "merge.folds",
            f"{subjects} usable subjects cannot fill {folds} folds with {validation} to validate "
            "on and one to train on",
            "lessen merge.folds or merge.validation_subjects, or add subjects",
        )


# ---- machine and models ----


def _machine() -> Iterator[Finding]:
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    message = f"{_cores()} CPU cores, {estimates.gigabytes(memory)} of memory"
    scarce = memory < _LEAST_MEMORY
    advice = "run fewer jobs at once (--cores 1)" if scarce else ""
    yield Finding("warning" if scarce else "ok", "machine", message, advice)
    load = os.getloadavg()[0]
    if load > _cores():
        message = f"{load:.1f} processes at work on {_cores()} cores: it is busy"
        yield Finding("note", "machine", message, "the times told here are longer than when idle")
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, whole = torch.cuda.mem_get_info(number)
            name = torch.cuda.get_device_name(number)
            message = f"{name}, {estimates.gigabytes(free)} of {estimates.gigabytes(whole)} free"
            busy = free < 0.5 * whole
            yield Finding("warning" if busy else "ok", f"GPU {number}", message)
    else:
        yield Finding("note", "GPU", "none found", "generate and train will run on the CPU")


def _models(config: Config) -> Iterator[Finding]:
    from aacsfnet.augmentation import model_files

    name = config.generate.model
    try:
        folder = model_files.model_folder(name, config.generate.controlnet)
        card = model_files.describe(folder)
    except AacsfnetError as error:
        yield Finding("error", "generate.model", str(error), "or keep the default: bundled")
    else:
        untrained = card.get("trained") is False
        yield Finding(
            "warning" if untrained else "ok",
            "generate.model",
            f"{name}: {'untrained' if untrained else 'found'} in {folder}",
            "its pictures are noise and the gate rejects them" if untrained else "",
        )
    weights = config.train.pretrained
    if isinstance(weights, Path):
        there = weights.is_file() and weights.suffix == ".safetensors"
        yield Finding(
            "ok" if there else "error",
            "train.pretrained",
            f"{weights}: {'found' if there else 'no such safetensors file'}",
        )


# ---- what a run will take ----


def _outlook(config: Config, usable: pl.DataFrame) -> Iterator[Finding]:
    """Rehearse on a sample; report faces found, disk needed and time."""
    try:
        rehearsal = rehearse(config, usable)
        training = training_seconds(config)
    except AacsfnetError as error:
        yield Finding("error", "rehearsal", str(error), "correct this first")
        return
    yield _faces(rehearsal)
    plan = estimates.plan_of(config, usable["label"].to_list(), usable["subject"].n_unique())
    yield _disk(config, plan, rehearsal)
    yield _time(config, plan, rehearsal, training)


def _faces(rehearsal: Rehearsal) -> Finding:
    seen = sum(rehearsal.statuses.values())
    found = rehearsal.statuses.get("ok", 0)
    lines = [f"{found} of {seen} sampled frames gave a face with landmarks"]
    lines += [f"{status}: {reason}" for status, reason in sorted(rehearsal.reasons.items())]
    if found >= 0.9 * seen:
        return Finding("ok", "faces", "\n".join(lines))
    advice = "look at these frames; crop.min_face, crop.min_confidence and crop.people decide"
    return Finding("warning", "faces", "\n".join(lines), advice)


def _disk(config: Config, plan: estimates.Plan, rehearsal: Rehearsal) -> Finding:
    needed = estimates.disk_bytes(config, plan, rehearsal)
    folder = Path(config.results).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    message = f"about {estimates.gigabytes(needed)} needed in {config.results}, "
    message += f"{estimates.gigabytes(free)} free"
    if needed > free:
        return Finding("error", "disk", message, "name another folder in results, or make room")
    tight = needed > 0.5 * free
    return Finding("warning" if tight else "ok", "disk", message)


def _time(config: Config, plan: estimates.Plan, rehearsal: Rehearsal, training: float) -> Finding:
    import torch

    cores, gpu = _cores(), torch.cuda.is_available()
    first = plan.frames * sum(rehearsal.seconds.values()) / cores
    check = plan.generated * (rehearsal.seconds["landmarks"] + rehearsal.seconds["crop"]) / cores
    generate = plan.generated * estimates.generation_seconds(config, gpu, cores)
    train = plan.trained * training
    words = estimates.hours_minutes
    message = (
        f"about {words(first + check + generate + train)} with {cores} cores"
        f"{' and a GPU' if gpu else ''}, without starting up\n"
        f"crop, landmarks and depth of {plan.frames} frames: {words(first)} (rehearsed)\n"
        f"generate {plan.generated} pictures: {words(generate)} (rough), quality: {words(check)}\n"
        f"train, {plan.trained} pictures in all: {words(train)} (from one step)"
    )
    long = first + check + generate + train > 2 * 86_400
    advice = "a GPU, fewer prompts.variants, or a cluster (see docs/running.md)" if long else ""
    return Finding("note" if long else "ok", "time", message, advice)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
