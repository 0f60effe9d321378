"""The head's pose, from the parts of the mesh that do not move with expression.

Convention (degrees): x right, y down, z away from the viewer. Yaw > 0: the nose turns towards the
picture's right. Pitch > 0: the nose rises. Roll > 0: the head tilts clockwise as seen. The head
turns by yaw, then pitch, then roll, so that turning the picture changes the roll alone. All zero:
both sides alike, forehead (point 10) and chin (152) about equally far away, eyes level.
"""

import numpy as np

#: Rigid points of a symmetric head: x, y, z in interocular distances from the middle of the eyes.
#: The mean of the meshes of a photograph and of its mirror image, turned so that pitch is right on
#: average.
_MIDLINE = {
    10: (-0.861, -0.206),
    151: (-0.625, -0.265),
    9: (-0.375, -0.314),
    168: (-0.122, -0.306),
    6: (-0.006, -0.384),
    197: (0.101, -0.471),
    195: (0.199, -0.563),
    5: (0.303, -0.661),
}
_PAIRS = {
    (33, 263): (0.723, -0.017, 0.043),
    (133, 362): (0.277, 0.017, -0.043),
    (127, 356): (1.098, 0.140, 0.800),
    (162, 389): (1.080, -0.110, 0.650),
    (21, 251): (1.035, -0.319, 0.456),
    (54, 284): (0.948, -0.514, 0.276),
    (103, 332): (0.801, -0.678, 0.089),
    (67, 297): (0.565, -0.793, -0.081),
    (109, 338): (0.307, -0.849, -0.179),
    (234, 454): (1.090, 0.370, 0.864),
}
RIGID = np.array([*_MIDLINE, *(left for left, _ in _PAIRS), *(right for _, right in _PAIRS)])
REFERENCE = np.array(
    [(0.0, y, z) for y, z in _MIDLINE.values()]
    + [(-x, y, z) for x, y, z in _PAIRS.values()]
    + list(_PAIRS.values())
)
_CENTERED = REFERENCE - REFERENCE.mean(axis=0)


def rotation_of(points: np.ndarray) -> np.ndarray:
    """Return the rotations `(..., 3, 3)` from the upright head's axes to the picture's.

    The orthogonal Procrustes solution (Schönemann 1966; reflections excluded after Kabsch 1976)
    between a reference head and the mesh's rigid points.

    Args:
        points: `(..., 478, 3)` x, y, z, z on x's scale, smaller = nearer.
    """
    rigid = points[..., RIGID, :]
    centered = rigid - rigid.mean(axis=-2, keepdims=True)
    left, _, right = np.linalg.svd(np.swapaxes(centered, -1, -2) @ _CENTERED)
    left[..., 2] *= np.sign(np.linalg.det(left @ right))[..., None]
    return np.asarray(left @ right)


def pose_of(points: np.ndarray) -> np.ndarray:
    """Return yaw, pitch, roll `(..., 3)` in degrees (see the module) of meshes `(..., 478, 3)`."""
    return angles_of(rotation_of(points))


def angles_of(rotation: np.ndarray) -> np.ndarray:
    """Return yaw, pitch, roll `(..., 3)` in degrees of rotations `(..., 3, 3)` head to picture.

    >>> angles_of(np.eye(3)).tolist()
    [0.0, 0.0, 0.0]
    """
    yaw = np.arctan2(rotation[..., 2, 0], rotation[..., 2, 2])
    pitch = np.arcsin(np.clip(-rotation[..., 2, 1], -1.0, 1.0))
    roll = np.arctan2(-rotation[..., 0, 1], rotation[..., 1, 1])
    degrees: np.ndarray = np.degrees(np.stack([yaw, pitch, roll], axis=-1))
    return degrees + 0.0  # no negative zero


def rotation_from(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Return the rotation `(3, 3)` from head to picture of angles in degrees.

    >>> angles_of(rotation_from(20, -10, 5)).round(6).tolist()
    [20.0, -10.0, 5.0]
    """
    a, b, c = np.radians([-yaw, -pitch, roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x @ about_y)
