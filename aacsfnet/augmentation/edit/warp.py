"""A picture drawn after a face's mesh that has moved: piecewise affine over the mesh's triangles.

Farther triangles are drawn first, so what the head hides stays hidden. Beyond the face's outline
the movement fades to nothing. Lids slide over the eye: between their rim and the crease above,
skin is stretched, while the lashes keep their width, and light and shadow follow (`lids`). What
opens between the lips is dark.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from aacsfnet import landmark_sets as sets
from aacsfnet.augmentation.edit import lids
from aacsfnet.faces.geometry import eye_distance
from aacsfnet.rendering import mesh, raster

#: Where the movement has faded out, as a multiple of the outline's distance from its middle.
_FAR = 1.45
#: Brightness of the inside of a mouth beside the skin's, RGB.
_CAVITY = np.array([0.28, 0.17, 0.16])

_LIP, _OUTLINE = len(sets.UPPER_LIP_INNER), len(sets.FACE_OUTLINE)
#: Rows of vertices behind the face's 468: lashes and edges of the upper lids, eyes, mouth, and what
#: surrounds the face.
_LASH_ROWS = mesh.FACE + lids.COUNT * np.arange(2)
_EDGE_ROWS = _LASH_ROWS + 2 * lids.COUNT
_EYE_ROWS = mesh.FACE + 4 * lids.COUNT + 2 * lids.COUNT * np.arange(2)
_MOUTH_ROW = mesh.FACE + 8 * lids.COUNT
_FAR_ROW = _MOUTH_ROW + 2 * _LIP
#: Triangles of both eyes, and of the mouth behind them.
_EYES, _MOUTH = 4 * (lids.COUNT - 1), 2 * (_LIP - 1)


@cache
def _triangles() -> tuple[mesh.Indices, mesh.Indices]:
    """Return all triangles `(T, 3)` and how far behind each counts: 0 skin, 1 eye or mouth, 2 rim.

    The eyes' and then the mouth's come last.
    """
    skin = mesh.canonical()[2]
    strips, inside = [], []
    for side in (0, 1):
        lid = np.isin(skin, lids.CREASES[side] + lids.UPPER[side]).all(axis=1)
        skin = skin[~lid]
        row = np.arange(lids.COUNT)
        lashes, edge = _LASH_ROWS[side] + row, _EDGE_ROWS[side] + row
        rows = np.array([lids.CREASES[side], lashes, lids.UPPER[side], edge])
        strips.append(rows.ravel()[mesh.grid_triangles(4, lids.COUNT)])
        inside.append(_EYE_ROWS[side] + mesh.grid_triangles(2, lids.COUNT))
    mouth = _MOUTH_ROW + mesh.grid_triangles(2, _LIP)
    round_face = np.concatenate([sets.FACE_OUTLINE, _FAR_ROW + np.arange(_OUTLINE)])
    rim = round_face[mesh.grid_triangles(2, _OUTLINE, closed=True)]
    parts = [rim, skin, *strips, *inside, mouth]
    behind = [2, 0, 0, 0, 1, 1, 1]
    return (
        np.concatenate(parts).astype(np.int32),
        np.repeat(behind, [len(part) for part in parts]).astype(np.int32),
    )


def warped(
    picture: NDArray[np.uint8],
    source_px: NDArray[np.floating],
    target_px: NDArray[np.floating],
) -> NDArray[np.uint8]:
    """Return a picture whose face has the mesh `source_px`, moved to that of `target_px`.

    Args:
        picture: `(H, W, 3)` uint8 RGB.
        source_px: `(468 or more, 3)` x, y, z in pixels, z smaller = nearer.
        target_px: as `source_px`, another expression of the same head in the same pose.
    """
    height, width = picture.shape[:2]
    source, target = (
        np.asarray(points[: mesh.FACE], np.float32) for points in (source_px, target_px)
    )
    if (source == target).all():
        return picture.copy()
    start, goal = _vertices(source, target)
    triangles, behind = _triangles()
    order = _farthest_first(goal, triangles, behind)
    seen = raster.visible(goal[:, :2], order, triangles, height, width)
    shift = np.asarray(start[:, :2] - goal[:, :2], np.float32)
    from_x, from_y = raster.evaluate(seen, raster.planes(goal[:, :2], triangles, shift))
    from_x += np.arange(width, dtype=np.float32)
    from_y += np.arange(height, dtype=np.float32)[:, None]
    drawn: NDArray[np.uint8] = cv2.remap(  # type: ignore[assignment]
        picture, from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    drawn = _with_light(drawn, seen, goal, source, target)
    opened = seen > len(triangles) - _MOUTH
    return _with_cavity(drawn, opened, source, picture) if opened.any() else drawn


def _vertices(
    source: NDArray[np.float32], target: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return all vertices `(V, 3)` where they are and where they go."""
    skin = source.copy()
    lashes, edges, eyes = [], [], []
    for side in (0, 1):
        upper, lower = list(lids.UPPER[side]), list(lids.LOWER[side])
        was, goes = lids.lids_of(source, target, side)
        skin[upper], skin[lower] = was.upper, was.lower
        lashes.append((was.lashes, goes.lashes))
        edges.append((was.edge, goes.edge))
        # The eye stays; what opens wider than it was is filled by stretching it.
        gap = source[lower] - source[upper]
        wider = ((target[upper] - source[upper]) * gap).sum(1, keepdims=True) < 0
        deeper = ((target[lower] - source[lower]) * gap).sum(1, keepdims=True) > 0
        eyes.append((source[upper], np.where(wider, target[upper], source[upper])))
        eyes.append((source[lower], np.where(deeper, target[lower], source[lower])))
    lips = target[list(sets.UPPER_LIP_INNER + sets.LOWER_LIP_INNER)]  # teeth stay as well
    edge = source[list(sets.FACE_OUTLINE)]
    far = edge.mean(axis=0) + _FAR * (edge - edge.mean(axis=0))
    added = [*lashes, *edges, *eyes, (lips, lips), (far, far)]
    return (
        np.concatenate([skin, *(before for before, _ in added)]),
        np.concatenate([target, *(after for _, after in added)]),
    )


