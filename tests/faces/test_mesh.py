import numpy as np
import pytest

from aacsfnet.faces.mesh import (
    CropLandmarker,
    Square,
    look,
    look_both_ways,
    look_mirrored,
    square_of_points,
)
from aacsfnet.faces.networks import FaceMesh
from aacsfnet.faces.sampling import sample, square_matrix, transform
from aacsfnet.landmark_sets import MIRROR

EYE_DISTANCE = 42.0  # of the photograph, pixels
ON_PHOTOGRAPH = Square(np.array([224.0, 124.0]), 165.0, 0.06)


def test_the_square_of_points_holds_them_level() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, (478, 2)) * (30, 40)
    points[33], points[263] = (-20, -10), (20, -10)
    for angle in (0.0, 0.7, -2.9):
        placed = transform(square_matrix(np.array([300.0, 200.0]), 100, angle, 100), points)
        square = square_of_points(placed)
        assert np.cos(square.angle - angle) == pytest.approx(1)
        spread = np.ptp(points, axis=0).max()
        assert square.side == pytest.approx(1.5 * spread)
        inside = square_matrix(square.center_xy, square.side, square.angle, 192)
        local = (placed - inside[:, 2]) @ np.linalg.inv(inside[:, :2]).T
        assert np.allclose(local.min(0) + local.max(0), 191)  # in the middle
        assert local[33, 1] == pytest.approx(local[263, 1])  # level


@pytest.fixture(scope="module")
def network():
    with FaceMesh() as made:
        yield made


def test_both_ways_of_looking_see_the_same_in_a_mirror(network, photograph) -> None:
    """The mean of a picture and its mirror image is exactly mirror-symmetric."""
    square = square_of_points(look(network, photograph, ON_PHOTOGRAPH).points)
    mirrored = np.ascontiguousarray(photograph[:, ::-1])
    here = look_both_ways(network, photograph, square)
    there = look_both_ways(
        network,
        mirrored,
        Square(
            np.array([511 - square.center_xy[0], square.center_xy[1]]), square.side, -square.angle
        ),
    )
    back = there.points[MIRROR]
    back[:, 0] = 511 - back[:, 0]
    assert np.abs(back - here.points).max() < 0.02 * EYE_DISTANCE
    assert here.presence > 0.99


@pytest.mark.parametrize("side", [96, 128, 256])
@pytest.mark.parametrize("room", [1.5, 2.2, 4.0])
def test_points_are_found_whatever_the_margin(
    landmarker: CropLandmarker, photograph, side: int, room: float
) -> None:
    """The same points, mapped back to the photograph, from crops of several sizes and margins."""
    matrix = square_matrix(np.array([224.0, 122.0]), room * 110, 0.06, side)
    mesh = landmarker.find(sample(photograph, matrix, side))
    assert landmarker.accepts(mesh)
    points = transform(matrix, mesh.points)
    first = look(landmarker._mesh, photograph, ON_PHOTOGRAPH).points
    reference = look_both_ways(landmarker._mesh, photograph, square_of_points(first)).points
    error = np.linalg.norm((points - reference)[:, :2], axis=1).mean() / EYE_DISTANCE
    assert error < (0.03 if side / room > 60 else 0.06)  # side / room: the face's height


def test_the_mesh_of_the_frame_is_one_of_two_looks(landmarker: CropLandmarker, photograph) -> None:
    first = look(landmarker._mesh, photograph, ON_PHOTOGRAPH).points
    start = first + np.array([0.6, -0.3, 0.0])
    square = square_of_points(start)
    mirrored = look_mirrored(landmarker._mesh, photograph, square).points
    found = landmarker.find(photograph, start)
    assert landmarker.accepts(found)
    assert found.points == pytest.approx((mirrored + start) / 2)
    both_ways = look_both_ways(landmarker._mesh, photograph, square).points
    own = look(landmarker._mesh, photograph, square).points
    assert both_ways == pytest.approx((own + mirrored) / 2)


def test_no_mesh_is_accepted_on_no_face(landmarker) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    assert not landmarker.accepts(landmarker.find(noise))
    assert not landmarker.accepts(landmarker.find(np.full((128, 128, 3), 90, np.uint8)))
