"""Pictures as the report shows them: small, marked, and written into the page itself."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np

#: The outlines of a face among MediaPipe's 478 points; closed ones end where they begin.
OUTLINES: tuple[tuple[int, ...], ...] = (
    (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
     148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109, 10),
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246, 33),
    (362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398, 362),
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185, 61),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191, 78),
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 70),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276, 300),
)  # fmt: skip

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
    lines = [fixed[list(outline)] for outline in OUTLINES]
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
