import cv2
import numpy as np
import pytest

from aacsfnet.augmentation.edit import lids
from aacsfnet.augmentation.edit.expressions import edited
from aacsfnet.augmentation.edit.warp import warped
from aacsfnet.landmark_sets import LIP_PAIRS
from aacsfnet.rendering.render import Pose, Rendering, render
from aacsfnet.rendering.sequences import person_of

BROWS = (52, 53, 55, 65, 282, 283, 285, 295)
NO_MOUTH = {"au4": 5.0, "au6": 4.0, "au7": 3.0, "au43": 0.5}


@pytest.fixture(scope="module")
def neutral() -> Rendering:
    return render(person_of(62, 3), {}, Pose(yaw=8, roll=-4), size=192)


def test_no_change_gives_the_same_picture(neutral: Rendering) -> None:
    same = warped(neutral.picture, neutral.landmarks_px, neutral.landmarks_px)
    np.testing.assert_array_equal(same, neutral.picture)
    assert same is not neutral.picture


def test_far_from_what_moves_the_picture_is_untouched(neutral: Rendering) -> None:
    points = neutral.landmarks_px
    made = warped(neutral.picture, points, edited(points, NO_MOUTH, {}))
    below = int(points[:468, 1].max())
    nose = int(points[4, 1]) + 4
    np.testing.assert_array_equal(made[below:], neutral.picture[below:])
    assert (made[:nose] != neutral.picture[:nose]).any()


def test_a_constant_picture_stays_constant(neutral: Rendering) -> None:
    grey = np.full((192, 192, 3), (90, 120, 33), np.uint8)
    points = neutral.landmarks_px
    target = points + np.where(np.isin(np.arange(478), BROWS), 4, 0)[:, None] * (0.0, 1.0, 0.0)
    np.testing.assert_array_equal(warped(grey, points, target), grey)


def test_a_landmark_takes_its_pixels_along(neutral: Rendering) -> None:
    points = neutral.landmarks_px.astype(np.float64)
    target = edited(points, {"au4": 4.0, "au10": 3.0}, {})
    y, x = np.mgrid[:192, :192]
    for landmark in (52, 282, 105, 334, 66, 39, 269):
        dot = np.exp(-((x - points[landmark, 0]) ** 2 + (y - points[landmark, 1]) ** 2) / 8)
        picture = np.repeat(np.rint(255 * dot).astype(np.uint8)[..., None], 3, axis=2)
        moved = warped(picture, points, target)[..., 0].astype(float)
        found = np.array([(moved * x).sum(), (moved * y).sum()]) / moved.sum()
        assert np.linalg.norm(found - target[landmark, :2]) < 1.0, landmark
        assert np.linalg.norm(target[landmark, :2] - points[landmark, :2]) > 1.5, landmark


def test_beyond_the_face_the_movement_fades_without_a_seam(neutral: Rendering) -> None:
    points = neutral.landmarks_px
    ramp = np.repeat(np.arange(192, dtype=np.uint8)[:, None, None], 192, axis=1).repeat(3, axis=2)
    target = edited(points, {"au26": 5.0}, {})
    moved = ramp.astype(int) - warped(ramp, points, target).astype(int)
    column = moved[int(target[152, 1]) + 1 :, int(target[152, 0]), 0]
    assert column[0] > 5  # the chin has come down
    assert column[-1] == 0
    assert np.abs(np.diff(column)).max() <= 2


def test_closed_lids_cover_the_eye(neutral: Rendering) -> None:
    points = neutral.landmarks_px
    picture = np.full((192, 192, 3), 100, np.uint8)
    for iris in (468, 473):
        center = np.rint(points[iris, :2]).astype(int).tolist()
        cv2.circle(picture, center, 3, (255, 0, 0), -1)
    halfway, closed = (
        warped(picture, points, edited(points, {"au43": share}, {})) for share in (0.5, 1.0)
    )
    red = [int((each[..., 0] > 180).sum()) for each in (picture, halfway, closed)]
    assert red[0] > red[1] > red[2] == 0


