"""The gate's faces measured: who is told from whom, and what a smile and a re-encoding do.

    python -m benchmarks.likeness --people 60 --photographs FOLDER

Rendered people are ones that training, demo and other benchmarks never show; each is seen twice in
one pose, with another expression and in another light, and beside somebody else in that pose. The
folder holds `<person>_neutral.jpg` and `<person>_smiling.jpg`, as the Face Research Lab London Set
does; the gate takes each of the two as if it were made from the other. Writes
benchmarks/results/likeness-<date>.json with machine, versions and commit.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from sklearn.metrics import roc_auc_score

from aacsfnet.augmentation.gate.judge import Judge, faults
from aacsfnet.augmentation.gate.likeness import likeness
from aacsfnet.augmentation.gate.resemblance import corner_height
from aacsfnet.config import Crop, Quality
from aacsfnet.faces import FaceExtractor
from aacsfnet.faces.mesh import CropLandmarker
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import render
from aacsfnet.seeds import seed_of
from benchmarks.gate import KEEP
from benchmarks.observer import accuracy
from benchmarks.records import record
from tools.miniature.data import FRAME_SIZE, circumstances, expression_of

_NAMESPACE = "likeness"
_SHIFT, _JPEG_QUALITY = 2, 85


@dataclass(frozen=True)
class Face:
    """A crop, its landmarks, and the true height of the mouth's corners where it is known."""

    crop: np.ndarray
    points: np.ndarray
    corners: float = np.nan


def areas(same: list[tuple[Face, Face]], others: list[tuple[Face, Face]]) -> dict:
    """Return the area under the ROC curve by which each distance tells people apart."""
    truth = [False] * len(same) + [True] * len(others)
    found = [likeness(a.crop, b.crop, a.points, b.points) for a, b in same + others]
    return {
        "same": len(same),
        "others": len(others),
        **{
            name: {
                "area": float(roc_auc_score(truth, values)),
                "same_95": float(np.percentile(values[: len(same)], 95)),
                "others_5": float(np.percentile(values[len(same) :], 5)),
            }
            for name in ("pixel_distance", "shape_distance")
            for values in [[getattr(each, name) for each in found]]
        },
    }


def rendered(people: int) -> dict:
    """Return how well rendered people are told apart, and the error of `corner_height`."""
    with FaceExtractor() as extractor:

        def seen(who: int, units: int, around: int, pose: int) -> Face | None:
            person, expression, light = (
                np.random.default_rng(seed_of(_NAMESPACE, kind, number))
                for kind, number in (("person", who), ("units", units), ("light", around))
            )
            turned, *_ = circumstances(np.random.default_rng(seed_of(_NAMESPACE, "pose", pose)))
            _, *lit = circumstances(light)
            made = render(
                Person.from_seed(int(person.integers(2**31))),
                expression_of(expression), turned, *lit, size=FRAME_SIZE,
            )  # fmt: skip
            found = extractor.find(made.picture)
            if not found:
                return None
            truth = float(corner_height(made.landmarks_px.astype(float)))
            return Face(found[0].crop, found[0].landmarks_px.astype(float), truth)

        same, others = [], []
        for who in range(people):
            first = seen(who, 2 * who, 2 * who, who)
            second = seen(who, 2 * who + 1, 2 * who + 1, who)
            other = seen(who + people, 2 * who, 2 * who, who)
            if first and second and other:
                same.append((first, second))
                others.append((first, other))
    with CropLandmarker(0.5) as landmarker:
        heights = [
            [float(corner_height(landmarker.looks(each.crop, each.points)).mean()) for each in pair]
            for pair in same
        ]
    true = np.array([second.corners - first.corners for first, second in same])
    return areas(same, others) | {
        "mouth_corners": accuracy(true, np.array([after - before for before, after in heights]))
    }


def shifted(crop: np.ndarray) -> np.ndarray:
    """Return a crop moved right and down and encoded again."""
    matrix = np.array([[1, 0, _SHIFT], [0, 1, _SHIFT]], float)
    moved = cv2.warpAffine(crop, matrix, crop.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    _, encoded = cv2.imencode(".jpg", moved[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])


def photographs(folder: Path, size: int) -> dict:
    """Return how people are told apart, and what the gate refuses, on crops of one size."""
    faces: dict[str, dict[str, Face]] = {}
    with FaceExtractor(Crop(size=size)) as extractor:
        for path in sorted(folder.glob("*_*.jpg")):
            person, _, expression = path.stem.partition("_")
            (found,) = extractor.find(path)
            face = Face(found.crop, found.landmarks_px.astype(float))
            faces.setdefault(person, {})[expression] = face
    limits = Quality()
    with CropLandmarker(0.5) as landmarker:

        def refused(source: Face, picture: np.ndarray) -> list[str]:
            judge = Judge(landmarker, None)
            judge.turn_to("source", source.crop, source.points)
            scores = KEEP | judge.scores(picture, KEEP)
            return faults(scores, limits, limits.max_measure_difference)

        def share(refusals: list[list[str]]) -> dict:
            return {"pictures": len(refusals), "refused": sum(map(bool, refusals))}

        gate = {
            f"{after}_as_{before}": share(
                [refused(each[before], each[after].crop) for each in faces.values()]
            )
            for before, after in (("neutral", "smiling"), ("smiling", "neutral"))
        } | {
            "encoded_again_and_shifted": share(
                [
                    refused(face, shifted(face.crop))
                    for each in faces.values()
                    for face in each.values()
                ]
            )
        }
    pairs = {
        (a, b): (faces[a]["neutral"], faces[b]["smiling"]) for a, b in product(faces, repeat=2)
    }
    same = [pair for (a, b), pair in pairs.items() if a == b]
    return areas(same, [pair for (a, b), pair in pairs.items() if a != b]) | {"gate": gate}


def main() -> None:
    """Run what the command line asks for and keep the figures."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=60, help="rendered people")
    parser.add_argument("--photographs", type=Path, help="folder; without it, rendered people only")
    given = parser.parse_args()
    work: dict[str, Callable[[], dict]] = {"rendered": lambda: rendered(given.people)}
    if given.photographs:
        for size in (128, 256):
            work[f"photographs_{size}px"] = lambda size=size: photographs(given.photographs, size)
    started = time.perf_counter()
    results = {name: measure() for name, measure in work.items()}
    record("likeness", results, time.perf_counter() - started, gate=Quality().model_dump())


if __name__ == "__main__":
    main()
