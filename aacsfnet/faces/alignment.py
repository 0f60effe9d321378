"""From a face's mesh to the similarity that levels it and cuts it out, smooth over a sequence.

A *placement* is four numbers `(x, y, height, angle)`: the face's middle in the frame (pixels), its
height (pixels) and the tilt of its eyes (radians, clockwise as seen).
"""

import numpy as np

from aacsfnet.faces.sampling import square_matrix
from aacsfnet.landmark_sets import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE

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
    height = min(earlier[2], later[2])
    moved = np.hypot(*(later[:2] - earlier[:2])) / height
    grown = abs(np.log(later[2] / earlier[2]))
    return bool(max(moved, grown, abs(_wrapped(later[3] - earlier[3]))) > _JUMP)


def smoothed(placements: np.ndarray, times: np.ndarray, at: int, window: int) -> np.ndarray:
    """Return one placement of a sequence, freed of the detector's jitter.

    Each of the four numbers (height as its logarithm) is fitted by a line over the frames within
    `window` of it, by weighted least squares: tricube weights in time, Tukey's biweight against
    outliers (two rounds; Cleveland 1979, "Robust locally weighted regression"). The window looks
    both ways, so nothing lags behind a movement; a steady movement passes unchanged. The result
    stays within `MAX_SHIFT` of the frame's own placement, so that a quick movement, or pictures
    that are no film at all, cannot pull the crop off the face.

    Args:
        placements: `(n, 4)` of one run of frames without a jump.
        times: `(n,)` position of each frame in its sequence; gaps are fine.
        at: which of the n is wanted.
        window: frames to each side; 0 returns the placement as it is.
    """
    own: np.ndarray = placements[at]
    near = np.abs(times - times[at]) <= window
    if near.sum() < 3:
        return own
    offset = (times[near] - times[at]).astype(float)
    values = placements[near].copy()
    values[:, 2] = np.log(values[:, 2])
    values[:, 3] = own[3] + _wrapped(values[:, 3] - own[3])
    in_time = (1 - (np.abs(offset) / (window + 1)) ** 3) ** 3
    fitted = _robust_lines_at_zero(offset, values, in_time)
    fitted[2] = np.exp(fitted[2])
    return _held_near(own, fitted)


def _robust_lines_at_zero(
    offset: np.ndarray, values: np.ndarray, in_time: np.ndarray
) -> np.ndarray:
    """Return the values at offset 0 of the lines through weighted columns, outliers left out.

    Args:
        offset: `(n,)`.
        values: `(n, k)`, one line a column.
        in_time: `(n,)` weights.
    """
    basis = np.array([np.ones_like(offset), offset, offset**2])
    weights = np.repeat(in_time[:, None], values.shape[1], axis=1)
    for _ in range(2):
        level, slope = _weighted_lines(basis, values, weights)
        residuals = np.abs(values - level - offset[:, None] * slope)
        scale = _CUT * 1.4826 * _median(residuals)
        with np.errstate(divide="ignore", invalid="ignore"):
            robust = in_time[:, None] * np.maximum(1 - (residuals / scale) ** 2, 0) ** 2
        # A column that lies on its line, or would keep too few points, keeps its weights.
        steady = (scale > 0) & ((robust > 0).sum(axis=0) >= 3)
        weights = np.where(steady, robust, weights)
    return _weighted_lines(basis, values, weights)[0]


def _weighted_lines(
    basis: np.ndarray, values: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return value at offset 0 and slope of the line through each column, `(k,)` each.

    Args:
        basis: `(3, n)`: ones, offsets, their squares.
        values: `(n, k)`.
        weights: `(n, k)`, at least two of a column above zero.
    """
    total, first, second = basis @ weights
    level, moment = basis[:2] @ (weights * values)
    spread = total * second - first**2
    return (second * level - first * moment) / spread, (total * moment - first * level) / spread


def _median(values: np.ndarray) -> np.ndarray:
    """Return the median of each column; numpy's own takes ten times as long for so few."""
    ranked, half = np.sort(values, axis=0), len(values) // 2
    return np.asarray(ranked[half] if len(values) % 2 else (ranked[half - 1] + ranked[half]) / 2)


def _held_near(own: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Return the fitted placement, or the point on the way to it that `MAX_SHIFT` allows."""
    change = fitted - own
    # Half a face's height from the middle, a tilt of r radians moves a point by r / 2 heights.
    shift = max(
        float(np.hypot(*change[:2])) / own[2], abs(change[2]) / own[2] / 2, abs(change[3]) / 2
    )
    return np.asarray(own + change * min(1.0, MAX_SHIFT / shift) if shift > 0 else own)


def _wrapped(angle: np.ndarray) -> np.ndarray:
    """Return angles brought into -pi..pi."""
    return (angle + np.pi) % (2 * np.pi) - np.pi
