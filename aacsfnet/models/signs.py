"""What tells whether a face is like those of training: the same numbers in training as in use.

`aacsfnet.evaluation.abstention.SIGNS` has them by name, with what they mean.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from aacsfnet.landmark_sets import REGION_POINTS

Floats = NDArray[np.float64]


def face_signs(
    poses: np.ndarray,
    frame_pixels: np.ndarray,
    visible: np.ndarray,
    *,
    side: int | np.ndarray,
    size: int,
    kept: float,
) -> dict[str, Floats]:
    """Return the signs that finding faces gives, each `(n,)`, NaN where unknown.

    Args:
        poses: `(n, 2)` yaw and pitch, degrees.
        frame_pixels: `(n,)` pixels of the frame, along a side, to one pixel of the crop.
        visible: `(n, regions)` share of each of `REGION_POINTS` that is seen.
        side: of the crops, pixels; one for all or `(n,)`.
        size: side of the network's pictures, pixels.
        kept: share of a crop's side that they show.
    """
    yaw, pitch = np.asarray(poses, np.float64).reshape(-1, 2).T
    # Below 1 the picture is an enlargement: the camera saw less than it shows.
    detail = np.asarray(frame_pixels, np.float64) * (side * kept / size)
    seen = np.asarray(visible, np.float64).reshape(-1, len(REGION_POINTS)).T
    regions = {f"visible_{name}": each for name, each in zip(REGION_POINTS, seen, strict=True)}
    return {"yaw": yaw, "pitch": pitch, "detail": detail} | regions


def picture_signs(pictures: np.ndarray, distances: np.ndarray) -> dict[str, Floats]:
    """Return the signs of the network's pictures, each `(n,)`.

    Args:
        pictures: `(n, S, S, 3)` uint8 RGB.
        distances: `(n,)` of their features, see `aacsfnet.models.familiarity`.
    """
    sharp = np.array([sharpness(each) for each in pictures], np.float64)
    return {"sharpness": sharp, "distance": np.asarray(distances, np.float64)}


def sharpness(picture: np.ndarray) -> float:
    """Return how sharp a picture `(S, S, 3)` uint8 is: fine structure's share of its variance.

    Variance of the Laplacian of the grey values over their variance, so that light and contrast do
    not matter (the first alone: Pech-Pacheco et al. 2000). A picture of one colour has 0.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    variance = float(grey.var())
    return float(cv2.Laplacian(grey, cv2.CV_32F).var()) / variance if variance > 0 else 0.0


def frame_pixels(to_frame: np.ndarray) -> float:
    """Return pixels of the frame to one of a crop, of a matrix 2x3 from crop to frame pixels.

    The matrix turns and scales alike in both directions, so its determinant is the scale squared.
    """
    return float(np.sqrt(abs(np.linalg.det(np.asarray(to_frame)[:, :2]))))
