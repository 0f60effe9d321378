"""The mesh of 478 points, found at its true place in a picture.

The network wants an upright face that fills about two thirds of its square; it errs by 2 % of the
interocular distance for 10° of tilt. So a first look, placed by the detector's coarse points or by
the last frame's mesh, only places the second.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import cv2
import numpy as np

from aacsfnet.faces.detection import Face, FaceFinder, distinct
from aacsfnet.faces.geometry import eye_distance
from aacsfnet.faces.networks import MESH_SIDE, FaceMesh, Networks
from aacsfnet.faces.sampling import bounds, sample, square_matrix, transform
from aacsfnet.landmark_sets import LEFT_EYE, MIRROR, RIGHT_EYE

#: Side of the square over the longer side of the face in it, as the network was trained.
ROOM = 1.5
#: How much larger the mesh's square is than one round the detectors' box, and how far above, share
#: of the larger one's side. Measured on 300 rendered faces; on photographs 1.08 and 0.03.
_LARGER, _ABOVE = 1.09, 0.025
#: A look counts when it was misplaced by no more than this: share of its square's side, logarithm
#: of the side, radians. More looks gain nothing then: on 360 rendered faces the error of all points
#: is 3.08 % of the interocular distance, as it is where a turn of 4 degrees asks for another.
_SETTLED = (0.07, 0.12, np.radians(5))
#: Of a face that scores less, another look finds more: a blurred one, whose network is less steady.
#: Plain faces score 0.9999 at the first.
_CERTAIN = 0.999
#: Where further looks are taken: shift to the right and down in shares of the square's side, growth
#: of the side, turn in degrees. Their mean is the square itself.
_FURTHER = (
    (0.0, 0.0, 1.0, 0.0),
    (0.04, -0.03, 1.07, 4.0),
    (-0.04, 0.03, 0.94, -4.0),
    (0.03, 0.04, 0.93, 3.0),
    (-0.03, -0.04, 1.06, -3.0),
    (0.05, 0.01, 1.03, -4.5),
    (-0.05, -0.01, 0.97, 4.5),
    (0.01, -0.05, 0.96, -2.0),
    (-0.01, 0.05, 1.04, 2.0),
)
#: How many those are.
LOOKS = len(_FURTHER)


@dataclass(frozen=True)
class Square:
    """A place in a picture to look at: middle, side in pixels, angle in radians."""

    center_xy: np.ndarray
    side: float
    angle: float


@dataclass(frozen=True)
class Mesh:
    """Points `(478, 3)` x, y, z in picture pixels, and the score that this is a face."""

    points: np.ndarray
    presence: float

    @cached_property
    def square(self) -> Square:
        """Where to look for it again, see `square_of_points`."""
        return square_of_points(self.points)


def square_of_face(face: Face) -> Square:
    """Return where to look for the mesh of a detected face: level with its eyes."""
    side, angle = _LARGER * ROOM * face.side, face.tilt
    upwards = np.array([np.sin(angle), -np.cos(angle)])
    return Square(face.center_xy + _ABOVE * side * upwards, side, angle)


def square_of_points(points: np.ndarray) -> Square:
    """Return where to look for a mesh that is roughly known: level with its eyes, all of it in.

    Args:
        points: `(478, 2)` or `(478, 3)` in picture pixels.
    """
    across = points[LEFT_EYE[0], :2] - points[RIGHT_EYE[0], :2]
    angle = float(np.arctan2(across[1], across[0]))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    level = points[:, :2] @ turn  # in axes along and across the eyes
    low, high = bounds(level).reshape(2, 2)
    return Square(turn @ ((low + high) / 2), ROOM * float((high - low).max()), angle)


def look(network: FaceMesh, picture: np.ndarray, square: Square) -> Mesh:
    """Return the mesh found in one square of a picture `(H, W, 3)` uint8 RGB."""
    matrix = square_matrix(square.center_xy, square.side, square.angle, MESH_SIDE)
    points, presence = network(sample(picture, matrix, MESH_SIDE, quick=True))
    return Mesh(transform(matrix, points), presence)


def look_both_ways(network: FaceMesh, picture: np.ndarray, square: Square) -> Mesh:
    """Return the mean of the meshes of one square and of its mirror image.

    The network treats left and right differently; the mean does not, and it is steadier: on
    rendered faces it follows the weak movements (nose, upper lip, brows) clearly better.
    """
    matrix, own, mirrored = _both(network, picture, square)
    mean = transform(matrix, (own.points + mirrored.points) / 2)
    return Mesh(mean, (own.presence + mirrored.presence) / 2)


def look_mirrored(network: FaceMesh, picture: np.ndarray, square: Square) -> Mesh:
    """Return the mesh of one square, found on its mirror image.

    With a mesh found the other way round it makes a mean like that of `look_both_ways`.
    """
    matrix = square_matrix(square.center_xy, square.side, square.angle, MESH_SIDE)
    mesh = _mirrored(network, sample(picture, matrix, MESH_SIDE, quick=True))
    return Mesh(transform(matrix, mesh.points), mesh.presence)


def mirror_difference(network: FaceMesh, picture: np.ndarray, square: Square) -> float:
    """Return the mean distance of both meshes in the picture's plane, interocular distances."""
    _, own, mirrored = _both(network, picture, square)
    apart = np.linalg.norm((own.points - mirrored.points)[:, :2], axis=1)
    return float(apart.mean() / eye_distance(own.points))


