"""The parts of a face in a picture, and one mean face that pictures are brought onto."""

import cv2
import numpy as np
from scipy.spatial import Delaunay

from aacsfnet import landmark_sets as sets
from aacsfnet.tables import PARTS

#: Regions are drawn this much finer than the picture's pixels, and averaged.
_FINER = 4
#: Room round brows, lids and lips for the skin that moves with them, share of the eyes' distance.
_MARGIN = 0.06
_NOSE = (168, 193, 417, 198, 420, 129, 358, 102, 331, 98, 327, 2)
#: Beyond the face's outline the surroundings are stretched along, to this multiple of its size.
_SURROUND = 2.2


def regions_of(landmarks: np.ndarray, side: int) -> np.ndarray:
    """Return how much of each pixel is of each region, `(regions, side, side)`; they add up to 1.

    The order is that of `aacsfnet.tables.PARTS`. Lids hold the eyes; what lies beyond the mesh's
    outline (hair, ears, neck, ground) is the last region.

    Args:
        landmarks: `(478, 2 or 3)` in pixels of the picture, centres at integers.
        side: of the picture, pixels.
    """
    fine = side * _FINER
    points = (landmarks[:, :2] + 0.5) * _FINER - 0.5
    eyes = points[list(sets.RIGHT_EYE)].mean(axis=0) - points[list(sets.LEFT_EYE)].mean(axis=0)
    margin = max(1, round(2 * _MARGIN * float(np.linalg.norm(eyes))))
    drawn = np.full((fine, fine), PARTS.index("hair and background"), np.uint8)
    _fill(drawn, points[list(sets.FACE_OUTLINE)], "rest of face", 0)
    _fill(drawn, _hull(points, _NOSE), "nose", 0)
    _fill(
        drawn, points[list(sets.loop(sets.LOWER_LIP_OUTER, sets.UPPER_LIP_OUTER))], "lips", margin
    )
    for top, bottom in (
        (sets.RIGHT_BROW_TOP, sets.RIGHT_BROW_BOTTOM),
        (sets.LEFT_BROW_TOP, sets.LEFT_BROW_BOTTOM),
    ):
        _fill(drawn, _hull(points, (*top, *bottom)), "brows", margin)
    for upper, lower in (
        (sets.RIGHT_UPPER_CREASE, sets.RIGHT_LOWER_CREASE),
        (sets.mirrored(sets.RIGHT_UPPER_CREASE), sets.mirrored(sets.RIGHT_LOWER_CREASE)),
    ):
        _fill(drawn, points[list(sets.loop(lower, upper))], "lids", 0)
    masks = drawn == np.arange(len(PARTS))[:, None, None]
    cells = masks.reshape(len(PARTS), side, _FINER, side, _FINER)
    found: np.ndarray = cells.mean(axis=(2, 4))
    return found


def _hull(points: np.ndarray, chosen: tuple[int, ...]) -> np.ndarray:
    hull: np.ndarray = cv2.convexHull(points[list(chosen)].astype(np.float32))[:, 0]
    return hull


def _fill(drawn: np.ndarray, outline: np.ndarray, region: str, margin: int) -> None:
    """Fill an outline `(n, 2)`, and a line along it that is `margin` pixels wide."""
    value = (PARTS.index(region),)
    fixed = [np.rint(outline * 16).astype(np.int32)]
    cv2.fillPoly(drawn, fixed, value, cv2.LINE_8, 4)
    if margin:
        cv2.polylines(drawn, fixed, True, value, margin, cv2.LINE_8, 4)


class MeanFace:
    """Brings maps of pictures onto one face by its mesh, so that people add up.

    Args:
        meshes: `(n, 478, 2 or 3)` of the pictures, in shares of their sides.
        side: of the maps that are given out, pixels.

    Attributes:
        landmarks: `(478, 2)` of the mean face, pixels of those maps.
    """

    def __init__(self, meshes: np.ndarray, side: int) -> None:
        self.side = side
        self.landmarks: np.ndarray = meshes[..., :2].mean(axis=0) * side - 0.5
        points = _surrounded(self.landmarks)
        triangulation = Delaunay(points)
        pixels = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)
        triangle = triangulation.find_simplex(pixels)
        self._beyond = triangle < 0
        self._corners = triangulation.simplices[triangle]  # (pixels, 3)
        to_shares = triangulation.transform[triangle]  # (pixels, 3, 2)
        two = np.einsum("pij,pj->pi", to_shares[:, :2], pixels - to_shares[:, 2])
        self._shares = np.concatenate([two, 1 - two.sum(axis=1, keepdims=True)], axis=1)

    def bring(self, values: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """Return a map on the mean face, `(side, side)` float32; 0 where the picture has nothing.

        Args:
            values: `(H, W)` float32.
            landmarks: `(478, 2 or 3)` in its pixels.
        """
        points = _surrounded(landmarks[:, :2])
        places = np.einsum("pi,pij->pj", self._shares, points[self._corners])
        places[self._beyond] = -10
        across, down = (places[:, at].reshape(self.side, self.side) for at in (0, 1))
        return cv2.remap(
            values.astype(np.float32),
            across.astype(np.float32),
            down.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(0.0,),
        )


def _surrounded(points: np.ndarray) -> np.ndarray:
    """Return a mesh `(478, 2)` with a ring of points round it that move along with its outline."""
    outline = points[list(sets.FACE_OUTLINE)]
    middle = outline.mean(axis=0)
    return np.concatenate([points, middle + _SURROUND * (outline - middle)])