def _with_light(
    drawn: NDArray[np.uint8],
    seen: mesh.Indices,
    goal: NDArray[np.float32],
    source: NDArray[np.float32],
    target: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """Return a picture with the light on closing lids, and their shadow on the eyes."""
    closing = [lids.closing(source, target, side) for side in (0, 1)]
    if not any(share.any() for share in closing):
        return drawn
    triangles = _triangles()[0]
    light = np.zeros((len(goal), 3), np.float32)  # gained; depth in the lid's shadow before, after
    row = np.arange(lids.COUNT)
    for side in (0, 1):
        lit = lids.lit(closing[side], source, target, side)
        light[list(lids.CREASES[side]), :1] = lit.crease
        light[list(lids.UPPER[side]), :1] = lit.upper
        light[_LASH_ROWS[side] + row, :1] = lit.lashes
        light[_EDGE_ROWS[side] + row, :1] = lit.edge
        light[list(lids.LOWER[side]), :1] = lit.lower
        light[_EYE_ROWS[side] + row, 1:], light[_EYE_ROWS[side] + lids.COUNT + row, 1:] = (
            lids.depths(source, target, side)
        )
    gained, before, after = raster.evaluate(seen, raster.planes(goal[:, :2], triangles, light))
    eye = (seen > len(triangles) - _EYES - _MOUTH) & (seen <= len(triangles) - _MOUTH)
    factor = np.where(eye, lids.shadow(before, after, float(eye_distance(source))), 1 + gained)
    return np.asarray(np.clip(np.rint(drawn * factor[..., None]), 0, 255), np.uint8)


def _farthest_first(
    points: NDArray[np.float32], triangles: mesh.Indices, behind: mesh.Indices
) -> mesh.Indices:
    away = points[triangles, 2].mean(axis=1)
    # Eyes and mouth lie a little behind the skin round them, the surroundings behind everything.
    size = np.ptp(points[: mesh.FACE, 1])
    away = away + np.array([0.0, 0.1, 10.0])[behind] * size
    return np.argsort(-away, kind="stable").astype(np.int32)


def _with_cavity(
    drawn: NDArray[np.uint8],
    opened: NDArray[np.bool_],
    source: NDArray[np.float32],
    picture: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Return a picture with what has newly opened between the lips darkened."""
    lips = source[list(sets.loop(sets.UPPER_LIP_INNER, sets.LOWER_LIP_INNER)[:-1]), :2]
    was_open = np.zeros(opened.shape, np.uint8)
    cv2.fillPoly(was_open, [np.round(lips * 16).astype(np.int32)], (1,), cv2.LINE_8, 4)
    blur = float(np.ptp(source[:, 1])) / 200
    fresh = (opened & (was_open == 0)).astype(np.float32)
    cover = cv2.GaussianBlur(fresh, (0, 0), blur)[..., None]
    cheeks = np.rint(source[list(sets.RIGHT_CHEEK + sets.LEFT_CHEEK), :2]).astype(int)
    columns, rows = (np.clip(cheeks[:, i], 0, opened.shape[1 - i] - 1) for i in (0, 1))
    dark = _CAVITY * picture[rows, columns].mean()
    return np.asarray(np.rint(drawn + cover * (dark - drawn)), np.uint8)
