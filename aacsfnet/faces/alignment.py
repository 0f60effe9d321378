"""From a face's mesh to the similarity that levels it and cuts it out, smooth over a sequence.

A *placement* is four numbers `(x, y, height, angle)`: the face's middle in the frame (pixels), its
height (pixels) and the tilt of its eyes (radians, clockwise as seen).
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np

from aacsfnet.faces.sampling import square_matrix
from aacsfnet.landmark_sets import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE

Angles = TypeVar("Angles", float, np.ndarray)

# Proportions of a face: its height (mesh point 10 on the forehead to 152 on the chin) over the
# distance between the eyes and over that from eyes to mouth, and how far its middle lies from the
# eyes towards the mouth. Measured on a photograph of a neutral face.
_HEIGHT_PER_EYES = 2.65
_HEIGHT_PER_MOUTH = 3.0
_MIDDLE = 0.545

_EYES_AND_MOUTH = [*RIGHT_EYE, *LEFT_EYE, *MOUTH_CORNERS]

#: Weights beyond this many spreads of a window are zero in the robust fit (Tukey's biweight).
_CUT = 4.7
#: A jump of more than this share of the face's height, or of its logarithm, is another shot.
_JUMP = 0.35
#: Smoothing moves no crop further than this share of the face's height from its own frame's.
MAX_SHIFT = 0.02


def placement_of(points: np.ndarray) -> np.ndarray:
    """Return where a face lies, from its eyes and mouth.

    The angle is that of the line between the eyes, which the crop therefore shows level. The
    height takes distances in three dimensions, so that a turned head does not look like a smaller
    one, and from eyes and mouth both, so that neither's error counts in full.

    Args:
        points: `(478, 3)` mesh in picture pixels.

    Returns:
        `(4,)` float64: x, y, height, angle.
    """
    right, left, mouth = points[_EYES_AND_MOUTH].reshape(3, 2, 3).sum(axis=1) / 2
    across, middle = left - right, (left + right) / 2
    down = mouth - middle
    # Not numpy's norm, which takes several times as long for three numbers.
    apart, below = np.sqrt(across.dot(across)), np.sqrt(down.dot(down))
    height = (_HEIGHT_PER_EYES * apart + _HEIGHT_PER_MOUTH * below) / 2
    x, y = (middle + _MIDDLE * down)[:2]
    return np.array([x, y, height, np.arctan2(across[1], across[0])])


def crop_matrix(placement: np.ndarray, size: int, margin: float) -> np.ndarray:
    """Return the 2x3 matrix crop pixel centres -> frame pixel centres.

    Args:
        placement: `(4,)` as `placement_of` gives it.
        size: side of the crop, pixels.
        margin: room above and below the face, share of its height.
    """
    x, y, height, angle = placement
    return square_matrix(np.array([x, y]), height * (1 + 2 * margin), angle, size)


def is_jump(earlier: np.ndarray, later: np.ndarray) -> bool:
    """Return whether two placements of neighbouring frames belong to different shots or people."""
    # In Python's own numbers, of which numpy makes slower work.
    (x, y, height, angle), (next_x, next_y, next_height, next_angle) = map(
        np.ndarray.tolist, (earlier, later)
    )
    if min(height, next_height) <= 0:  # a mesh that collapsed
        return True
    moved = math.hypot(next_x - x, next_y - y) / min(height, next_height)
    grown = abs(math.log(next_height / height))
    return bool(max(moved, grown, abs(_wrapped(next_angle - angle))) > _JUMP)


def smoothed(
    placements: np.ndarray, times: Sequence[int], at: Sequence[int], window: int
) -> np.ndarray:
    """Return placements of a sequence, freed of the detector's jitter.

    Each of the four numbers (height as its logarithm) is fitted by a line over the frames within
    `window` of one, by weighted least squares: tricube weights in time, Tukey's biweight against
    outliers (two rounds; Cleveland 1979, "Robust locally weighted regression"). The window looks
    both ways, so nothing lags behind a movement; a steady movement passes unchanged. The result
    stays within `MAX_SHIFT` of the frame's own placement, so that a quick movement, or pictures
    that are no film at all, cannot pull the crop off the face.

    Args:
        placements: `(n, 4)` of one run of frames without a jump.
        times: position of each frame in its sequence, rising; gaps are fine.
        at: which of the n are wanted, m of them: many take little longer than one.
        window: frames to each side; 0 returns the placements as they are.

    Returns:
        `(m, 4)`.
    """
    found: np.ndarray = placements[np.asarray(at)]
    alike: dict[tuple[int, ...], list[tuple[int, int]]] = {}  # most windows hold the same times
    for row, place in enumerate(at):
        now = times[place]
        first, end = bisect_left(times, now - window), bisect_right(times, now + window)
        offsets = tuple(time - now for time in times[first:end])
        alike.setdefault(offsets, []).append((row, first))
    for offsets, members in alike.items():
        if len(offsets) >= 3:
            rows, firsts = np.array(members).T
            near = placements[firsts[:, None] + np.arange(len(offsets))]
            found[rows] = _smoothed_alike(found[rows], near, offsets, window)
    return found


def _smoothed_alike(
    own: np.ndarray, near: np.ndarray, offsets: tuple[int, ...], window: int
) -> np.ndarray:
    """Return placements `(m, 4)` smoothed by those near each of them.

    Args:
        own: `(m, 4)`.
        near: `(m, n, 4)`, with them.
        offsets: how far the n are away in time.
        window: of `smoothed`.
    """
    near[..., 2] = np.log(near[..., 2])
    angle = own[:, None, 3]
    near[..., 3] = angle + _wrapped(near[..., 3] - angle)
    fitted = _robust_lines_at_zero(*_in_time(offsets, window), near)
    fitted[:, 2] = np.exp(fitted[:, 2])
    return _held_near(own, fitted)


@lru_cache(256)
def _in_time(offsets: tuple[int, ...], window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return of frames near one what lines through them are fitted by.

    Returns:
        `(3, n)`: ones, offsets, their squares; `(n, 1)`: tricube weights.
    """
    offset = np.array(offsets, float)
    weights = (1 - (np.abs(offset) / (window + 1)) ** 3) ** 3
    return np.array([np.ones_like(offset), offset, offset**2]), weights[:, None]


