import numpy as np
import pytest

from aacsfnet.faces.geometry import MEASURES, eye_distance, level, measure_all
from aacsfnet.faces.pose import REFERENCE, RIGID, rotation_from
from aacsfnet.landmark_sets import LEFT_EYE, MIDLINE, MIRROR, RIGHT_EYE

#: Points of the right and their mirror images.
PAIRS = [(right, left) for right, left in enumerate(MIRROR) if right < left]


def face() -> np.ndarray:
    """A symmetric frontal mesh, 50 pixels between the eyes: reference head, other points drawn."""
    rng = np.random.default_rng(0)
    mesh = rng.normal(0, 0.5, (478, 3))
    mesh[RIGID] = REFERENCE
    for right, left in PAIRS:
        mesh[right, 0] = -abs(mesh[right, 0])
        mesh[left] = mesh[right] * (-1, 1, 1)
    mesh[list(MIDLINE), 0] = 0
    return 50 * mesh + (120, 100, 0)


def moved(mesh: np.ndarray, points: tuple[int, ...], by: tuple[float, float]) -> np.ndarray:
    """Return a mesh with points moved in interocular distances: outwards on each side, and down."""
    other = mesh.copy()
    out = np.sign(other[list(points), 0] - 120)
    other[list(points), 0] += 50 * by[0] * out
    other[list(points), 1] += 50 * by[1]
    return other


@pytest.mark.parametrize("angles", [(0, 0, 0), (40, 0, 0), (-30, 20, 0), (10, -25, 170)])
def test_position_size_and_pose_cancel(angles: tuple[float, ...]) -> None:
    mesh = face()
    other = 3.7 * mesh @ rotation_from(*angles).T + (900, -40, 12)
    before, after = measure_all(mesh), measure_all(other)
    assert before.keys() == MEASURES.keys()
    for name, value in before.items():
        assert after[name] == pytest.approx(value, abs=1e-9), name


def test_each_function_agrees_with_all_at_once() -> None:
    mesh = face() @ rotation_from(20, 10, 5).T
    together = measure_all(mesh)
    for name, measure in MEASURES.items():
        assert measure(mesh) == pytest.approx(together[name], abs=1e-9)
        assert measure.__name__ == name
        assert "AU" in (measure.__doc__ or "") or "action unit" in (measure.__doc__ or "")


def test_level_face_has_its_eyes_on_a_level_one_apart() -> None:
    mesh = face() @ rotation_from(30, -10, 60).T
    upright = level(mesh)
    assert eye_distance(mesh) == pytest.approx(50)
    right, left = (upright[list(eye)].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
    assert np.allclose(left - right, [1, 0, 0], atol=1e-9)


# Each row: which points move, by how many interocular distances (outwards, down), and by hand what
# that does to a measure.
RIGHT_BROW = (53, 52, 65, 55)
LEFT_BROW = (283, 282, 295, 285)
MOVEMENTS = [
    (
        RIGHT_BROW,
        (0, 0.1),
        {"brow_height_right": -0.1, "brow_height_left": 0, "brow_height": -0.05},
    ),
    (LEFT_BROW, (0, -0.1), {"brow_height_left": 0.1, "brow_height": 0.05}),
    ((55, 107, 285, 336), (-0.02, 0), {"brow_distance": -0.04, "brow_height": 0}),
    (
        (144, 145, 153, 373, 374, 380),
        (0, -0.05),
        {"lower_lid_height": 0.05, "brow_height": -0.05 * 3 / 5},
    ),
    ((50, 101, 118, 280, 330, 347), (0, -0.08), {"cheek_raise": 0.08}),
    ((129, 102, 48, 358, 331, 278), (0, -0.06), {"nose_wrinkle": 0.06}),
    (
        (61, 291),
        (0.04, -0.03),
        {"mouth_width": 0.08, "mouth_corner_pull": 0.03, "upper_lip_raise": -0.03},
    ),
]


@pytest.mark.parametrize(("points", "by", "expected"), MOVEMENTS)
def test_a_movement_changes_its_measure_by_as_much(
    points: tuple[int, ...], by: tuple[float, float], expected: dict[str, float]
) -> None:
    before, after = measure_all(face()), measure_all(moved(face(), points, by))
    for name, change in expected.items():
        assert after[name] - before[name] == pytest.approx(change, abs=1e-9), name


def test_openings_are_distances_between_lids_and_between_lips() -> None:
    mesh = face()
    for upper, lower in ((160, 144), (159, 145), (158, 153)):
        mesh[lower] = mesh[upper] + (0, 0.3 * 50, 0)
    for upper, lower in ((387, 373), (386, 374), (385, 380)):
        mesh[lower] = mesh[upper] + (0, 0.1 * 50, 0)
    for upper, lower in ((82, 87), (13, 14), (312, 317)):
        mesh[lower] = mesh[upper] + (0, 0.25 * 50, 0)
    measured = measure_all(mesh)
    assert measured["lid_opening_right"] == pytest.approx(0.3)
    assert measured["lid_opening_left"] == pytest.approx(0.1)
    assert measured["lid_opening"] == pytest.approx(0.2)
    assert measured["mouth_opening"] == pytest.approx(0.25)


def test_asymmetry_is_zero_on_a_symmetric_face_and_counts_one_sided_movement() -> None:
    assert MEASURES["asymmetry"](face()) == pytest.approx(0, abs=1e-9)
    one_sided = MEASURES["asymmetry"](moved(face(), (53, 52, 65, 55), (0, 0.1)))
    both_sides = MEASURES["asymmetry"](
        moved(face(), (53, 52, 65, 55, 283, 282, 295, 285), (0, 0.1))
    )
    assert one_sided == pytest.approx(0.1 * 4 / 19)
    assert both_sides == pytest.approx(0, abs=1e-9)


def test_upper_lip_raise_counts_height_over_the_corners_and_nearness_to_the_ridge() -> None:
    upper = (0, 37, 267, 39, 269, 13, 82, 312, 81, 311)

    def raised_by(points: tuple[int, ...], by: tuple[float, float]) -> float:
        before, after = (
            MEASURES["upper_lip_raise"](m) for m in (face(), moved(face(), points, by))
        )
        return float(after - before)

    assert raised_by(upper, (0, -0.05)) == pytest.approx(0.1, abs=1e-9)
    assert raised_by((61, 291), (0, 0.05)) == pytest.approx(0.05, abs=1e-9)
    # The ridge also tells the head's pose, which the level face takes out again a little.
    assert raised_by((197, 195, 5), (0, -0.05)) == pytest.approx(-0.05, abs=0.01)
    assert raised_by(upper, (0.05, 0)) == pytest.approx(0, abs=1e-9)
    assert raised_by((17, 84, 314, 14, 87, 317, 152), (0, 0.3)) == pytest.approx(0, abs=1e-9)
