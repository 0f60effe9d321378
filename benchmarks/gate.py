"""What the gate lets through, judged by observers that the gate did not ask."""

import re
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.augmentation.gate.judge import Judge, faults
from aacsfnet.augmentation.gate.resemblance import landmark_errors
from aacsfnet.config import Quality
from aacsfnet.faces.action_units import usual_face
from aacsfnet.faces.geometry import measure_all
from aacsfnet.faces.mesh import CropLandmarker, Square, look_both_ways, square_of_points
from benchmarks.observer import MEASURES, Observer, accuracy, like_pairs

#: Action unit that each of the observer's measures shows.
UNITS = dict(zip(MEASURES, ("au43", "au4", "au10"), strict=True))
#: What a picture that repeats its source's expression shall show.
KEEP = {"kind": "keep", "units": None, "source_units": None}
_OTHER_LOOKS = 16
#: A depth map whose face lies farther from the source's than this is clearly a wrong one.
_CLEARLY_WRONG = 0.1


def judged(
    made: Sequence[np.ndarray | None],
    images: np.ndarray,
    points: np.ndarray,
    people: np.ndarray,
    asked: np.ndarray,
    observer: Observer,
) -> dict:
    """Return figures of pictures whose sources have `points` and whose depth shows `asked`.

    `label_kept_share` tells of the accepted pictures how many changed less than the stated bound
    in what AU43, AU4 and AU10 move: as other looks of the mesh network have it, and as the
    observer, who knows no mesh.
    """
    limits = Quality()
    scores, reasons, kept = [], [], {"other_looks": [], "observer": []}
    asked_errors, accepted_errors, clearly_wrong = [], [], []
    with CropLandmarker(0.5) as landmarker:
        for number, (picture, image) in enumerate(zip(made, images, strict=True)):
            if picture is None:
                reasons.append(["failed"])
                continue
            judge = Judge(landmarker, _usual(points[people == people[number]]))
            judge.turn_to("source", image, points[number])
            score = KEEP | judge.scores(picture, KEEP)
            found = faults(score, limits, limits.max_measure_difference)
            reasons.append([re.split(r" [\d.]+ | by ", reason)[0] for reason in found])
            if score.get("landmark_error") is not None:
                scores.append(score)
                mesh = landmarker.find(picture)
                asked_errors.append(landmark_errors(asked[number], mesh.points)["landmark"])
                if landmark_errors(points[number], asked[number])["landmark"] > _CLEARLY_WRONG:
                    clearly_wrong.append(score["landmark_error"])
            if not found:
                accepted_errors.append(score["landmark_error"])
                first, second = (other_looks(landmarker, one) for one in (image, picture))
                kept["other_looks"].append(second - first)
                kept["observer"].append(observer.changes(image[None], picture[None])[0])
    every = [reason for some in reasons for reason in some]
    return {
        "found": len(scores),
        "accepted": len(accepted_errors),
        "accepted_share": sum(not some for some in reasons) / len(made),
        "median_error_to_source": _median([score["landmark_error"] for score in scores]),
        "clearly_wrong": len(clearly_wrong),
        "median_error_to_source_where_clearly_wrong": _median(clearly_wrong),
        "median_error_to_depth": _median(asked_errors),
        "largest_error_of_accepted": max(accepted_errors, default=None),
        "label_kept_share": {
            who: _kept(np.array(changes), limits.max_possible_difference)
            for who, changes in kept.items()
        },
        "reasons": {reason: every.count(reason) for reason in sorted(set(every))},
    }


def kept_in(results: Path, observer: Observer) -> dict:
    """Return how many accepted pictures of finished results kept their label, by the observer.

    Args:
        results: folder of a data set's results, with crops of 128 pixels.
        observer: who knows no mesh.
    """
    bound = Quality().max_possible_difference
    changes, judged, worst = [], 0, []
    for file in sorted((results / "quality").glob("*.parquet")):
        rows = tables.read(file).filter(pl.col("status").is_in(["ok", "rejected"]))
        judged += len(rows)
        accepted = rows.filter(status="ok")
        worst += accepted["landmark_error"].to_list()
        crops, made = (
            dict(tables.read(results / stage / file.name, [key, "image"]).iter_rows())
            for stage, key in (("crop", "frame_id"), ("generate", "image_id"))
        )
        for image_id, frame_id in accepted.select("image_id", "source_frame_id").iter_rows():
            before, after = (tables.decode_png(x)[None] for x in (crops[frame_id], made[image_id]))
            changes.append(observer.changes(before, after)[0])
    return {
        "judged": judged,
        "accepted": len(changes),
        "accepted_share": len(changes) / judged,
        "largest_error_of_accepted": max(worst, default=None),
        "stated_bound": bound,
        "label_kept_share": {"observer": _kept(np.array(changes), bound)},
    }


def _usual(points: np.ndarray) -> dict[str, float] | None:
    """Return the usual measures of a person whose faces have `points` `(n, 478, 3)`."""
    measured = measure_all(points)
    return usual_face(
        [{name: float(measured[name][face]) for name in measured} for face in range(len(points))]
    )


def _kept(changes: np.ndarray, bound: float) -> dict[str, float] | None:
    if not len(changes):
        return None
    return {
        unit: float((np.abs(changes[:, at]) < bound).mean())
        for at, unit in enumerate(UNITS.values())
    }


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if len(values) else None


def on_like_pairs(observer: Observer, count: int) -> dict:
    """Return how well mesh and observer find the true changes between two like rendered faces.

    The mesh's error of small changes is what `resemblance.MESH_ERROR` holds.
    """
    first, second, true = like_pairs(count)
    seen = observer.changes(first, second)
    report: dict = {
        "observer": {name: accuracy(true[name], seen[:, at]) for at, name in enumerate(MEASURES)}
    }
    looks = []
    with CropLandmarker(0.5) as landmarker:
        for pair in zip(first, second, strict=True):
            measured = [
                measure_all(landmarker.looks(crop, landmarker.find(crop).points)) for crop in pair
            ]
            looks.append([(measured[1][name] - measured[0][name]).mean() for name in true])
    found = dict(zip(true, np.array(looks).T, strict=True))
    return report | {"mesh": {name: accuracy(true[name], found[name]) for name in true}}


def other_looks(landmarker: CropLandmarker, picture: np.ndarray) -> np.ndarray:
    """Return the observer's measures as the mesh has them on other looks than the gate took.

    The picture is mirrored and magnified, and the mean is taken over many squares; with this, the
    network's own noise is below a tenth of the gate's bound.
    """
    larger = cv2.resize(np.ascontiguousarray(picture[:, ::-1]), None, fx=2, fy=2,
                        interpolation=cv2.INTER_CUBIC)  # fmt: skip
    square = square_of_points(landmarker.find(larger).points)
    random = np.random.default_rng(0)
    meshes = []
    for _ in range(_OTHER_LOOKS):
        center_xy = square.center_xy + random.uniform(-0.05, 0.05, 2) * square.side
        side = square.side * np.exp(random.uniform(-0.1, 0.1))
        angle = square.angle + np.radians(random.uniform(-5, 5))
        other = Square(center_xy, side, angle)
        meshes.append(look_both_ways(landmarker._mesh, larger, other).points)
    measured = measure_all(np.stack(meshes))
    return np.array([measured[name].mean() for name in MEASURES])
