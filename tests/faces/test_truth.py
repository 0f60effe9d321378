"""Found against true, on rendered people; `benchmarks/faces.py` has the same at full length."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from aacsfnet.faces import FaceExtractor
from aacsfnet.faces.geometry import eye_distance, measure_all
from aacsfnet.faces.pose import angles_of, pose_of, rotation_from
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Lens, Pose, render


def found_in(picture: np.ndarray, extractor: FaceExtractor) -> np.ndarray:
    """Return landmarks in picture pixels."""
    (face,) = extractor.find(picture)
    return face.landmarks_in_frame


@pytest.mark.parametrize(
    ("angles", "height", "most"),
    [
        ((0, 0, 0), 150, 0.045),
        ((0, 0, 0), 60, 0.06),
        ((0, 0, 0), 1200, 0.05),
        ((45, 0, 0), 150, 0.1),
        ((-45, 0, 0), 150, 0.1),
        ((0, 25, 0), 150, 0.07),
        ((0, -25, 0), 150, 0.07),
        ((0, 0, 30), 150, 0.045),
        ((0, 0, -30), 150, 0.045),
        ((30, -15, 25), 200, 0.07),
    ],
)
def test_landmarks_and_pose(extractor, angles, height: int, most: float) -> None:
    """Mean error of all 478 points in interocular distances; of the pose in degrees."""
    size = max(160, int(height / 0.6))
    errors, poses = [], []
    for person in range(1 if height > 1000 else 4):
        lens = Lens(scene_seed=person)
        pose = Pose(*map(float, angles), height / size)
        made = render(Person.from_seed(700 + person), {}, pose, lens=lens, size=size)
        truth = made.landmarks_px.astype(float)
        points = found_in(made.picture, extractor)
        distances = np.linalg.norm((points - truth)[:, :2], axis=1)
        errors.append(distances.mean() / eye_distance(truth))
        poses.append(np.abs(pose_of(points) - angles_of(rotation_from(*angles))))
    assert np.mean(errors) < most
    assert (np.mean(poses, axis=0) < (6, 7, 5)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "unit", "highest", "least"),
    [
        ("lid_opening", "au43", 1, -0.85),
        ("brow_height", "au4", 5, -0.85),
        ("upper_lip_raise", "au10", 5, 0.7),
        ("mouth_opening", "au26", 5, 0.85),
        ("mouth_corner_pull", "au12", 5, 0.8),
    ],
)
def test_measures_follow_their_action_unit(
    extractor, measure: str, unit: str, highest: float, least: float
) -> None:
    """Rank correlation over people, each against the own face at rest in three pictures."""
    rng = np.random.default_rng(5)
    values, changes = [], []
    for person in range(24):
        look = Person.from_seed(800 + person)
        value = float(rng.uniform(0, highest))
        seen = []
        for expression in ({}, {}, {}, {unit: value}):
            pose = Pose(*(float(v) for v in rng.normal(0, (6, 3, 3))), 0.56)
            made = render(look, expression, pose, lens=Lens(scene_seed=person), size=256)
            seen.append(measure_all(found_in(made.picture, extractor))[measure])
        values.append(value)
        changes.append(seen[3] - np.median(seen[:3]))
    correlation = spearmanr(values, changes).statistic
    assert correlation * np.sign(least) > abs(least)