def _robust_lines_at_zero(basis: np.ndarray, in_time: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the values at offset 0 of the lines through weighted columns, outliers left out.

    Args:
        basis: `(3, n)`, as `_in_time` gives it.
        in_time: `(n, 1)`, likewise.
        values: `(m, n, k)`, one line a column of each of the m; `(m, k)` come back.
    """
    offset = basis[1][:, None]
    weights = np.ascontiguousarray(np.broadcast_to(in_time, values.shape))
    for _ in range(2):
        level, slope = _weighted_lines(basis, values, weights)
        residuals = np.abs(values - level[:, None] - offset * slope[:, None])
        scale = _CUT * 1.4826 * _median(residuals)[:, None]
        off_line = scale > 0
        spreads = residuals / np.where(off_line, scale, 1.0)
        robust = in_time * np.maximum(1 - spreads**2, 0) ** 2
        # A column that lies on its line, or would keep too few points, keeps its weights.
        steady = off_line & ((robust > 0).sum(axis=1, keepdims=True) >= 3)
        weights = np.where(steady, robust, weights)
    return _weighted_lines(basis, values, weights)[0]


def _weighted_lines(
    basis: np.ndarray, values: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return value at offset 0 and slope of the line through each column, `(m, k)` each.

    Args:
        basis: `(3, n)`: ones, offsets, their squares.
        values: `(m, n, k)`.
        weights: `(m, n, k)`, at least two of a column above zero.
    """
    total, first, second = np.moveaxis(basis @ weights, 1, 0)
    level, moment = np.moveaxis(basis[:2] @ (weights * values), 1, 0)
    spread = total * second - first**2
    return (second * level - first * moment) / spread, (total * moment - first * level) / spread


def _median(values: np.ndarray) -> np.ndarray:
    """Return the median of each column of `(m, n, k)`; numpy's takes ten times as long."""
    ranked, half = np.sort(values, axis=1), values.shape[1] // 2
    if values.shape[1] % 2:
        return np.asarray(ranked[:, half])
    return np.asarray((ranked[:, half - 1] + ranked[:, half]) / 2)


def _held_near(own: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Return the fitted placements, or the points on the way to them that `MAX_SHIFT` allows."""
    change = fitted - own
    height = own[:, 2]
    # Half a face's height from the middle, a tilt of r radians moves a point by r / 2 heights.
    shift = np.maximum(
        np.hypot(change[:, 0], change[:, 1]) / height,
        np.maximum(np.abs(change[:, 2]) / height, np.abs(change[:, 3])) / 2,
    )
    share = MAX_SHIFT / np.maximum(shift, MAX_SHIFT)
    return np.asarray(own + change * share[:, None])


def _wrapped(angle: Angles) -> Angles:
    """Return an angle, or angles, brought into -pi..pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
