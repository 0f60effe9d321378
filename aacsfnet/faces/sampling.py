"""Squares cut out of pictures at any place, size and angle, without aliasing.

Convention: a point is x right, y down, pixel centres at integers. A square is given by the 2x3
matrix that takes its pixel centres to the picture's: `picture_xy = matrix @ (x, y, 1)`.
"""

import math
from collections.abc import Collection

import cv2
import numpy as np

#: Of pixels in a picture, by x and by y: how far they lie apart, and where the first one lies.
Place = tuple[tuple[float, float], tuple[float, float]]
#: Finer detail than a square shows is left in by up to this factor: where time counts, else.
_QUICK, _EXACT = 1.5, 1.05


def square_matrix(center_xy: np.ndarray, side: float, angle: float, pixels: int) -> np.ndarray:
    """Return the 2x3 matrix of a square: its pixel centres -> picture pixel centres.

    Args:
        center_xy: `(2,)`, middle of the square in the picture.
        side: of the square in the picture, pixels.
        angle: turn of the square's x axis from the picture's, radians, clockwise as seen.
        pixels: side of the square in its own pixels.

    >>> square_matrix(np.array([4.5, 4.5]), 10.0, 0.0, 5).tolist()
    [[2.0, -0.0, 0.5], [0.0, 2.0, 0.5]]
    """
    scale, middle = side / pixels, (pixels - 1) / 2
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
    matrix[:, 2] = center_xy - matrix[:, :2] @ np.array([middle, middle])
    return matrix


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return points `(n, 2)` or `(n, 3)` moved by a 2x3 similarity; z is scaled with x and y."""
    moved = np.empty(points.shape)
    moved[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    if points.shape[1] == 3:
        moved[:, 2] = points[:, 2] * float(np.hypot(matrix[0, 0], matrix[1, 0]))
    return moved


def bounds(points: np.ndarray) -> np.ndarray:
    """Return the box `(4,)` round points `(n, 2)` or `(n, 3)`: left, top, right, bottom.

    >>> bounds(np.array([[1.0, 5.0], [3.0, 2.0]])).tolist()
    [1.0, 2.0, 3.0, 5.0]
    """
    # By columns: along the first axis numpy takes five times as long.
    x, y = points[:, 0], points[:, 1]
    return np.array([x.min(), y.min(), x.max(), y.max()])


def invert(matrix: np.ndarray) -> np.ndarray:
    """Return the 2x3 matrix that undoes another."""
    # Written out: numpy's inverse takes twenty times as long for so small a matrix.
    (a, b, x), (c, d, y) = matrix.tolist()
    scale = 1 / (a * d - b * c)
    a, b, c, d = d * scale, -b * scale, -c * scale, a * scale
    return np.array([[a, b, -(a * x + b * y)], [c, d, -(c * x + d * y)]])


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Return the 2x3 matrix that applies `inner`, then `outer`."""
    composed: np.ndarray = outer[:, :2] @ inner
    composed[:, 2] += outer[:, 2]
    return composed


def patch(
    picture: np.ndarray, matrix: np.ndarray, pixels: int, *, quick: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of a picture that a square needs, shrunk to about the square's resolution.

    Shrinking averages over areas, so detail finer than the square's pixels does not alias.

    Args:
        picture: `(H, W, 3)` uint8.
        matrix: 2x3, square pixels -> picture pixels.
        pixels: side of the square.
        quick: be content with one and a half times the square's resolution, which half of the
            time needs halving alone: that takes a tenth of the time.

    Returns:
        `(h, w, 3)` uint8, and the 2x3 matrix from its pixel centres to the picture's.
    """
    # In Python's own numbers: for so few numpy takes several times as long.
    height, width = picture.shape[:2]
    (a, b, x), (c, d, y) = matrix.tolist()
    scale = max(1.0, math.hypot(a, c))
    border = 2 * scale + 1
    last = pixels - 1
    # A square wholly outside keeps the nearest pixels, which its border then repeats.
    left, right = _reach((x, x + a * last, x + b * last, x + a * last + b * last), border, width)
    top, bottom = _reach((y, y + c * last, y + d * last, y + c * last + d * last), border, height)
    part = picture[top:bottom, left:right]
    place: Place = (1.0, float(left)), (1.0, float(top))
    while scale >= 2 and min(part.shape[:2]) >= 2:
        rows, columns = part.shape[0] // 2, part.shape[1] // 2
        part, place = _shrunk(part[: 2 * rows, : 2 * columns], (columns, rows), place)
        scale /= 2
    if scale > (_QUICK if quick else _EXACT):
        rows, columns = (max(1, round(side / scale)) for side in part.shape[:2])
        part, place = _shrunk(part, (columns, rows), place)
    (by_x, x), (by_y, y) = place
    return part, np.array([[by_x, 0.0, x], [0.0, by_y, y]])


def _reach(corners: Collection[float], border: float, length: int) -> tuple[int, int]:
    """Return the first pixel of a row that a square and its border touch, and that after the last.

    >>> _reach((-2.0, 2.7), 0.5, 10), _reach((13.0, 14.0), 1.0, 10)
    ((0, 5), (9, 10))
    """
    end = min(max(math.ceil(max(corners) + border) + 1, 1), length)
    return min(max(math.floor(min(corners) - border), 0), length - 1, end - 1), end


def _shrunk(part: np.ndarray, size: tuple[int, int], place: Place) -> tuple[np.ndarray, Place]:
    """Return a part averaged down to a size (width, height), and where its pixels now lie."""
    (by_x, x), (by_y, y) = place
    finer_x, finer_y = part.shape[1] / size[0], part.shape[0] / size[1]
    shrunk = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return shrunk, (
        (by_x * finer_x, by_x * ((finer_x - 1) / 2) + x),
        (by_y * finer_y, by_y * ((finer_y - 1) / 2) + y),
    )


def resample(
    picture: np.ndarray, matrix: np.ndarray, pixels: int, *, sharp: bool = False
) -> np.ndarray:
    """Return a square of a picture that is already at about the square's resolution.

    Outside the picture its border pixels are repeated.

    Args:
        picture: `(H, W, 3)` uint8, as `patch` gives it.
        matrix: 2x3, square pixels -> picture pixels.
        pixels: side of the square.
        sharp: cubic instead of linear interpolation.
    """
    return cv2.warpAffine(
        picture,
        matrix,
        (pixels, pixels),
        flags=(cv2.INTER_CUBIC if sharp else cv2.INTER_LINEAR) | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def sample(
    picture: np.ndarray, matrix: np.ndarray, pixels: int, *, quick: bool = False
) -> np.ndarray:
    """Return a square `(pixels, pixels, 3)` of a picture, anti-aliased (`patch`, `resample`)."""
    part, to_picture = patch(picture, matrix, pixels, quick=quick)
    return resample(part, compose(invert(to_picture), matrix), pixels)
