import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from aacsfnet.faces.pose import REFERENCE, RIGID, angles_of, pose_of, rotation_from, rotation_of


def head(rotation: np.ndarray, scale: float = 60.0) -> np.ndarray:
    """A mesh whose rigid points are the reference head, turned; the rest is elsewhere."""
    mesh = np.random.default_rng(0).normal(0, 50, (478, 3))
    mesh[RIGID] = scale * REFERENCE @ rotation.T + (200, 150, -30)
    return mesh


@pytest.mark.parametrize("yaw", [-80.0, -20.0, 0.0, 45.0])
@pytest.mark.parametrize("pitch", [-40.0, 0.0, 25.0])
@pytest.mark.parametrize("roll", [-170.0, -30.0, 0.0, 90.0])
def test_a_turned_head_is_read_back(yaw: float, pitch: float, roll: float) -> None:
    rotation = rotation_from(yaw, pitch, roll)
    # SciPy as the second opinion: extrinsic turns about y, x, z; y points down, so yaw and pitch
    # count the other way round.
    oracle = Rotation.from_euler("yxz", [-yaw, -pitch, roll], degrees=True).as_matrix()
    assert np.allclose(rotation, oracle)
    assert np.allclose(rotation_of(head(rotation)), oracle)
    assert np.allclose(pose_of(head(rotation)), [yaw, pitch, roll])


@pytest.mark.parametrize(
    ("angles", "axis", "sign"),
    [((20, 0, 0), 0, 1), ((-20, 0, 0), 0, -1), ((0, 20, 0), 1, -1), ((0, -20, 0), 1, 1)],
)
def test_signs_are_as_documented(angles: tuple[float, ...], axis: int, sign: int) -> None:
    nose = rotation_from(*angles) @ np.array([0.0, 0.0, -1.0])  # the nose points at the viewer
    assert np.sign(nose[axis]) == sign


def test_positive_roll_is_clockwise_as_seen() -> None:
    crown = rotation_from(0, 0, 20) @ np.array([0.0, -1.0, 0.0])
    assert crown[0] > 0


def test_turning_the_picture_changes_the_roll_alone() -> None:
    a = np.radians(17)
    in_plane = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    mesh = head(rotation_from(30, -15, 5))
    assert np.allclose(pose_of(mesh @ in_plane.T), [30, -15, 22])


def test_position_size_and_expression_do_not_matter() -> None:
    mesh = head(rotation_from(25, 10, -5))
    other = 3 * mesh + 77
    others = np.setdiff1d(np.arange(478), RIGID)
    other[others] = 0
    assert np.allclose(pose_of(mesh), pose_of(other))


def test_the_reference_head_is_symmetric() -> None:
    mirrored = REFERENCE * (-1, 1, 1)
    distances = np.linalg.norm(REFERENCE[:, None] - mirrored[None], axis=2)
    assert distances.min(axis=1).max() == 0


def test_a_mirror_image_is_no_rotation() -> None:
    assert np.linalg.det(rotation_of(head(np.eye(3)) * (-1, 1, 1))) == pytest.approx(1)


def test_identity_has_no_angles() -> None:
    assert angles_of(np.eye(3)).tolist() == [0, 0, 0]
