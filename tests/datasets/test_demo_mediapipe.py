"""MediaPipe, which knows nothing of the renderer, sees what was rendered."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy.stats import spearmanr

from aacsfnet.config import Index
from aacsfnet.datasets.demo import Demo
from aacsfnet.datasets.demo.people import Person
from aacsfnet.datasets.demo.render import Pose, render
from aacsfnet.datasets.demo.sequences import frames_of, person_of
from aacsfnet.seeds import seed_of

Finder = Callable[[np.ndarray], np.ndarray | None]


@pytest.fixture(scope="module")
def find() -> Iterator[Finder]:
    from mediapipe.python.solutions.face_mesh import FaceMesh

    with FaceMesh(static_image_mode=True, refine_landmarks=True, max_num_faces=1) as face_mesh:

        def landmarks(picture: np.ndarray) -> np.ndarray | None:
            found = face_mesh.process(np.ascontiguousarray(picture)).multi_face_landmarks
            if not found:
                return None
            height, width = picture.shape[:2]
            points = [(p.x * width - 0.5, p.y * height - 0.5) for p in found[0].landmark]
            return np.array(points)

        yield landmarks


def eye_distance(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[468, :2] - points[473, :2]))


def mean_of(*pairs: tuple[int, int]) -> Callable[[np.ndarray], float]:
    first, second = np.array(pairs).T

    def measure(points: np.ndarray) -> float:
        gaps = np.linalg.norm(points[first, :2] - points[second, :2], axis=1)
        return float(gaps.mean()) / eye_distance(points)

    return measure


#: What each unit makes smaller, in eye distances.
SHRINKS = {
    "au43": mean_of((159, 145), (386, 374), (158, 153), (385, 380)),
    "au7": mean_of((159, 145), (386, 374), (158, 153), (385, 380)),
    "au4": mean_of((55, 133), (285, 362)),
    "au10": mean_of((2, 0), (97, 37), (326, 267)),
}


def test_faces_are_found_where_they_are(find: Finder) -> None:
    data = Demo(Index())
    settings = Index().demo
    rows = data.index()[::6]
    errors, missed = [], 0
    for row, picture in zip(rows.iter_rows(named=True), data.pictures(rows), strict=True):
        found = find(picture)
        if found is None:
            missed += 1
            continue
        names = row["path"].removeprefix("demo:").split("/")
        subject, sequence = int(names[0][1:]) - 1, int(names[1][1:]) - 1
        frame = frames_of(settings.seed, subject, sequence, settings.frames)[row["position"]]
        person = person_of(settings.seed, subject)
        truth = render(person, frame.expression, frame.pose, size=256).landmarks_px
        gaps = np.linalg.norm(found - truth[:, :2], axis=1)
        errors.append(gaps.mean() / eye_distance(truth))
    assert missed <= 0.01 * len(rows), f"{missed} of {len(rows)} faces not found"
    assert np.mean(errors) < 0.04
    assert np.quantile(errors, 0.95) < 0.07


def correlations(find: Finder, unit: str, people: int, poses: bool) -> np.ndarray:
    """Return for each of some people minus the rank correlation of a unit and what it shrinks."""
    levels = np.linspace(0, 1 if unit == "au43" else 5, 5)
    found = []
    for number in range(people):
        person = Person.from_seed(seed_of("test", unit, number))
        rng = np.random.default_rng(number)
        turn = rng.uniform((-15, -8, -10), (15, 8, 10)) if poses else (0, 0, 0)
        values = []
        for level in levels:
            points = find(render(person, {unit: float(level)}, Pose(*turn)).picture)
            assert points is not None
            values.append(SHRINKS[unit](points))
        found.append(-spearmanr(levels, values).statistic)
    return np.array(found)


@pytest.mark.slow
@pytest.mark.parametrize("poses", [False, True], ids=["frontal", "turned"])
@pytest.mark.parametrize("unit", sorted(SHRINKS))
def test_movements_are_seen_in_the_found_landmarks(find: Finder, unit: str, poses: bool) -> None:
    seen = correlations(find, unit, 20, poses)
    assert seen.mean() >= 0.9, seen
    assert (seen > 0.89).mean() >= 0.9, seen


def test_no_face_is_found_on_a_background(find: Finder) -> None:
    from aacsfnet.datasets.demo.render import Lens, background

    assert find(background(Lens(), 256, 256)) is None
