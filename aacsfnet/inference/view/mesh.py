"""The lines of the mesh that are drawn over a face, found again where the table has its box."""

import numpy as np

from aacsfnet import landmark_sets as sets
from aacsfnet.faces.mesh import ROOM, Square, look_until_settled
from aacsfnet.faces.networks import FaceMesh, Networks

_CHAINS = (
    *sets.OUTLINES,
    (168, *sets.NOSE_RIDGE, 4, 1, 2),
    (*sets.RIGHT_WING, 2, *reversed(sets.LEFT_WING)),
)
#: Which of the 478 landmarks the lines touch, each once.
POINTS = sorted({point for chain in _CHAINS for point in chain})
#: The lines, by position in `POINTS`.
LINES = [[POINTS.index(point) for point in chain] for chain in _CHAINS]
#: A mesh counts where its box and the table's share this much (intersection over union).
_SAME = 0.5
#: A point is told by a byte a coordinate within the box, grown by this share of its sides.
_ROOM = 0.125


class LineFinder(Networks):
    """Finds the lines of faces whose boxes are known; holds the network.

    Args:
        min_confidence: least score of the mesh, 0 to 1.
    """

    def __init__(self, min_confidence: float = 0.5) -> None:
        self._network, self._least = FaceMesh(), min_confidence
        self._held = (self._network,)

    def find(self, picture: np.ndarray, box_xyxy: np.ndarray, roll: float) -> np.ndarray | None:
        """Return the points `(len(POINTS), 2)` of a face in picture pixels, None if not found.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
            box_xyxy: `(4,)` round its mesh, picture pixels.
            roll: of the head in the picture, degrees.
        """
        low, high = box_xyxy[:2], box_xyxy[2:]
        square = Square((low + high) / 2, ROOM * float((high - low).max()), np.radians(roll))
        mesh = look_until_settled(self._network, picture, square)
        points = mesh.points[:, :2]
        if mesh.presence < self._least or _overlap(points, low, high) < _SAME:
            return None
        return np.asarray(points[POINTS])


def _overlap(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Return intersection over union of the points' box and another."""
    own_low, own_high = points.min(axis=0), points.max(axis=0)
    shared = np.clip(np.minimum(high, own_high) - np.maximum(low, own_low), 0, None).prod()
    return float(shared / ((high - low).prod() + (own_high - own_low).prod() - shared))


def packed(points: np.ndarray, box_xyxy: np.ndarray) -> bytes:
    """Return points `(n, 2)` as bytes x, y, x, y, …: 0 and 255 are the ends of the grown box."""
    low, size = grown(box_xyxy)
    shares: np.ndarray = np.rint((points - low) / size * 255).clip(0, 255)
    return bytes(shares.astype(np.uint8))


def grown(box_xyxy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return corner and size `(2,)` of a box with room for points beside it."""
    size = box_xyxy[2:] - box_xyxy[:2]
    return box_xyxy[:2] - _ROOM * size, size * (1 + 2 * _ROOM)
