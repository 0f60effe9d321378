"""A depth map from the face's landmarks: their surface, rasterised with a z-buffer.

Convention: pixel centres lie at integer coordinates, x to the right, y down, z on x's scale and
smaller = nearer, as MediaPipe gives it. Eye and mouth openings are no part of the surface, so they
show as background: how far lids and lips are apart is written into the map.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: Brightness of the farthest point of the face. Above 0, so that the rim differs from background.
RIM = 0.2

# An edge's crossing with a row is a rounded quotient; without this slack a pixel centre that lies
# exactly on an edge shared by two triangles could fall into the crack between them.
_SLACK_PX = 1e-9


@cache
def mesh_triangles() -> NDArray[np.int64]:
    """Return the triangles of MediaPipe's face tesselation: `(854, 3)` landmark numbers < 468.

    They are the 3-cliques of `FACEMESH_TESSELATION`, stored so that no MediaPipe is needed. The
    renderer's triangles (`rendering.mesh.canonical`), which carry its texture, cut many of the
    quadrilaterals along the other diagonal.
    """
    with np.load(Path(__file__).with_name("mesh_triangles.npz"), allow_pickle=False) as stored:
        return np.asarray(stored["triangles"], dtype=np.int64)


def rasterise(
    vertices: NDArray[np.floating], triangles: NDArray[np.integer], height: int, width: int
) -> NDArray[np.float64]:
    """Return the z of the nearest surface at every pixel centre; infinity where there is none.

    A pixel is covered when its centre lies in the closed triangle. z is interpolated linearly.
    Triangles without area and those with a coordinate that is not finite are left out.

    Args:
        vertices: `(V, 3)` x, y, z in pixels.
        triangles: `(T, 3)` vertex numbers, either orientation.
        height: rows of the result.
        width: columns of the result.

    Returns:
        `(height, width)` z.
    """
    nearest = np.full(height * width, np.inf)
    corners = np.asarray(vertices, dtype=np.float64)[triangles]  # (T, 3, 3)
    corners = corners[np.isfinite(corners).all(axis=(1, 2))]
    corners, area = _oriented(corners)
    owner, row = _rows(corners[..., 1], height)
    first, last = _spans(corners[owner], row, width)
    inside = first <= last
    owner, row, first, last = owner[inside], row[inside], first[inside], last[inside]
    slope_x, slope_y = _slopes(corners, area)
    z_at_first = (
        corners[owner, 0, 2]
        + slope_x[owner] * (first - corners[owner, 0, 0])
        + slope_y[owner] * (row - corners[owner, 0, 1])
    )
    lengths = last - first + 1
    step = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    pixels = np.repeat(row * width + first, lengths) + step
    z = np.repeat(z_at_first, lengths) + np.repeat(slope_x[owner], lengths) * step
    np.minimum.at(nearest, pixels, z)
    return nearest.reshape(height, width)


def _oriented(
    corners: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the triangles that have an area, all turned the same way, and twice their area."""
    (ax, ay), (bx, by), (cx, cy) = (corners[:, i, :2].T for i in range(3))
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    corners = np.where((area < 0)[:, None, None], corners[:, ::-1], corners)
    keep = area != 0
    return corners[keep], np.abs(area[keep])


def _rows(y: NDArray[np.float64], height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return every pair of a triangle `(T, 3)` and an image row that it may reach."""
    low = np.ceil(np.clip(y.min(axis=1), 0, height) - _SLACK_PX).astype(np.int64)
    high = np.floor(np.clip(y.max(axis=1), -1, height - 1) + _SLACK_PX).astype(np.int64)
    count = np.maximum(high - low + 1, 0)
    owner = np.repeat(np.arange(len(y)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - low, count)
    return owner, row


def _spans(
    corners: NDArray[np.float64], row: NDArray[np.int64], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first and last pixel of each row that lies inside its triangle.

    With the orientation of `_oriented`, a point is inside when
    `dx * (y - ay) - dy * (x - ax) >= 0` for each edge `(dx, dy)` that starts at `(ax, ay)`.
    """
    start = corners[:, :, :2]
    edge = np.roll(start, -1, axis=1) - start  # (N, 3, 2)
    dx, dy = edge[..., 0], edge[..., 1]
    below = row[:, None] - start[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = start[..., 0] + dx * below / dy
    first = np.where(dy < 0, crossing, -np.inf).max(axis=1)
    last = np.where(dy > 0, crossing, np.inf).min(axis=1)
    outside = ((dy == 0) & (dx * below < 0)).any(axis=1)
    first = np.ceil(np.maximum(first, 0) - _SLACK_PX)
    last = np.floor(np.minimum(last, width - 1) + _SLACK_PX)
    first, last = np.where(outside, 1.0, first), np.where(outside, 0.0, last)
    return first.astype(np.int64), last.astype(np.int64)


def _slopes(
    corners: NDArray[np.float64], area: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how z changes per pixel to the right and per pixel down, for each triangle."""
    b, c = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    slope_x = (b[:, 2] * c[:, 1] - c[:, 2] * b[:, 1]) / area
    slope_y = (c[:, 2] * b[:, 0] - b[:, 2] * c[:, 0]) / area
    return slope_x, slope_y


def depth_picture(z: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Return distances as a control picture: nearest 65535, farthest `RIM`, background 0.

    A surface that is everywhere equally far is drawn white.

    Args:
        z: `(H, W)` distance, smaller = nearer, infinity where there is no surface.
    """
    surface = np.isfinite(z)
    picture = np.zeros(z.shape, np.uint16)
    if surface.any():
        near, far = z[surface].min(), z[surface].max()
        depth = (far - z[surface]) / (far - near) if far > near else np.ones(surface.sum())
        picture[surface] = np.rint((RIM + (1 - RIM) * depth) * 65535).astype(np.uint16)
    return picture


def mesh_depth(landmarks_px: NDArray[np.floating], height: int, width: int) -> NDArray[np.uint16]:
    """Return the depth map of a face: `(height, width)`, 16 bit, near = white, background 0.

    Args:
        landmarks_px: `(468 or more, 3)` x, y, z in crop pixels.
        height: of the map, pixels.
        width: of the map, pixels.
    """
    return depth_picture(rasterise(landmarks_px[:468], mesh_triangles(), height, width))
