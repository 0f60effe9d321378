import numpy as np
import pytest

from aacsfnet.augmentation.edit import expressions
from aacsfnet.augmentation.edit.expressions import edited
from aacsfnet.faces.geometry import eye_distance, measure_all
from aacsfnet.faces.pose import pose_of, rotation_from
from aacsfnet.facs import PSPI_UNITS
from aacsfnet.landmark_sets import FACE_OUTLINE, LIPS, MIRROR
from aacsfnet.rendering.render import Pose, render
from aacsfnet.rendering.sequences import person_of

STRONG = {"au4": 5.0, "au6": 4.0, "au7": 3.0, "au9": 2.0, "au10": 5.0, "au43": 0.5}
TURNED = Pose(yaw=15, pitch=-6, roll=8)


def face(subject: int = 0, **units: float) -> np.ndarray:
    return render(person_of(61, subject), units, TURNED).landmarks_px.astype(np.float64)


@pytest.mark.parametrize("units", [{}, STRONG, {"au43": 1.0}, {"au12": 3.0, "au26": 2.0}])
def test_units_that_are_there_already_change_nothing(units: dict[str, float]) -> None:
    mesh = face(**units)
    np.testing.assert_array_equal(edited(mesh, units, units), mesh)


@pytest.mark.parametrize("unit", [*PSPI_UNITS, "au12", "au20", "au25", "au26"])
@pytest.mark.parametrize("subject", range(3))
def test_the_mesh_becomes_that_of_the_same_person_rendered_with_the_unit(
    monkeypatch: pytest.MonkeyPatch, unit: str, subject: int
) -> None:
    monkeypatch.setattr(expressions, "GAINS", {})
    intensity = 1.0 if unit == "au43" else 4.0
    before, true = face(subject), face(subject, **{unit: intensity})
    moved = np.linalg.norm((true - before)[:468, :2], axis=1)
    off = np.linalg.norm((edited(before, {unit: intensity}, {}) - true)[:468, :2], axis=1)
    assert off.mean() < 0.2 * moved.mean()
    assert off.max() < 0.25 * moved.max()


def test_only_the_difference_is_applied() -> None:
    before = face()
    halfway = edited(before, {"au4": 2.0, "au26": 2.0, "au7": 3.0}, {})
    there = edited(halfway, {"au4": 5.0, "au26": 4.0, "au7": 1.0}, {"au4": 2, "au26": 2, "au7": 3})
    at_once = edited(before, {"au4": 5.0, "au26": 4.0, "au7": 1.0}, {})
    np.testing.assert_allclose(there, at_once, atol=0.25)  # pixels; AU4 moves the brow by 7


def test_pose_size_and_place_go_along_with_the_picture() -> None:
    before = face()
    after = edited(before, STRONG, {})
    turn = rotation_from(10, 5, -20)
    placed = 2.5 * before @ turn.T + np.array([40.0, -7.0, 3.0])
    expected = 2.5 * after @ turn.T + np.array([40.0, -7.0, 3.0])
    np.testing.assert_allclose(edited(placed, STRONG, {}), expected, atol=1e-3)


def test_pose_and_size_are_as_before() -> None:
    before = face()
    after = edited(before, {"au4": 5.0, "au10": 5.0, "au43": 1.0}, {})
    np.testing.assert_allclose(pose_of(after), pose_of(before), atol=1.5)
    assert eye_distance(after) == pytest.approx(eye_distance(before), rel=0.01)
    np.testing.assert_array_equal(after[468:], before[468:])


def test_both_sides_move_alike() -> None:
    before = face()
    mirrored = before[MIRROR] * (-1.0, 1.0, 1.0)
    after = edited(before, STRONG | {"au26": 3.0}, {})[MIRROR] * (-1.0, 1.0, 1.0)
    np.testing.assert_allclose(edited(mirrored, STRONG | {"au26": 3.0}, {}), after, atol=0.06)


@pytest.mark.parametrize("subject", range(4))
def test_closed_eyes_are_closed(subject: int) -> None:
    closed = measure_all(edited(face(subject), {"au43": 1.0}, {}))
    assert closed["lid_opening_left"] <= 0.06
    assert closed["lid_opening_right"] <= 0.06


LOWER_FACE = [*LIPS, 152, 148, 377, 199]
BROWS = [46, 53, 52, 65, 55, 276, 283, 282, 295, 285]


@pytest.mark.parametrize(
    ("unit", "still"),
    [("au4", LOWER_FACE), ("au43", LOWER_FACE + BROWS), ("au7", LOWER_FACE + BROWS),
     ("au10", [*BROWS, 152, 33, 133, 159]), ("au26", [*BROWS, 33, 133, 159, 4])],
)  # fmt: skip
def test_other_regions_stay(unit: str, still: list[int]) -> None:
    before = face()
    after = edited(before, {unit: 1.0 if unit == "au43" else 5.0}, {})
    distance = np.linalg.norm(after - before, axis=1) / eye_distance(before)
    assert distance[still].max() < 0.005
    assert distance[list(FACE_OUTLINE)[:4]].max() < 0.02  # the forehead's edge


@pytest.mark.parametrize(
    ("unit", "measure", "sign"),
    [("au4", "brow_height", -1), ("au4", "brow_distance", -1), ("au7", "lid_opening", -1),
     ("au43", "lid_opening", -1), ("au7", "lower_lid_height", 1), ("au6", "cheek_raise", 1),
     ("au9", "nose_wrinkle", 1), ("au10", "upper_lip_raise", 1), ("au12", "mouth_corner_pull", 1),
     ("au20", "mouth_width", 1), ("au25", "mouth_opening", 1), ("au26", "mouth_opening", 1)],
)  # fmt: skip
def test_a_stronger_unit_changes_its_measure_more(unit: str, measure: str, sign: int) -> None:
    top = 1.0 if unit == "au43" else 5.0
    faces = [edited(face(), {unit: share * top}, {}) for share in (0, 0.25, 0.5, 0.75, 1)]
    steps = sign * np.diff([float(measure_all(each)[measure]) for each in faces])
    assert (steps > 0.005).all()


def test_lids_close_along_the_eyeball() -> None:
    open_eyes = render(person_of(61, 0), {}).landmarks_px.astype(np.float64)  # frontal
    half, closed = (edited(open_eyes, {"au43": share}, {})[159] for share in (0.5, 1.0))
    start = open_eyes[159]
    along = (half[1] - start[1]) / (closed[1] - start[1])
    straight = start[2] + along * (closed[2] - start[2])
    assert half[2] < straight - 0.05  # bulges to the viewer on the way


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(KeyError, match="au99"):
        edited(face(), {"au99": 1.0}, {})
