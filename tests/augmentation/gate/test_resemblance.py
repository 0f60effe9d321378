import numpy as np
import pytest

from aacsfnet.augmentation.gate import resemblance
from aacsfnet.faces.geometry import eye_distance, measure_all
from aacsfnet.faces.mesh import LOOKS
from aacsfnet.faces.pose import rotation_of
from aacsfnet.tables import PAIN_MEASURES


def test_a_face_that_moved_as_a_whole_has_no_error(face_landmarks):
    moved = face_landmarks + np.array([3.0, 4.0, 99.0])  # depth is not compared
    errors = resemblance.landmark_errors(face_landmarks, moved)
    assert errors == pytest.approx(dict.fromkeys(errors, 0.0), abs=1e-9)
    shift = resemblance.shift_of(face_landmarks, moved) * eye_distance(face_landmarks)
    assert shift == pytest.approx([3.0, 4.0])


def test_what_moves_within_the_face_shows_as_its_length_in_eye_distances(face_landmarks):
    moved = face_landmarks + np.array([2.0, 0.0, 0.0])
    moved[list(resemblance.REGIONS["mouth"])] += [3.0, 4.0, 0.0]
    errors = resemblance.landmark_errors(face_landmarks, moved)
    assert errors["mouth"] == pytest.approx(5 / eye_distance(face_landmarks))
    assert errors["brows"] == pytest.approx(0.0, abs=1e-9)


def test_the_mouths_corners_are_measured_on_the_level_face(face_landmarks):
    eyes = float(eye_distance(face_landmarks))
    before = resemblance.corner_height(face_landmarks)
    assert resemblance.corner_height(1.7 * face_landmarks + 9) == pytest.approx(before)
    smiling = face_landmarks.copy()
    up = rotation_of(face_landmarks)[:, 1]  # the face's own axis, picture coordinates
    smiling[[61, 291]] -= 0.1 * eyes * up
    rise = resemblance.corner_height(smiling) - before
    assert rise == pytest.approx(0.1, rel=0.02)  # the pose follows the mouth a little
    dropped = face_landmarks.copy()
    dropped[152] += 0.1 * eyes * up
    assert resemblance.corner_height(dropped) - before == pytest.approx(0.05, rel=0.1)


@pytest.mark.parametrize("region", ["eyes", "brows", "mouth"])
def test_a_region_moves_alone(face_landmarks, region):
    moved = face_landmarks.copy()
    moved[list(resemblance.REGIONS[region]), 1] += 6
    errors = resemblance.landmark_errors(face_landmarks, moved)
    assert errors.pop(region) > 0.1
    whole = errors.pop("landmark")
    assert 0 < whole < 0.1
    assert set(errors.values()) == {0.0}


def test_a_change_is_found_minus_source_with_a_margin_that_holds_nineteen_times_in_twenty():
    from scipy import stats

    random = np.random.default_rng(0)
    by, margin = resemblance.change(np.zeros(LOOKS), sample := random.normal(1, 0.3, LOOKS))
    assert by == pytest.approx(sample.mean())
    one_sided = stats.ttest_1samp(sample, by + margin, alternative="less")
    assert one_sided.pvalue == pytest.approx(0.05, abs=1e-4)
    held = 0
    for _ in range(2000):
        by, margin = resemblance.change(random.normal(5, 1, LOOKS), random.normal(6, 1, LOOKS))
        held += by + margin >= 1
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_what_looks_share_widens_the_margin():
    random = np.random.default_rng(1)
    held = 0
    for _ in range(4000):
        shared = random.normal(0, 0.02)
        looks = 0.05 + shared + random.normal(0, 0.01, LOOKS)
        by, margin = resemblance.change(np.zeros(LOOKS), looks, 0.02)
        held += by + margin >= 0.05
    assert held / 4000 == pytest.approx(0.95, abs=0.015)


def test_what_displaced_looks_do_to_both_pictures_cancels():
    both = np.linspace(0, 9, LOOKS)
    assert resemblance.change(both, both + 0.5) == (0.5, 0.0)


def test_looks_are_averaged_and_measured_one_by_one(face_landmarks):
    looks = face_landmarks + np.random.default_rng(0).normal(0, 0.3, (LOOKS, 478, 3))
    usual = measure_all(face_landmarks)
    found = resemblance.seen(looks, usual)
    np.testing.assert_allclose(found.points, looks.mean(axis=0))
    assert set(found.measures) == set(PAIN_MEASURES)
    for name, values in found.measures.items():
        assert values == pytest.approx([float(measure_all(look)[name]) for look in looks])
    assert found.corners == pytest.approx([float(resemblance.corner_height(x)) for x in looks])
    assert found.pspi.shape == (LOOKS,)
    assert resemblance.seen(looks, None).pspi is None


def test_a_turned_head_shows_as_degrees(face_landmarks):
    angle = np.radians(12)
    turn = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    turned = face_landmarks @ turn.T
    assert resemblance.pose_difference(face_landmarks, turned) == pytest.approx(12)
    assert resemblance.pose_difference(face_landmarks, face_landmarks) == 0


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
