"""Landmarks against points that people placed, on the neutral faces of the London Set.

    python -m benchmarks.london --folder london

The folder holds pictures, `manifest.csv` (path, subject, expression, age, gender, ethnicity) and
`points.csv` (subject, point, x, y: 189 points of each neutral picture, the first two the pupils) of
the Face Research Lab London Set (DeBruine and Jones 2017, doi 10.6084/m9.figshare.5047666).

Which mesh point stands where a placed point does is chosen on every other person, the nearest on
average; the error is told on the people between. A placed point to which no mesh point comes near
(hair, ears, neck) has none. Errors are shares of the distance between the placed pupils.
"""

import argparse
import csv
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from aacsfnet import landmark_sets as sets
from aacsfnet.faces import FaceExtractor
from benchmarks.records import record

#: A mesh point farther than this from a placed one on average does not stand for it.
NEAREST = 0.06
GROUPS = {
    "pupils": {sets.RIGHT_IRIS[0], sets.LEFT_IRIS[0]},
    "irises": {*sets.RIGHT_IRIS, *sets.LEFT_IRIS},
    "brows": set(sets.REGION_POINTS["brows"]),
    "eyes": set(sets.REGION_POINTS["eyes"]),
    "mouth": set(sets.REGION_POINTS["mouth"]),
    "outline": set(sets.FACE_OUTLINE),
}


class Face(NamedTuple):
    """A neutral face: mesh `(478, 2)`, placed points `(189, 2)`, both in pupil distances."""

    who: dict[str, str]
    mesh: np.ndarray
    placed: np.ndarray


def group_of(point: int) -> str:
    """Return which part of the face a mesh point belongs to; of several the first."""
    return next((name for name, own in GROUPS.items() if point in own), "nose and cheeks")


def skin_of(picture: np.ndarray, mesh: np.ndarray) -> str:
    """Return the skin's tone on the cheeks by its individual typology angle (Chardon 1991)."""
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    x, y = mesh[[*sets.RIGHT_CHEEK, *sets.LEFT_CHEEK]].round().astype(int).T
    light, _, yellow = np.median(lab[y, x], axis=0)
    angle = np.degrees(np.arctan2(light - 50, yellow))
    return "light" if angle > 41 else "intermediate" if angle > 10 else "dark"


def read(folder: Path) -> tuple[list[Face], dict[str, int]]:
    """Return the neutral faces, and how many pictures of all there are a face was found on."""
    placed: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with (folder / "points.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            placed[row["subject"]].append((float(row["x"]), float(row["y"])))
    with (folder / "manifest.csv").open(newline="") as file:
        people = list(csv.DictReader(file))
    faces, found = [], 0
    with FaceExtractor() as extractor:
        for row in people:
            picture = cv2.imread(str(folder / row["path"]), cv2.IMREAD_COLOR_RGB)
            seen = extractor.find(picture)
            found += len(seen) == 1
            if row["expression"] != "neutral" or not seen:
                continue
            mesh = seen[0].landmarks_in_frame[:, :2]
            points = np.array(placed[row["subject"]])
            pupils = np.linalg.norm(points[1] - points[0])
            skin = skin_of(picture, mesh)
            faces.append(Face(row | {"skin": skin}, mesh / pupils, points / pupils))
    return faces, {"pictures": len(people), "found": found}


def age_of(face: Face) -> str:
    """Return a group of ages."""
    age = face.who["age"]
    if not age.replace(".", "").isdigit():
        return "unknown"
    return "to 24" if float(age) < 25 else "25 to 32" if float(age) < 33 else "from 33"


def errors_of(faces: list[Face], pairs: list[tuple[int, int]]) -> np.ndarray:
    """Return vectors `(people, pairs, 2)` from placed to mesh points."""
    placed, mesh = (list(each) for each in zip(*pairs, strict=True))
    return np.array([face.mesh[mesh] - face.placed[placed] for face in faces])


def told(vectors: np.ndarray) -> dict[str, float]:
    """Return the mean error, and what is left of it when the mean vector of each point is off."""
    varying = vectors - vectors.mean(axis=0)
    return {
        "people": len(vectors),
        "points": vectors.shape[1],
        "error": np.linalg.norm(vectors, axis=2).mean(),
        "constant_part": np.linalg.norm(vectors.mean(axis=0), axis=1).mean(),
        "without_the_constant_part": np.linalg.norm(varying, axis=2).mean(),
    }


def landmarks(folder: Path) -> dict:
    """Return errors by group of points, sex, age and skin."""
    faces, counted = read(folder)
    chosen_on, told_on = faces[::2], faces[1::2]
    apart = np.mean(
        [np.linalg.norm(f.placed[:, None] - f.mesh[None], axis=2) for f in chosen_on], axis=0
    )
    nearest = apart.argmin(axis=1)
    pairs = [(at, int(own)) for at, own in enumerate(nearest) if apart[at, own] <= NEAREST]
    vectors = errors_of(told_on, pairs)
    groups = np.array([group_of(own) for _, own in pairs])
    lengths = np.linalg.norm(vectors, axis=2).mean(axis=1)
    by: dict[str, dict] = {}
    for name, of in {
        "sex": lambda f: f.who["gender"],
        "age": age_of,
        "skin": lambda f: f.who["skin"],
        "ethnicity as stated": lambda f: f.who["ethnicity"],
    }.items():
        values = np.array([of(face) for face in told_on])
        by[name] = {
            str(value): {"people": int((values == value).sum()),
                         "error": lengths[values == value].mean(),
                         "highest": lengths[values == value].max()}
            for value in np.unique(values)
        }  # fmt: skip
    return counted | {
        "chosen_on": len(chosen_on),
        "without_a_mesh_point": len(nearest) - len(pairs),
        "all": told(vectors),
        "by_group": {name: told(vectors[:, groups == name]) for name in np.unique(groups)},
        "by": by,
        "pairs": pairs,
    }


def main() -> None:
    """Measure and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    started = time.perf_counter()
    record("faces london", landmarks(given.folder), time.perf_counter() - started)


if __name__ == "__main__":
    main()
