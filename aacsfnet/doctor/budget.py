"""The plan of a data set's pictures, summed up: how many of which band, and what they cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from aacsfnet import tables
from aacsfnet.augmentation.plan.levels import BANDS, band_of
from aacsfnet.config import Config
from aacsfnet.datasets import Label, open_dataset
from aacsfnet.devices import has_gpu
from aacsfnet.doctor.estimates import generation_seconds, hours_minutes
from aacsfnet.doctor.machine import cores_here
from aacsfnet.errors import DataError
from aacsfnet.layout import Layout
from aacsfnet.tables import KINDS


@dataclass
class Share:
    """A band's part of a plan.

    Attributes:
        labels: which labels the band holds, in words.
        frames: usable real frames in it.
        pictures: to make with a label in it, by kind.
    """

    labels: str
    frames: int = 0
    pictures: Counter[str] = field(default_factory=Counter)


def budget(plan: pl.DataFrame, frames: pl.DataFrame, label: Label) -> list[Share]:
    """Return the plan by band, the lowest label first, with the bands that occur.

    Args:
        plan: rows of the prompts tables: `label`, `status` and `kind` of each picture.
        frames: usable real frames: `label`.
        label: of the data set.
    """
    step = (label.high - label.low) / BANDS
    shares = [Share(f"{label.low:g}")]
    shares += [Share(f"up to {label.low + step * number:g}") for number in range(1, BANDS + 1)]
    for value in frames["label"]:
        shares[band_of(value, label.low, label.high)].frames += 1
    for value, kind in plan.filter(status="ok").select("label", "kind").iter_rows():
        shares[band_of(value, label.low, label.high)].pictures[kind] += 1
    return [share for share in shares if share.frames or share.pictures]


def read_plan(files: Sequence[Path], index: Path, label: Label) -> list[Share]:
    """Return the plan that prompts tables hold, beside the frames that they were made from.

    Args:
        files: prompts tables.
        index: the index table: the frames' own labels.
        label: of the data set.
    """
    columns = ["frame_id", "label", "status", "kind"]
    plan = pl.concat([tables.read(file, columns) for file in files])
    usable = plan.filter(pl.col("status").is_in(["ok", "not_selected"])).select("frame_id").unique()
    frames = tables.read(index, ["frame_id", "label"]).join(usable, on="frame_id", how="semi")
    return budget(plan, frames.drop_nulls(), label)


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
            shares = read_plan(files, layout.index, label)
            seconds = generation_seconds(layout.config(scope), gpu, cores)
            words = in_words(shares, label, seconds, where)
        else:
            folder = layout.stage(prompts, "prompts")
            words = f"{folder}: no tables; run the prompts stage first"
        parts.append((names, words))
    if not found:
        raise DataError(parts[0][1])
    if len(parts) == 1:
        return parts[0][1]
    return "\n\n".join(f"experiments {', '.join(names)}:\n{words}" for names, words in parts)


def in_words(shares: list[Share], label: Label, seconds: Mapping[str, float], where: str) -> str:
    """Return the plan as a table for the eye: labels by kind of picture, sums and time.

    Args:
        shares: of `budget`.
        label: of the data set.
        seconds: that one picture of each kind takes.
        where: what generates them, in words.
    """
    whole = Share("all", sum(share.frames for share in shares))
    for share in shares:
        whole.pictures += share.pictures
    lines = ["".join(f"{title:>10}" for title in (label.name, "frames", *KINDS, "pictures"))]
    for share in [*shares, whole]:
        made = share.pictures
        numbers = (share.frames, *(made[kind] for kind in KINDS), made.total())
        lines.append(f"{share.labels:>10}" + "".join(f"{number:>10}" for number in numbers))
    times = {kind: seconds[kind] * whole.pictures[kind] for kind in KINDS}
    kinds = ", ".join(
        f"{kind} {hours_minutes(times[kind])}" for kind in KINDS if whole.pictures[kind]
    )
    parts = f" ({kinds})" if kinds else ""
    total = hours_minutes(sum(times.values()))
    return "\n".join([*lines, f"about {total} of generation with {where}{parts}"])
