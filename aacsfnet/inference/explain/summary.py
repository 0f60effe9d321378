"""Attributions of many frames as figures: shares by region, with people resampled, and maps.

The report reads them, without torch.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.evaluation.statistics import Interval, interval, resamples
from aacsfnet.files import digest_of
from aacsfnet.layout import Layout
from aacsfnet.tables import FUSED, PARTS

#: Levels are put together until no more than so many groups are left.
MOST_GROUPS = 6


@dataclass(frozen=True)
class Group:
    """Neighbouring levels, rounded labels.

    Attributes:
        lowest, highest: of the levels.
        subjects: people who show one of them.
        shares: of the attribution by branch, then by region.
        maps: by branch, `(side, side)` on the mean face; 1 is what an even spread would be.
    """

    lowest: float
    highest: float
    subjects: int
    shares: dict[str, dict[str, Interval]]
    maps: dict[str, np.ndarray]


@dataclass(frozen=True)
class Explained:
    """What networks read.

    Attributes:
        frames, subjects: how many there are.
        ignored: rows in which no pixel moves the score.
        shares: of the attribution by branch, then by region, over all levels.
        amounts: attribution by branch, as a share of the whole network's.
        areas: mean share of the picture by region.
        groups: the same by levels, rising.
    """

    frames: int
    subjects: int
    ignored: int
    shares: dict[str, dict[str, Interval]]
    amounts: dict[str, float]
    areas: dict[str, float]
    groups: list[Group]

    @property
    def branches(self) -> list[str]:
        """The branches, the whole network last."""
        return list(self.shares)


def models_of(layout: Layout, experiment: str) -> dict[str, str]:
    """Return the checksum of each network of an experiment, by seed and fold."""
    return {
        f"{each.folder.parent.name}/{each.folder.name}": digest_of(each.weights)
        for each in layout.experiment(experiment).trained()
        if each.weights.is_file()
    }


def summarise(rows: pl.DataFrame, count: int, confidence: float) -> Explained:
    """Return the figures of a table of `aacsfnet explain`.

    Each person counts once: frames and seeds of a level are averaged, then levels, then people.
    Intervals come from resampling people.

    Args:
        rows: the table.
        count: of resamples.
        confidence: of the intervals.
    """
    known = rows.filter(pl.col("shares").is_not_null()).with_columns(level=pl.col("label").round(0))
    names = sorted(known["branch"].unique(), key=lambda name: (name == FUSED, name))
    levels = known["level"].unique().sort().to_list()
    parts = np.array_split(np.array(levels), min(MOST_GROUPS, max(1, len(levels))))
    amounts = {name: float(known.filter(branch=name)["amount"].to_numpy().mean()) for name in names}
    areas = known.unique("frame_id").unnest("areas").select(pl.mean(*PARTS)).row(0)
    return Explained(
        frames=rows["frame_id"].n_unique(),
        subjects=rows["subject"].n_unique(),
        ignored=len(rows) - len(known),
        shares={name: _shares(known.filter(branch=name), count, confidence) for name in names},
        amounts={name: amount / amounts[FUSED] for name, amount in amounts.items()},
        areas=dict(zip(PARTS, areas, strict=True)),
        groups=[_group(known, part, names, count, confidence) for part in parts if len(part)],
    )


def _group(
    known: pl.DataFrame, levels: np.ndarray, names: list[str], count: int, confidence: float
) -> Group:
    own = known.filter(pl.col("level").is_in(levels.tolist()))
    return Group(
        lowest=float(levels[0]),
        highest=float(levels[-1]),
        subjects=own["subject"].n_unique(),
        shares={name: _shares(own.filter(branch=name), count, confidence) for name in names},
        maps={name: _map(own.filter(branch=name)) for name in names},
    )


def _shares(rows: pl.DataFrame, count: int, confidence: float) -> dict[str, Interval]:
    by_level = rows.unnest("shares").group_by("subject", "level").agg(pl.mean(*PARTS))
    people = by_level.group_by("subject").agg(pl.mean(*PARTS)).sort("subject")
    values = people.select(PARTS).to_numpy()  # (people, regions)
    if not len(values):
        return {}
    weights = resamples(len(values), count, seed=0)
    draws = weights @ values / weights.sum(axis=1, keepdims=True)
    return {name: interval(draws[:, at], confidence, len(values)) for at, name in enumerate(PARTS)}


def _map(rows: pl.DataFrame) -> np.ndarray:
    """Return the mean map, each person counted once."""
    people = []
    for _, own in rows.group_by("subject", maintain_order=True):
        found = [tables.decode_png(image).astype(np.float64) for image in own["image"]]
        people.append(np.mean([each / max(each.mean(), 1e-12) for each in found], axis=0))
    mean: np.ndarray = np.mean(people, axis=0)
    return mean
