"""The gate's bound on facial measures, calibrated on real frames.

How far may a measure differ while the expression is still the same? Pairs of real frames of one
person tell: those with equal labels should pass the bound, those whose labels lie far apart should
not. Measures are free of position, size and pose, so any two frames of a person can be compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet import table
from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.errors import DataError
from aacsfnet.table import PAIN_MEASURES

#: Labels that differ by at least this share of their range count as different: 2 of PSPI's 16.
APART = 1 / 8
#: Frames of one person that are compared at most; they are spread evenly over all of them.
MOST_FRAMES = 400
_BOUNDS = np.arange(5, 301) / 1000  # eye distances


@dataclass(frozen=True)
class Calibration:
    """What a bound on the largest change of a measure does to pairs of real frames.

    Attributes:
        same_pairs: pairs of one person with equal labels.
        different_pairs: pairs whose labels lie far apart.
        bounds: `(n,)` bounds tried, eye distances.
        same_pass: share of same pairs that pass each.
        different_pass: share of different pairs that pass each.
        best: bound with the largest difference of the two shares (Youden's J).
        area: under the ROC curve; 0.5 is chance.
    """

    same_pairs: int
    different_pairs: int
    bounds: list[float]
    same_pass: list[float]
    different_pass: list[float]
    best: float
    area: float

    def at(self, bound: float) -> tuple[float, float]:
        """Return which share of same and of different pairs passes a bound."""
        return (
            float(np.interp(bound, self.bounds, self.same_pass)),
            float(np.interp(bound, self.bounds, self.different_pass)),
        )


def largest_changes(
    measures: NDArray[np.floating], labels: NDArray[np.floating], apart: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest change of a measure for one person's same and different pairs.

    Args:
        measures: `(n, m)` in eye distances.
        labels: `(n,)`.
        apart: least difference of the labels of a different pair.
    """
    first, second = np.triu_indices(len(labels), 1)
    change = np.abs(measures[first] - measures[second]).max(axis=1, initial=0.0)
    gap = np.abs(labels[first] - labels[second])
    return change[gap == 0], change[gap >= apart]


def calibrated(same: NDArray[np.floating], different: NDArray[np.floating]) -> Calibration:
    """Return what each bound does to same and to different pairs, and the best one.

    Args:
        same: `(n,)` largest changes that should pass.
        different: `(m,)` largest changes that should not.
    """
    same, different = np.sort(same), np.sort(different)
    same_pass = np.searchsorted(same, _BOUNDS, side="right") / len(same)
    different_pass = np.searchsorted(different, _BOUNDS, side="right") / len(different)
    below = np.searchsorted(same, different, side="left")
    up_to = np.searchsorted(same, different, side="right")
    return Calibration(
        same_pairs=len(same),
        different_pairs=len(different),
        bounds=_BOUNDS.tolist(),
        same_pass=same_pass.tolist(),
        different_pass=different_pass.tolist(),
        best=float(_BOUNDS[np.argmax(same_pass - different_pass)]),
        area=float((below + up_to).mean() / 2 / len(same)),  # Mann and Whitney's U
    )


def calibrate(config: Config, results: Path) -> Calibration:
    """Return the calibration of `quality.max_measure_difference` on a data set's real frames.

    Args:
        config: `dataset` and `index` are used, for the label's range.
        results: the data set's results folder, with its `landmarks` tables.

    Raises:
        DataError: there are no landmarks, or no pairs of one of the two kinds.
    """
    label = open_dataset(config).label
    apart = APART * (label.high - label.low)
    pairs = [largest_changes(*person, apart) for person in _people(results / "landmarks")]
    if not pairs:
        raise DataError(f"{results / 'landmarks'}: no tables; run the landmarks stage first")
    same, different = (np.concatenate(kind) for kind in zip(*pairs, strict=True))
    if not len(same) or not len(different):
        raise DataError(
            f"{results}: {len(same)} pairs of frames of one subject with equal labels and "
            f"{len(different)} with labels {apart:g} or more apart; both kinds are needed"
        )
    return calibrated(same, different)


def _people(folder: Path) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield measures `(n, m)` and labels `(n,)` of each subject."""
    import polars as pl

    columns = ["subject", "label", "status", "measures"]
    parts = [table.read(file, columns) for file in sorted(folder.glob("*.parquet"))]
    if not parts:
        return
    frames = pl.concat(parts).filter(status="ok")
    for _, person in frames.group_by("subject", maintain_order=True):
        step = -(-len(person) // MOST_FRAMES)
        some = person.gather_every(step)
        rows: list[dict[str, Any]] = some["measures"].to_list()
        measures = np.array([[row[name] for name in PAIN_MEASURES] for row in rows], np.float64)
        yield measures, some["label"].to_numpy().astype(np.float64)
