"""A picture of a face that things are drawn over, and what they hide of it.

Things are placed in the *face's frame*: x along the line between the eyes' middles, in interocular
distances (the right eye at -0.5), y towards the mouth, whose corners are at 1; so the tip of the
nose is at about (0, 0.6), the chin at (0, 1.8), the brows at y = -0.35.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from aacsfnet import landmark_sets as sets
from aacsfnet.rendering.mesh import Array, array

Pixels = NDArray[np.uint8]
Points = list[tuple[float, float]]

_SHIFT = 4  # fractional bits of a drawn point


@dataclass(frozen=True)
class Occluded:
    """A picture with something before the face.

    Attributes:
        picture: `(H, W, 3)` uint8 RGB.
        hides: `(H, W)` float32, how far each pixel of the face is hidden, 0 to 1.
    """

    picture: Pixels
    hides: Array


class Canvas:
    """A picture that things are drawn over, in the face's frame.

    Args:
        picture: `(H, W, 3)` uint8 RGB; it is copied.
        landmarks_px: `(478, 2)` or `(478, 3)` in its pixels.
    """

    def __init__(self, picture: Pixels, landmarks_px: Array) -> None:
        points = np.asarray(landmarks_px, np.float64)[:, :2]
        right, left, mouth = (
            points[list(part)].mean(axis=0)
            for part in (sets.RIGHT_EYE, sets.LEFT_EYE, sets.MOUTH_CORNERS)
        )
        self.points, self._middle = points, (right + left) / 2
        self._axes = np.stack([left - right, mouth - self._middle])
        #: Pixels of an interocular distance, or of the way from eyes to mouth where it is longer.
        self.unit = float(np.linalg.norm(self._axes, axis=1).max())
        self.pixels = picture.astype(np.float32)
        self.hides = np.zeros(picture.shape[:2], np.float32)
        cheeks = points[[*sets.RIGHT_CHEEK, *sets.LEFT_CHEEK, 9, 151]].round().astype(int)
        x, y = np.clip(cheeks, 0, np.array(picture.shape[1::-1]) - 1).T
        #: Colour of the face's skin, `(3,)`.
        self.skin = np.median(self.pixels[y, x], axis=0)

    def at(self, places: Points | Array) -> Array:
        """Return places `(n, 2)` of the face's frame in pixels."""
        return np.asarray(self._middle + np.asarray(places, np.float64) @ self._axes)

    def filled(self, outline: Array, soft: float = 0.012) -> Array:
        """Return the mask `(H, W)` of an outline `(n, 2)` in pixels, its edge `soft` units wide."""
        mask = np.zeros(self.hides.shape, np.uint8)
        fixed = np.round(outline * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(mask, [fixed], (255,), cv2.LINE_AA, _SHIFT)
        return self._softened(mask, soft)

    def stroke(self, line: Array, width: float, soft: float = 0.008) -> Array:
        """Return the mask of a line `(n, 2)` in pixels, `width` units wide."""
        mask = np.zeros(self.hides.shape, np.uint8)
        fixed = np.round(line * (1 << _SHIFT)).astype(np.int32)
        thick = max(1, round(width * self.unit))
        cv2.polylines(mask, [fixed], False, (255,), thick, cv2.LINE_AA, _SHIFT)
        return self._softened(mask, soft)

    def lay(self, mask: Array, colour: Array, opacity: float = 1.0, shadow: float = 0.35) -> None:
        """Draw a thing over the picture; it throws a soft shadow.

        Args:
            mask: `(H, W)`, where it is.
            colour: `(3,)` or `(H, W, 3)`.
            opacity: what passes through it does not count as hidden.
            shadow: how dark.
        """
        if shadow > 0:
            moved = np.roll(mask, max(1, round(0.03 * self.unit)), axis=0)
            dark = cv2.GaussianBlur(moved, (0, 0), max(0.6, 0.04 * self.unit))
            self.pixels *= (1 - shadow * dark)[..., None]
        cover = (opacity * mask)[..., None]
        self.pixels += cover * (colour - self.pixels)
        self.hides = np.maximum(self.hides, opacity * mask)

    def done(self) -> Occluded:
        """Return what has been drawn."""
        picture = np.clip(self.pixels + 0.5, 0, 255).astype(np.uint8)
        return Occluded(picture, self.hides)

    def _softened(self, mask: Pixels, soft: float) -> Array:
        blurred = mask.astype(np.float32) / 255
        sigma = soft * self.unit
        return array(cv2.GaussianBlur(blurred, (0, 0), sigma) if sigma > 0.3 else blurred)
