"""A picture drawn after a face's mesh that has moved: piecewise affine over the mesh's triangles.

Farther triangles are drawn first, so what the head hides stays hidden. Beyond the face's outline
the movement fades to nothing. Lids slide over the eye: between their rim and the crease above,
skin is stretched, while the lashes keep their width. What opens between the lips is dark.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from aacsfnet import landmark_sets as sets
from aacsfnet.rendering import mesh, raster

#: Where the movement has faded out, as a multiple of the outline's distance from its middle.
_FAR = 1.45
#: Share of the way from the rim of the upper lid to the crease that the lashes take.
_LASHES = 0.3
#: Share of the opening by which the found rims may lie within the white of the eye.
_WHITE = 0.2
#: Brightness of the inside of a mouth beside the skin's, RGB.
_CAVITY = np.array([0.28, 0.17, 0.16])

_CREASES = (sets.RIGHT_UPPER_CREASE, sets.mirrored(sets.RIGHT_UPPER_CREASE))
_UPPER = (sets.RIGHT_UPPER_LID, sets.LEFT_UPPER_LID)
_LOWER = (sets.RIGHT_LOWER_LID, sets.LEFT_LOWER_LID)
_LID, _LIP, _OUTLINE = len(_UPPER[0]), len(sets.UPPER_LIP_INNER), len(sets.FACE_OUTLINE)
#: Rows of vertices behind the face's 468: lashes, eyes, mouth, and what surrounds the face.
_LASH_ROWS = mesh.FACE + _LID * np.arange(2)
_EYE_ROWS = mesh.FACE + 2 * _LID + 2 * _LID * np.arange(2)
_MOUTH_ROW = mesh.FACE + 6 * _LID
_FAR_ROW = _MOUTH_ROW + 2 * _LIP


@cache
def _triangles() -> tuple[mesh.Indices, mesh.Indices]:
    """Return all triangles `(T, 3)` and how far behind each counts: 0 skin, 1 eye or mouth, 2 rim.

    The mouth's come last.
    """
    skin = mesh.canonical()[2]
    strips, inside = [], []
    for side in (0, 1):
        lid = np.isin(skin, _CREASES[side] + _UPPER[side]).all(axis=1)
        skin = skin[~lid]
        lashes = _LASH_ROWS[side] + np.arange(_LID)
        rows = np.array([_CREASES[side], lashes, _UPPER[side]])
        strips.append(rows.ravel()[mesh.grid_triangles(3, _LID)])
        inside.append(_EYE_ROWS[side] + mesh.grid_triangles(2, _LID))
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
    opened = seen > len(triangles) - 2 * (_LIP - 1)
    return _with_cavity(drawn, opened, source, picture) if opened.any() else drawn


def _vertices(
    source: NDArray[np.float32], target: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return all vertices `(V, 3)` where they are and where they go."""
    lashes, eyes = [], []
    skin = source.copy()
    for crease, upper, lower in (
        [list(ring) for ring in rings] for rings in zip(_CREASES, _UPPER, _LOWER, strict=True)
    ):
        gap = source[lower] - source[upper]
        closing = 1 - _across(target[lower] - target[upper]) / np.maximum(_across(gap), 1e-6)
        away = _WHITE * np.clip(closing, 0, 1) * gap
        skin[upper[1:-1]] -= away[1:-1]
        skin[lower[1:-1]] += away[1:-1]
        up = skin[crease] - skin[upper]
        # As wide as they were, even where the skin above is stretched or folded away.
        new_up = target[crease] - target[upper]
        share = _LASHES * np.minimum(_across(up) / np.maximum(_across(new_up), 1e-6), 1)
        lashes.append((skin[upper] + _LASHES * up, target[upper] + share * new_up))
        # The eye stays; what opens wider than it was is filled by stretching it.
        wider = ((target[upper] - source[upper]) * gap).sum(1, keepdims=True) < 0
        deeper = ((target[lower] - source[lower]) * gap).sum(1, keepdims=True) > 0
        eyes.append((source[upper], np.where(wider, target[upper], source[upper])))
        eyes.append((source[lower], np.where(deeper, target[lower], source[lower])))
    lips = target[list(sets.UPPER_LIP_INNER + sets.LOWER_LIP_INNER)]  # teeth stay as well
    edge = source[list(sets.FACE_OUTLINE)]
    far = edge.mean(axis=0) + _FAR * (edge - edge.mean(axis=0))
    added = [*lashes, *eyes, (lips, lips), (far, far)]
    return (
        np.concatenate([skin, *(before for before, _ in added)]),
        np.concatenate([target, *(after for _, after in added)]),
    )


def _across(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return lengths in the picture's plane, `(N, 1)`."""
    return np.asarray(np.linalg.norm(vectors[:, :2], axis=1, keepdims=True))


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
