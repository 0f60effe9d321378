"""The gate's bounds, calibrated on real frames.

How far may a face's measures differ while the expression is still the same? Pairs of real frames
of one person tell: those with equal labels should pass the bound, those whose labels lie far apart
should not. Measures are free of position, size and pose, so any two frames of a person can be
compared.

A person's bounds come from that person's own frames alone. A generated picture is trained on only
where its person is, so no bound ever sees a held-out person, whatever the folds are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aacsfnet import tables
from aacsfnet.augmentation.gate.resemblance import SMALLEST_CHANGE
from aacsfnet.config import Config, Quality
from aacsfnet.datasets import Label, open_dataset
from aacsfnet.errors import DataError
from aacsfnet.faces.action_units import estimated_pspi, usual_face
from aacsfnet.layout import Layout
from aacsfnet.tables import PAIN_MEASURES

#: Labels that differ by at least this share of their range count as different: 2 of PSPI's 16.
APART = 1 / 8
#: Frames of a person in one shard that are compared at most; they are spread evenly over all.
MOST_FRAMES = 400
#: Fewer pairs of either kind, or a smaller area under the ROC curve, calibrate nothing.
ENOUGH_PAIRS, ENOUGH_AREA = 100, 0.7

#: The scores that are calibrated, with the bounds tried: interocular distances, points of PSPI.
BOUNDS: dict[str, NDArray[np.float64]] = {
    "measure_difference": np.arange(5, 301) / 1000,
    "pspi_difference": np.arange(1, 161) / 20,
}


@dataclass(frozen=True)
class Pairs:
    """How many pairs of real frames pass each bound on a score.

    Attributes:
        bounds: `(n,)` rising.
        same: `(n,)` pairs of one person with equal labels that pass each.
        different: `(n,)` likewise of pairs whose labels lie far apart.
        same_pairs: of the one kind in all.
        different_pairs: of the other.
    """

    bounds: NDArray[np.float64]
    same: NDArray[np.int64]
    different: NDArray[np.int64]
    same_pairs: int
    different_pairs: int

    @classmethod
    def of(
        cls,
        bounds: NDArray[np.float64],
        same: NDArray[np.floating],
        different: NDArray[np.floating],
    ) -> Self:
        """Count pairs by their differences, `(p,)` and `(q,)`."""
        passed, other = (
            np.searchsorted(np.sort(kind), bounds, side="right") for kind in (same, different)
        )
        return cls(bounds, passed, other, len(same), len(different))

    @classmethod
    def read(cls, score: str, noted: dict[str, Any]) -> Self:
        """Return what `noted` wrote of a score."""
        same, different = (np.array(noted[kind], np.int64) for kind in ("same", "different"))
        return cls(BOUNDS[score], same, different, noted["same_pairs"], noted["different_pairs"])

    def noted(self) -> dict[str, Any]:
        """Return the counts as JSON holds them."""
        return {
            "same": self.same.tolist(),
            "different": self.different.tolist(),
            "same_pairs": self.same_pairs,
            "different_pairs": self.different_pairs,
        }

    def __add__(self, other: "Pairs") -> "Pairs":
        """Return the pairs of both; a pair never joins two people."""
        return Pairs(
            self.bounds,
            self.same + other.same,
            self.different + other.different,
            self.same_pairs + other.same_pairs,
            self.different_pairs + other.different_pairs,
        )

    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return which share of same and of different pairs passes each bound; NaN without any."""
        return (
            self.same / (self.same_pairs or np.nan),
            self.different / (self.different_pairs or np.nan),
        )

    def at(self, bound: float) -> tuple[float, float]:
        """Return which share of same and of different pairs passes a bound."""
        same, different = self.shares()
        return (
            float(np.interp(bound, self.bounds, same)),
            float(np.interp(bound, self.bounds, different)),
        )

    @property
    def best(self) -> float:
        """The bound with the largest difference of the two shares (Youden's J)."""
        same, different = self.shares()
        return float(self.bounds[np.argmax(same - different)])

    @property
    def area(self) -> float:
        """The area under the ROC curve; 0.5 is chance, NaN without pairs of both kinds."""
        same, different = (np.concatenate([[0.0], share, [1.0]]) for share in self.shares())
        return float((np.diff(different) * (same[1:] + same[:-1]) / 2).sum())

    @property
    def tells(self) -> bool:
        """Whether the pairs are many enough, and their kinds far enough apart, to set a bound."""
        enough = min(self.same_pairs, self.different_pairs) >= ENOUGH_PAIRS
        return enough and self.area >= ENOUGH_AREA


