"""MediaPipe, which knows nothing of the renderer, sees what was rendered."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy.stats import spearmanr

from aacsfnet.config import DemoData
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Pose, render
from aacsfnet.rendering.sequences import frames_of, person_of
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


#: What each unit makes smaller, in interocular distances.
SHRINKS = {
    "au43": mean_of((159, 145), (386, 374), (158, 153), (385, 380)),
    "au7": mean_of((159, 145), (386, 374), (158, 153), (385, 380)),
    "au4": mean_of((55, 133), (285, 362)),
    "au10": mean_of((2, 0), (97, 37), (326, 267)),
}


@pytest.mark.slow
def test_faces_are_found_where_they_are(find: Finder) -> None:
    data = DemoData()
    errors, missed = [], 0
    frames = [
        (subject, frame)
        for subject in range(data.subjects)
        for sequence in range(data.sequences)
        for frame in frames_of(data.seed, subject, sequence, data.frames)[::6]
    ]
    for subject, frame in frames:
        made = render(
            person_of(data.seed, subject), frame.expression, frame.pose, frame.light, frame.lens
        )
        found = find(made.picture)
        if found is None:
            missed += 1
            continue
        gaps = np.linalg.norm(found - made.landmarks_px[:, :2], axis=1)
        errors.append(gaps.mean() / eye_distance(made.landmarks_px))
    assert len(frames) >= 140
    assert missed <= 0.01 * len(frames), f"{missed} of {len(frames)} faces not found"
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
    from aacsfnet.rendering.render import Lens, background

    assert find(background(Lens(), 256, 256)) is None
