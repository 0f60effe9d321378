import numpy as np
import pytest

from aacsfnet.augmentation import resemblance
from aacsfnet.faces.geometry import eye_distance, measure_all
from aacsfnet.table import PAIN_MEASURES


def test_a_shift_shows_as_its_length_in_eye_distances(face_landmarks):
    moved = face_landmarks + np.array([3.0, 4.0, 99.0])  # depth is not compared
    errors = resemblance.landmark_errors(face_landmarks, moved)
    assert errors == pytest.approx(dict.fromkeys(errors, 5 / eye_distance(face_landmarks)))


@pytest.mark.parametrize("region", ["eyes", "brows", "mouth"])
def test_a_region_moves_alone(face_landmarks, region):
    moved = face_landmarks.copy()
    moved[list(resemblance.REGIONS[region]), 1] += 6
    errors = resemblance.landmark_errors(face_landmarks, moved)
    assert errors.pop(region) > 0.1
    whole = errors.pop("landmark")
    assert 0 < whole < 0.1
    assert set(errors.values()) == {0.0}


def test_changes_are_found_minus_source(face_landmarks):
    source, found = measure_all(face_landmarks), measure_all(face_landmarks)
    found["lid_opening"] -= 0.1
    changes = resemblance.measure_changes(source, found)
    assert set(changes) == set(PAIN_MEASURES)
    assert changes["lid_opening"] == pytest.approx(-0.1)
    assert sum(map(abs, changes.values())) == pytest.approx(0.1)


def test_looks():
    flat = np.full((32, 32, 3), 51, np.uint8)
    look = resemblance.look_of(flat)
    assert vars(look) == pytest.approx({"sharpness": 0.0, "brightness": 0.2, "contrast": 0.0})
    checks = np.indices((32, 32)).sum(axis=0) % 2 * 255
    sharp = np.repeat(checks.astype(np.uint8)[..., None], 3, axis=2)
    look = resemblance.look_of(sharp)
    assert (look.brightness, look.contrast) == (0.5, 0.5)
    assert look.sharpness == pytest.approx(16.0)  # -4 of one, +1 of four others: ±4


def test_difference_is_symmetric_and_0_to_1():
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert resemblance.difference(black, white) == resemblance.difference(white, black) == 1.0
    assert resemblance.difference(white, white) == 0.0
