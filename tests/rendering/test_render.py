"""The renderer as an oracle: what it says of its pictures is so."""

import itertools

import numpy as np
import pytest

from aacsfnet import landmark_sets as sets
from aacsfnet.rendering import mesh, raster
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Lens, Light, Pose, render, rotation


def test_the_same_arguments_give_the_same_picture() -> None:
    arguments = (
        Person.from_seed(4),
        {"au4": 2.0, "au10": 3.0},
        Pose(yaw=10),
        Light(),
        Lens(noise=3),
    )
    first, second = render(*arguments), render(*arguments)
    np.testing.assert_array_equal(first.picture, second.picture)
    np.testing.assert_array_equal(first.landmarks_px, second.landmarks_px)


def test_shapes_and_types() -> None:
    made = render(Person.from_seed(4), {}, size=(96, 160))
    assert (made.picture.shape, made.picture.dtype) == ((96, 160, 3), np.uint8)
    assert (made.landmarks_px.shape, made.landmarks_px.dtype) == ((478, 3), np.float32)
    assert made.depth.shape == (96, 160)


@pytest.mark.parametrize("height", [60, 400, 1200])
def test_faces_have_the_height_that_was_asked_for(height: int) -> None:
    made = render(Person.from_seed(6), {}, Pose(face_height=0.8), size=round(height / 0.8))
    top, chin = made.landmarks_px[10], made.landmarks_px[152]
    assert np.linalg.norm(chin[:2] - top[:2]) == pytest.approx(height, rel=0.15)


@pytest.mark.parametrize("roll", [-30, 0, 30])
@pytest.mark.parametrize("pitch", [-25, 0, 25])
@pytest.mark.parametrize("yaw", [-45, 0, 45])
def test_every_pose_draws_a_person(yaw: float, pitch: float, roll: float) -> None:
    made = render(Person.from_seed(8), {"au26": 3}, Pose(yaw, pitch, roll), size=128)
    assert np.isfinite(made.landmarks_px).all()
    share = np.isfinite(made.depth).mean()
    assert 0.2 < share < 0.95
    assert made.picture.std() > 15


def test_pose_turns_the_way_it_says() -> None:
    person = Person.from_seed(9)
    nose = lambda **pose: render(person, {}, Pose(**pose), size=128).landmarks_px[1, :2]  # noqa: E731
    rest = nose()
    assert nose(yaw=20)[0] > rest[0] + 3
    assert nose(pitch=20)[1] < rest[1] - 3
    tilted = render(person, {}, Pose(roll=20), size=128).landmarks_px
    assert tilted[473, 1] > tilted[468, 1] + 3  # the picture's right eye is lower
    np.testing.assert_allclose(rotation(20, 10, 5) @ rotation(20, 10, 5).T, np.eye(3), atol=1e-6)


def test_depth_agrees_with_the_landmarks_where_they_are_seen() -> None:
    made = render(Person.from_seed(11), {}, Pose(yaw=15, pitch=-8), size=256)
    seen = [1, 4, 5, 6, 9, 151, 50, 280, 101, 330, 199, 175, 205, 425]
    places = made.landmarks_px[seen]
    x, y = np.round(places[:, 0]).astype(int), np.round(places[:, 1]).astype(int)
    np.testing.assert_allclose(made.depth[y, x], places[:, 2], atol=2.5)  # of about 150 pixels
    assert np.isinf(made.depth[0, 0])


def test_mouth_and_lids_open_and_close_in_the_truth() -> None:
    person = Person.from_seed(12)

    def gaps(**units: float) -> tuple[float, float]:
        points = render(person, units, size=256).landmarks_px
        return points[145, 1] - points[159, 1], points[14, 1] - points[13, 1]

    eye, mouth = gaps()
    assert eye > 4
    assert mouth < 0.5
    assert gaps(au43=1)[0] < 0.5
    assert gaps(au26=5)[1] > 8


def test_triangles_cover_what_a_point_in_triangle_test_says() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(4, 60, (3, 2)).astype(np.float32)
    triangles = np.array([[0, 1, 2]], np.int32)
    seen = raster.visible(points, np.array([0], np.int32), triangles, 64, 64)
    y, x = np.mgrid[:64, :64]
    a, b, c = points
    side = lambda p, q: (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0])  # noqa: E731
    sides = np.stack([side(a, b), side(b, c), side(c, a)])
    inside = (sides > 0).all(0) | (sides < 0).all(0)
    assert not (inside & (seen == 0)).any()
    assert (seen > 0).sum() <= inside.sum() + 200  # the border is drawn too

    values = points @ np.array([[2.0], [-3.0]]) + 5
    found = raster.evaluate(seen, raster.planes(points, triangles, values))[0]
    np.testing.assert_allclose(found[inside], (2 * x - 3 * y + 5)[inside], atol=1e-3)


def test_the_nearer_triangle_hides_the_farther() -> None:
    points = np.array([[0, 0], [0, 20], [20, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 1, 2]], np.int32)
    assert raster.visible(points, np.array([0, 1], np.int32), triangles, 24, 24).max() == 2
    assert raster.visible(points, np.array([1, 0], np.int32), triangles, 24, 24).max() == 1


def test_subdivision_keeps_vertices_and_reproduces_a_plane() -> None:
    triangles = mesh.skin_triangles()
    count = int(triangles.max()) + 1
    finer = mesh.subdivide(triangles, count)
    assert len(finer.triangles) == 4 * len(triangles)
    linear = np.random.default_rng(1).normal(size=(count, 2)) @ np.array(
        [[1.0, 0.5, -2.0], [0, 1, 3]]
    )
    fine = finer.weights @ linear
    np.testing.assert_allclose(fine[:count], linear, atol=1e-6)
    # Affine weights: each row sums to one, so a plane stays a plane.
    np.testing.assert_allclose(np.asarray(finer.weights.sum(1)).ravel(), 1, atol=1e-6)


def test_the_mesh_is_the_one_that_mediapipe_draws() -> None:
    from mediapipe.python.solutions.face_mesh_connections import (
        FACEMESH_CONTOURS,
        FACEMESH_TESSELATION,
    )

    edges = {
        frozenset((int(t[i]), int(t[(i + 1) % 3]))) for t in mesh.canonical()[2] for i in range(3)
    }
    known = {frozenset(edge) for edge in FACEMESH_TESSELATION}
    # Some quadrilaterals are cut along their other diagonal; what is drawn is the same net.
    assert len(edges) == len(known)
    assert len(edges & known) > 0.8 * len(edges)
    contours = {frozenset(edge) for edge in FACEMESH_CONTOURS}
    outline = {frozenset(p) for p in zip(sets.FACE_OUTLINE, sets.FACE_OUTLINE[1:], strict=False)}
    assert outline <= contours
    for rim in (
        sets.RIGHT_UPPER_LID,
        sets.RIGHT_LOWER_LID,
        sets.UPPER_LIP_INNER,
        sets.LOWER_LIP_INNER,
    ):
        for line in (rim, sets.mirrored(rim)):
            assert {frozenset(p) for p in itertools.pairwise(line)} <= contours & edges