def _both(network: FaceMesh, picture: np.ndarray, square: Square) -> tuple[np.ndarray, Mesh, Mesh]:
    """Return a square's matrix, and the meshes of it and of its mirror image, in its own pixels."""
    matrix = square_matrix(square.center_xy, square.side, square.angle, MESH_SIDE)
    seen = sample(picture, matrix, MESH_SIDE, quick=True)
    return matrix, Mesh(*network(seen)), _mirrored(network, seen)


def _mirrored(network: FaceMesh, seen: np.ndarray) -> Mesh:
    """Return the mesh that the network finds on a square's mirror image, in the square's pixels."""
    points, presence = network(cv2.flip(seen, 1))
    points = points[MIRROR]
    points[:, 0] = MESH_SIDE - 1 - points[:, 0]
    return Mesh(points, presence)


def look_until_settled(network: FaceMesh, picture: np.ndarray, square: Square) -> Mesh:
    """Return a mesh that was found at about its own place and size, after three looks at most."""
    for _ in range(2):
        mesh = look(network, picture, square)
        own = mesh.square
        moved = float(np.linalg.norm(own.center_xy - square.center_xy)) / own.side
        turned = abs((own.angle - square.angle + np.pi) % (2 * np.pi) - np.pi)
        changes = (moved, abs(np.log(own.side / square.side)), turned)
        settled = all(change < most for change, most in zip(changes, _SETTLED, strict=True))
        if settled and mesh.presence >= _CERTAIN:
            return mesh
        square = own
    return look(network, picture, square)


class CropLandmarker(Networks):
    """Finds the mesh on crops; holds the networks, so make one and use it for many.

    Args:
        min_confidence: least score of the mesh, 0 to 1.
    """

    def __init__(self, min_confidence: float) -> None:
        self._min_confidence = min_confidence
        self._mesh = FaceMesh()
        self._finder = FaceFinder(0.5, 32)
        self._held = (self._mesh, self._finder)

    def find(self, crop: np.ndarray, start: np.ndarray | None = None) -> Mesh:
        """Return the best mesh on a crop; its `presence` may be below what counts (`accepts`).

        The first look takes the whole crop, which fits the default margin; where that fails, the
        detectors say where to look.

        Args:
            crop: `(size, size, 3)` uint8 RGB, the face about upright.
            start: `(478, 3)`, the mesh as it was seen on the frame. It counts as one look; the
                other is taken on the crop's mirror image, and their mean is as near to the truth as
                that of three (2.8 % of the interocular distance on frontal rendered faces).
        """
        side = crop.shape[0]
        if start is not None:
            mesh = look_mirrored(self._mesh, crop, square_of_points(start))
            if self.accepts(mesh):
                return Mesh((mesh.points + start) / 2, mesh.presence)
        whole = Square(np.full(2, (side - 1) / 2), side, 0.0)
        first = look_until_settled(self._mesh, crop, whole)
        if self.accepts(first):
            mesh = self._refined(crop, first.points)
            if self.accepts(mesh):
                return mesh
        for level in self._finder.searches(crop):
            for face in level.faces:
                other = look_until_settled(self._mesh, crop, square_of_face(face))
                if other.presence > first.presence:
                    first = other
            if self.accepts(first):
                break
        return self._refined(crop, first.points)

    def looks(self, crop: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Return the mesh seen again from slightly displaced squares, `(LOOKS, 478, 3)`.

        Their mean is steadier than one look, and their spread tells how far one can be trusted. The
        displacements are always the same, so what they do to two like pictures cancels.

        Args:
            crop: `(size, size, 3)` uint8 RGB.
            points: `(478, 3)`, as `find` gave them.
        """
        square = square_of_points(points)
        meshes = []
        for right, down, growth, degrees in _FURTHER:
            center_xy = square.center_xy + square.side * np.array([right, down])
            angle = square.angle + np.radians(degrees)
            moved = Square(center_xy, square.side * growth, angle)
            meshes.append(look_both_ways(self._mesh, crop, moved).points)
        return np.stack(meshes)

    def count(self, crop: np.ndarray) -> int:
        """Return how many faces both detectors together see on a whole crop."""
        levels = islice(self._finder.searches(crop), 2)
        return len(distinct([face for level in levels for face in level.faces]))

    def _refined(self, crop: np.ndarray, points: np.ndarray) -> Mesh:
        return look_both_ways(self._mesh, crop, square_of_points(points))

    def accepts(self, mesh: Mesh) -> bool:
        """Return whether the network is sure enough of a mesh."""
        return mesh.presence >= self._min_confidence
