"""Pictures as the report shows them: small, marked, and written into the page itself."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np

from aacsfnet import landmark_sets as sets

_OUTLINE_RGB = (255, 214, 64)
_POINT_RGB = (64, 224, 208)
_WEBP_QUALITY = 82


def thumbnail(picture: np.ndarray, side: int) -> np.ndarray:
    """Return a picture as `(side, side, 3)` uint8 RGB; 16-bit grey becomes 8-bit.

    Args:
        picture: `(H, W, 3)` uint8 RGB, or `(H, W)` uint8 or uint16.
        side: of the result, pixels.
    """
    if picture.dtype == np.uint16:
        picture = (picture >> 8).astype(np.uint8)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    smaller = picture.shape[0] > side
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(picture), (side, side), interpolation=method)


def with_landmarks(picture: np.ndarray, landmarks_px: np.ndarray, side: int) -> np.ndarray:
    """Return the picture at `side` pixels with the points and the outlines of the face drawn.

    Args:
        picture: `(H, W, 3)` uint8 RGB.
        landmarks_px: `(478, 3)` x, y in the picture's pixels, centres at whole numbers; z unused.
        side: of the result, pixels.
    """
    canvas = thumbnail(picture, side)
    scale = side / picture.shape[0]
    # The centre of pixel 0 lies half a pixel inside the border, at either size.
    points = (np.asarray(landmarks_px)[:, :2] + 0.5) * scale - 0.5
    shift = 4  # OpenCV takes sixteenths of a pixel
    fixed = np.round(points * (1 << shift)).astype(np.int32)
    for x, y in fixed:
        cv2.circle(canvas, (int(x), int(y)), 10, _POINT_RGB, -1, cv2.LINE_AA, shift)
    lines = [fixed[list(outline)] for outline in sets.OUTLINES]
    cv2.polylines(canvas, lines, False, _OUTLINE_RGB, 1, cv2.LINE_AA, shift)
    return canvas


def data_uri(picture: np.ndarray) -> str:
    """Return a picture `(H, W, 3)` uint8 RGB as a `data:` address that holds it; no metadata."""
    options = [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY]
    done, encoded = cv2.imencode(".webp", picture[..., ::-1], options)
    assert done, picture.shape
    return "data:image/webp;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def side_for(count: int, sides: Sequence[int] = (208, 160, 112, 80)) -> int:
    """Return how large each of `count` pictures may be, so that a page stays a few megabytes.

    >>> side_for(36), side_for(1200)
    (208, 80)
    """
    budget = 2_500_000  # bytes; a picture of these sizes takes about a quarter byte a pixel
    return next((side for side in sides if count * side * side / 4 <= budget), sides[-1])
