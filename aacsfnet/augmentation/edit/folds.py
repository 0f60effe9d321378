"""Furrows and folds that action units raise, shaded into a picture: the mesh has none."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from aacsfnet.rendering import mesh, raster
from aacsfnet.rendering.folds import depths, folds
from aacsfnet.rendering.head import skin_texture

#: Side of the texture that the folds are drawn on.
_TEXELS = 400
#: Blur in texels, since the renderer's sharp lines look drawn on a photograph, and how many times
#: its depth, since blurred lines are fainter: the pixel witness then reads most of what is asked.
_BLUR, _STRENGTH = 2.2, 1.1


def folded(
    picture: NDArray[np.uint8],
    landmarks_px: NDArray[np.floating],
    units: Mapping[str, float],
    now: Mapping[str, float],
) -> NDArray[np.uint8]:
    """Return a picture with the folds of other action units; those there now can but soften.

    Args:
        picture: `(H, W, 3)` uint8 RGB, warped to the new expression.
        landmarks_px: `(468 or more, 3)`, the mesh that it shows.
        units: intensities by name of the new expression.
        now: those of the picture that it was made from.
    """
    before, after = depths(now), depths(units)
    change = {fold: after[fold] - before[fold] for fold in after if after[fold] != before[fold]}
    if not change:
        return picture.copy()
    shading = folds(_TEXELS)
    light = np.zeros((_TEXELS, _TEXELS), np.float32)
    for fold, share in change.items():
        light += np.float32(_STRENGTH * share) * shading[fold]
    light = np.asarray(cv2.GaussianBlur(light, (0, 0), _BLUR))
    points = np.asarray(landmarks_px[: mesh.FACE], np.float32)
    triangles = mesh.canonical()[2]
    order = np.argsort(-points[triangles, 2].mean(axis=1), kind="stable").astype(np.int32)
    seen = raster.visible(points[:, :2], order, triangles, *picture.shape[:2])
    texels = skin_texture()[: mesh.FACE] * np.float32(_TEXELS) - 0.5
    x, y = raster.evaluate(seen, raster.planes(points[:, :2], triangles, texels))
    x[seen == 0] = -9
    shown = cv2.remap(light, x, y, cv2.INTER_LINEAR, borderValue=(0,))
    factor = np.clip(1 + np.asarray(shown), 0.15, 2)
    return np.asarray(np.clip(np.rint(picture * factor[..., None]), 0, 255), np.uint8)
