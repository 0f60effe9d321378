"""The plan of a data set's pictures, summed up: how many of which band, and what they cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aacsfnet import tables
from aacsfnet.augmentation.plan.levels import BANDS, band_of
from aacsfnet.config import Config
from aacsfnet.datasets import Label, open_dataset
from aacsfnet.devices import has_gpu
from aacsfnet.doctor.estimates import generation_seconds, hours_minutes
from aacsfnet.doctor.machine import cores_here
from aacsfnet.errors import DataError
from aacsfnet.layout import Layout


@dataclass
class Share:
    """A band's part of a plan.

    Attributes:
        labels: which labels the band holds, in words.
        frames: usable real frames.
        sources: those from which pictures are made.
        pictures: to make.
    """

    labels: str
    frames: int = 0
    sources: int = 0
    pictures: int = 0


def budget(rows: Iterable[tuple[str, float, str]], label: Label) -> list[Share]:
    """Return the plan by band, the lowest label first, with the bands that occur.

    Args:
        rows: frame, label and status of each row of the prompts tables.
        label: of the data set.
    """
    step = (label.high - label.low) / BANDS
    shares = [Share(f"{label.low:g}")]
    shares += [Share(f"up to {label.low + step * number:g}") for number in range(1, BANDS + 1)]
    seen: set[str] = set()
    for frame_id, value, status in rows:
        if status not in ("ok", "not_selected"):
            continue
        share = shares[band_of(value, label.low, label.high)]
        if frame_id not in seen:
            seen.add(frame_id)
            share.frames += 1
            share.sources += status == "ok"
        share.pictures += status == "ok"
    return [share for share in shares if share.frames]


def read_plan(files: Sequence[Path], label: Label) -> list[Share]:
    """Return the plan that prompts tables hold."""
    columns = ["frame_id", "label", "status"]
    return budget((row for file in files for row in tables.read(file, columns).iter_rows()), label)


def plan_in_words(config: Config, results: Path) -> str:
    """Return what is planned in a results folder, for each group of experiments that share it.

    Raises:
        DataError: there is no index, or there are no prompts tables at all.
    """
    label = open_dataset(config).label
    layout = Layout(config, results)
    shards = layout.shards()
    gpu, cores = has_gpu(), cores_here()
    where = "a GPU" if gpu else f"{cores} cores"
    found, parts = False, []
    for scope, names in layout.scopes("generate").items():
        prompts = layout.scope(names[0], "prompts")
        files = layout.finished(prompts, "prompts", shards)
        found |= bool(files)
        if files:
            shares = read_plan(files, label)
            each = generation_seconds(layout.config(scope), gpu, cores)
            time = hours_minutes(each * sum(share.pictures for share in shares))
            words = in_words(shares, label, f"about {time} of generation with {where}")
        else:
            folder = layout.stage(prompts, "prompts")
            words = f"{folder}: no tables; run the prompts stage first"
        parts.append((names, words))
    if not found:
        raise DataError(parts[0][1])
    if len(parts) == 1:
        return parts[0][1]
    return "\n\n".join(f"experiments {', '.join(names)}:\n{words}" for names, words in parts)


def in_words(shares: list[Share], label: Label, cost: str) -> str:
    """Return the plan as a table for the eye, with its sum.

    Args:
        shares: of `budget`.
        label: of the data set.
        cost: what generation takes, in words.
    """
    numbers = [(share.frames, share.sources, share.pictures) for share in shares]
    whole = Share("all", *map(sum, zip(*numbers, strict=True)))
    lines = [f"{label.name:>12}{'frames':>10}{'used':>10}{'pictures':>10}"]
    lines += [
        f"{share.labels:>12}{share.frames:>10}{share.sources:>10}{share.pictures:>10}"
        for share in [*shares, whole]
    ]
    return "\n".join([*lines, cost])