@pytest.mark.parametrize("units", [{"au7": 5.0}, {"au43": 1.0}])
def test_a_lid_that_comes_down_catches_light_and_shades_the_eye(
    neutral: Rendering, units: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    points = neutral.landmarks_px
    target = edited(points, units, {})
    grey = np.full((192, 192, 3), 100, np.uint8)
    made = warped(grey, points, target)[..., 0].astype(int)
    assert (made > 100).any()
    for crease, upper in ((27, 159), (257, 386)):
        across = np.linspace(target[crease, :2], target[upper, :2], 5)[1]
        x, y = np.rint(across).astype(int)
        assert made[y, x] > 101
        x, y = np.rint(target[upper, :2]).astype(int)
        assert made[y, x] < 99
    with monkeypatch.context() as without:
        without.setattr(lids, "_SHADOW", 0.0)
        unshaded = warped(grey, points, target)[..., 0].astype(int)
    if "au7" in units:
        assert (made - unshaded).min() < -20
    assert (made <= unshaded).all()
    wider = warped(grey, target, points)
    np.testing.assert_array_equal(wider, grey)


def test_a_lower_lid_that_rises_gets_a_dark_rim_the_more_the_coarser_the_pixels() -> None:
    darker = []
    for size in (128, 512):
        points = render(person_of(62, 3), {}, Pose(), size=size).landmarks_px
        target = edited(points, {"au7": 5.0}, {})
        made = warped(np.full((size, size, 3), 200, np.uint8), points, target)
        x, y = np.rint(target[145, :2] + (0, 0.5)).astype(int)
        darker.append(200 - int(made[y, x, 0]))
        far = np.rint(target[23, :2]).astype(int)
        assert abs(int(made[far[1], far[0], 0]) - 200) <= 2
    assert darker[0] > 2 * darker[1] > 0


def test_the_corners_of_a_closing_lid_get_little_light(neutral: Rendering) -> None:
    points = neutral.landmarks_px.astype(np.float32)
    closed = edited(points, {"au43": 1.0}, {}).astype(np.float32)
    share = lids.closing(points, closed, 0)
    crease = lids.lit(share, points, closed, 0).crease[:, 0]
    assert crease[4] > 0.1
    assert (crease[[1, 7]] < crease[4] / 2).all()
    assert (crease[[0, 8]] == 0).all()


def test_the_light_on_an_eye_that_is_shut_stays(neutral: Rendering) -> None:
    shut = edited(neutral.landmarks_px.astype(np.float64), {"au43": 1.0}, {})
    grey = np.full((192, 192, 3), 100, np.uint8)
    made = warped(grey, shut, edited(shut, {"au4": 5.0, "au43": 1.0}, {"au43": 1.0}))
    assert abs(made.astype(int) - 100).max() <= 1


def test_the_edge_of_a_lid_moves_with_it(neutral: Rendering) -> None:
    points = neutral.landmarks_px.astype(np.float64)
    target = edited(points, {"au7": 5.0}, {})
    y = np.mgrid[:192, :192][0]
    for upper, lower in ((159, 145), (386, 374)):
        below = points[upper, 1] + 0.12 * (points[lower, 1] - points[upper, 1])
        line = np.rint(200 - 150 * np.exp(-((y - below) ** 2) / 2)).astype(np.uint8)
        made = warped(np.repeat(line[..., None], 3, axis=2), points, target)[..., 0]
        rows = np.arange(int(points[upper, 1]) - 6, int(points[lower, 1]))
        dark = np.clip(140 - made[rows, round(target[upper, 0])].astype(float), 0, None)
        found = (dark * rows).sum() / dark.sum()
        moved = target[upper, 1] - points[upper, 1]
        assert moved > 1.0
        assert abs(found - (below + moved)) <= 0.2


def test_opened_lips_show_dark_but_an_open_mouth_keeps_its_teeth(neutral: Rendering) -> None:
    points = neutral.landmarks_px
    white = np.full((192, 192, 3), 200, np.uint8)
    target = edited(points, {"au25": 5.0}, {})
    made = warped(white, points, target)
    middle = np.rint(target[list(LIP_PAIRS[1]), :2].mean(axis=0)).astype(int)
    assert made[middle[1], middle[0]].max() < 80
    assert (made[: int(points[4, 1])] == 200).all()
    wider = edited(target, {"au25": 5.0, "au10": 2.0}, {"au25": 5.0})
    assert warped(white, target, wider)[middle[1], middle[0]].min() > 150


def test_what_the_head_hides_stays_behind() -> None:
    turned = render(person_of(62, 3), {}, Pose(yaw=55), size=192)
    target = edited(turned.landmarks_px, {"au4": 5.0, "au43": 1.0}, {})
    made = warped(turned.picture, turned.landmarks_px, target)
    changed = (made != turned.picture).any(axis=2)
    assert changed.any()
    # The hidden half of the face moves as far as the other, behind the cheek and the nose.
    nose = np.rint(turned.landmarks_px[[4, 5, 195], :2]).astype(int)
    assert not changed[nose[:, 1], nose[:, 0]].any()


@pytest.mark.parametrize("seed", range(3))
def test_folded_and_flat_triangles_do_no_harm(neutral: Rendering, seed: int) -> None:
    random = np.random.default_rng(seed)
    points = neutral.landmarks_px
    for target in (
        points + random.normal(0, 30, points.shape),
        np.repeat(points.mean(axis=0, keepdims=True), 478, axis=0),
        points * (1, 1, 0) + (0, 0, 5),
        points + np.array([500, -300, 0]),
    ):
        made = warped(neutral.picture, points, target)
        assert made.shape == neutral.picture.shape
        assert made.dtype == np.uint8