def largest_changes(
    values: NDArray[np.floating], labels: NDArray[np.floating], apart: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the largest difference of a value for one person's same and different pairs.

    Args:
        values: `(n, m)` of each frame.
        labels: `(n,)`.
        apart: least difference of the labels of a different pair.
    """
    first, second = np.triu_indices(len(labels), 1)
    change = np.abs(values[first] - values[second]).max(axis=1, initial=0.0)
    gap = np.abs(labels[first] - labels[second])
    return change[gap == 0], change[gap >= apart]


def pairs_of(faces: Sequence[dict[str, Any]], label: Label) -> dict[str, Pairs]:
    """Return the pairs of one person's real frames for each score.

    Args:
        faces: rows of one landmarks table with their `label`; only those that are "ok" count, and
            of which no measure of pain is unknown because something covers the face.
        label: of the data set.
    """
    usable = [
        face
        for face in faces
        if face["status"] == "ok" and None not in map(face["measures"].get, PAIN_MEASURES)
    ]
    some = usable[:: max(1, -(-len(usable) // MOST_FRAMES))]
    labels = np.array([face["label"] for face in some], np.float64)
    names = list(PAIN_MEASURES)
    measured = np.array([[face["measures"][name] for name in names] for face in some], np.float64)
    measured = measured.reshape(-1, len(names))
    usual = usual_face([face["measures"] for face in usable])
    by_name = dict(zip(names, measured.T, strict=True))
    # Without a usual face PSPI cannot be estimated, and no pair tells anything about it.
    pspi = measured[:0, :1] if usual is None else estimated_pspi(by_name, usual)[:, None]
    apart = APART * (label.high - label.low)
    return {
        score: Pairs.of(bounds, *largest_changes(values, labels[: len(values)], apart))
        for (score, bounds), values in zip(BOUNDS.items(), (measured, pspi), strict=True)
    }


def bound_of(counted: Pairs, limits: Quality) -> float:
    """Return the bound on `measure_difference` for one person's pictures.

    The settings' bound is the highest; with `quality.calibrate`, a person whose own frames tell
    labels apart at a lower one gets that, but none below what the mesh itself errs.
    """
    highest = limits.max_measure_difference
    if not (limits.calibrate and counted.tells):
        return highest
    return min(highest, max(counted.best, SMALLEST_CHANGE))


Calibration = tuple[Quality, dict[str, Pairs]]


def calibrate(config: Config, results: Path) -> dict[str, Calibration | str]:
    """Return the pairs of all people of a data set's real frames, for each score.

    Args:
        config: all settings.
        results: the data set's results folder, with its index and `landmarks` tables.

    Returns:
        The gate's settings and the pairs, for each group of experiments that share both, or in
        words why there are none; the key names them.

    Raises:
        DataError: there is no index, or no group has landmarks with pairs of both kinds.
    """
    label = open_dataset(config).label
    layout = Layout(config, results)
    shards = layout.shards()
    found: dict[str, Calibration | str] = {}
    for scope, names in layout.scopes("quality").items():
        landmarks = layout.scope(names[0], "landmarks")
        try:
            if not (files := layout.finished(landmarks, "landmarks", shards)):
                folder = layout.stage(landmarks, "landmarks")
                raise DataError(f"{folder}: no tables; run the landmarks stage first")
            pairs = _pooled_pairs(files, layout.index, label)
            found[", ".join(names)] = layout.config(scope).quality, pairs
        except DataError as error:
            found[", ".join(names)] = str(error)
    if all(isinstance(each, str) for each in found.values()):
        raise DataError(str(next(iter(found.values()))))
    return found


def with_labels(faces: pl.DataFrame, index: Path) -> pl.DataFrame:
    """Return rows of one landmarks table with the labels that the index table gives them."""
    subjects = faces["subject"].unique().to_list()
    own = tables.read(index, ["frame_id", "label"], pl.col("subject").is_in(subjects))
    return tables.labelled(faces, own)


def by_subject(faces: pl.DataFrame) -> Iterator[tuple[tuple[str], pl.DataFrame]]:
    """Yield each subject of a table, and that subject's rows in their order."""
    return iter(faces.group_by("subject", maintain_order=True))  # type: ignore[arg-type]


def _pooled_pairs(files: Sequence[Path], index: Path, label: Label) -> dict[str, Pairs]:
    columns = ["frame_id", "subject", "status", "measures"]
    faces = (with_labels(tables.read(file, columns), index) for file in files)
    people = [pairs_of(own.to_dicts(), label) for rows in faces for _, own in by_subject(rows)]
    pooled = {score: pool([person[score] for person in people]) for score in BOUNDS}
    for counted in pooled.values():
        if not counted.same_pairs or not counted.different_pairs:
            raise DataError(
                f"{files[0].parent}: {counted.same_pairs} pairs of frames of one subject with equal"
                f" labels and {counted.different_pairs} with labels"
                f" {APART * (label.high - label.low):g} or more apart; both kinds are needed"
            )
    return pooled


def in_words(found: Mapping[str, Calibration | str]) -> str:
    """Return what `calibrate` found as lines for a terminal."""
    lines = []
    for experiments, calibration in found.items():
        lines += [f"experiments {experiments}:"] if len(found) > 1 else []
        if isinstance(calibration, str):
            lines.append(calibration)
            continue
        limits, scores = calibration
        for score, pairs in scores.items():
            lines.append(
                f"{score}: {pairs.same_pairs} pairs of one subject's frames with equal labels, "
                f"{pairs.different_pairs} with labels far apart; area under the ROC curve "
                f"{pairs.area:.3f}"
            )
            key = f"max_{score}"
            for words, bound in ((f"quality.{key}", getattr(limits, key)), ("best", pairs.best)):
                same, different = pairs.at(bound)
                lines.append(
                    f"  {words} {bound:g}: {same:.1%} of equal and {different:.1%} of others pass"
                )
    return "\n".join(lines)


def pool(parts: Sequence[Pairs]) -> Pairs:
    """Return the pairs of several people together; at least one part."""
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return whole
