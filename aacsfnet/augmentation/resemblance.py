"""How far a generated face is from its source: geometry, and the picture as such."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aacsfnet.faces.geometry import (
    LEFT_BROW,
    LEFT_BROW_TOP,
    LEFT_EYE,
    LEFT_LIDS,
    RIGHT_BROW,
    RIGHT_BROW_TOP,
    RIGHT_EYE,
    RIGHT_LIDS,
    eye_distance,
)
from aacsfnet.table import PAIN_MEASURES

_LIDS = tuple(point for pair in RIGHT_LIDS + LEFT_LIDS for point in pair)
_LIPS = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146),
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95),
)
#: Landmarks of each region whose error is given apart; the iris is left out of the whole, since
#: closed lids hide it.
REGIONS: dict[str, tuple[int, ...]] = {
    "landmark": tuple(range(468)),
    "eyes": RIGHT_EYE + LEFT_EYE + _LIDS,
    "brows": RIGHT_BROW + RIGHT_BROW_TOP + LEFT_BROW + LEFT_BROW_TOP,
    "mouth": _LIPS,
}


def landmark_errors(source: NDArray[np.floating], found: NDArray[np.floating]) -> dict[str, float]:
    """Return the mean distance of two meshes by region, in the source's eye distances.

    Distances are taken in the picture's plane: depth found on a picture is a guess.

    Args:
        source: `(478, 3)` in pixels.
        found: `(478, 3)` in pixels of a picture of the same size.
    """
    distance = np.linalg.norm(found[:, :2] - source[:, :2], axis=1) / eye_distance(source)
    return {name: float(distance[list(points)].mean()) for name, points in REGIONS.items()}


def measure_changes(source: dict[str, float], found: dict[str, float]) -> dict[str, float]:
    """Return how much each measure of pain differs, found minus source, in eye distances."""
    return {name: found[name] - source[name] for name in PAIN_MEASURES}


@dataclass(frozen=True)
class Look:
    """A picture's sharpness (variance of the Laplacian), brightness and contrast (0 to 1)."""

    sharpness: float
    brightness: float
    contrast: float


def look_of(picture: NDArray[np.uint8]) -> Look:
    """Return sharpness, brightness and contrast of a picture `(H, W, 3)` RGB."""
    import cv2

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64) / 255
    return Look(float(cv2.Laplacian(grey, cv2.CV_64F).var()), float(grey.mean()), float(grey.std()))


def difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the mean absolute difference of two pictures of one size, 0 to 1."""
    return float(np.abs(first.astype(np.float32) - second.astype(np.float32)).mean() / 255)
