"""Triangles to pixels: which triangle is seen where, and linear values over each triangle."""

import cv2
import numpy as np
from numpy.typing import NDArray

from aacsfnet.rendering.mesh import Array, Indices

_SHIFT = 4  # fractional bits of a corner's place


def visible(points: Array, order: Indices, triangles: Indices, height: int, width: int) -> Indices:
    """Return for each pixel 1 + the triangle seen there, 0 where there is none, `(H, W)`.

    Args:
        points: `(V, 2)` x, y in pixels, pixel centres at integers.
        order: triangles to draw, from the farthest to the nearest.
        triangles: `(T, 3)` indices into `points`.
        height: of the picture, pixels.
        width: of the picture, pixels.
    """
    seen = np.zeros((height, width), np.int32)
    fixed = np.round(points[triangles[order]] * (1 << _SHIFT)).astype(np.int32)
    fill = cv2.fillConvexPoly
    for number, corners in zip((order + 1).tolist(), fixed, strict=True):
        fill(seen, corners, number, 8, _SHIFT)
    return seen


def areas(points: Array, triangles: Indices) -> Array:
    """Return twice the signed area of each triangle, pixels²; positive: seen from its front."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    return np.asarray(
        (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]) - (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1])
    )


def planes(points: Array, triangles: Indices, values: Array) -> Array:
    """Return the linear functions that take `values` at the corners.

    A sliver thinner than about half a pixel gets a constant, since its slope means nothing.

    Args:
        points: `(V, 2)` x, y in pixels.
        triangles: `(T, 3)`.
        values: `(V, K)`.

    Returns:
        `(1 + T, 3, K)`: per pixel in x, per pixel in y, at pixel (0, 0). Row 0 is zero, so that
        what `visible` returns can be used as an index.
    """
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    ab, ac = b - a, c - a
    first = values[triangles[:, 0]]
    to_b, to_c = values[triangles[:, 1]] - first, values[triangles[:, 2]] - first
    area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    longest = np.sqrt(np.maximum((ab**2).sum(1), (ac**2).sum(1))) + 1e-6
    sound = np.abs(area) > 0.5 * longest
    inverse = np.where(sound, 1 / np.where(sound, area, 1), 0)[:, None]
    result = np.zeros((1 + len(triangles), 3, values.shape[1]), np.float32)
    result[1:, 0] = (to_b * ac[:, 1:] - to_c * ab[:, 1:]) * inverse
    result[1:, 1] = (to_c * ab[:, :1] - to_b * ac[:, :1]) * inverse
    mean = first + (to_b + to_c) / 3
    at_first = first - result[1:, 0] * a[:, :1] - result[1:, 1] * a[:, 1:]
    result[1:, 2] = np.where(sound[:, None], at_first, mean)
    return result


def evaluate(seen: Indices, planes_: Array) -> list[NDArray[np.float32]]:
    """Return the values over a picture, one `(H, W)` array each.

    Args:
        seen: `(H, W)` from `visible`.
        planes_: from `planes`.
    """
    height, width = seen.shape
    x = np.arange(width, dtype=np.float32)[None]
    y = np.arange(height, dtype=np.float32)[:, None]
    flat = seen.ravel()
    by_term = np.ascontiguousarray(planes_.transpose(1, 2, 0))
    found = []
    for number in range(planes_.shape[2]):
        slope_x, slope_y, start = (
            by_term[term, number].take(flat, mode="clip").reshape(height, width)
            for term in range(3)
        )
        slope_x *= x
        slope_y *= y
        slope_x += slope_y
        slope_x += start
        found.append(slope_x)
    return found
