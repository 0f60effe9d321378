"""A face's mesh with other intensities of action units, as the renderer moves its own faces."""

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from aacsfnet import landmark_sets as sets
from aacsfnet.faces.geometry import eye_distance
from aacsfnet.faces.pose import rotation_of
from aacsfnet.rendering import mesh
from aacsfnet.rendering.expressions import displaced, shares_of

#: How many times as far as the renderer's faces the mesh moves, so that a warped picture shows the
#: change that the renderer's shows (`python -m benchmarks.editing gains`).
GAINS = {"au4": 1.1, "au7": 0.86, "au10": 1.25, "au43": 1.1}

_EYES = list(sets.RIGHT_EYE + sets.LEFT_EYE)
#: From the picture's axes (y down, z away) to the renderer's (y up, z to the viewer).
_FLIP = np.array([1.0, -1.0, -1.0])


@cache
def _rest() -> tuple[NDArray[np.float64], float]:
    """Return the canonical head's turn `(3, 3)` and its eye distance in centimetres."""
    face = mesh.canonical()[0].astype(np.float64) * _FLIP
    return rotation_of(face), float(eye_distance(face))


def edited(
    landmarks_px: NDArray[np.floating], units: Mapping[str, float], now: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return a face's mesh with action units at other intensities; pose, size and place stay.

    Only what differs between `units` and `now` is moved; a unit that is left out is 0. The irises
    stay where they are. Eyes that are closed now hold no picture of an eye, so how far they open
    is a guess.

    Args:
        landmarks_px: `(478, 3)` x, y, z in pixels, z on x's scale, smaller = nearer.
        units: wanted intensities by name, 0 to 5 (au43: 0 to 1); clamped.
        now: those that the face shows.

    Raises:
        KeyError: a unit that is not rendered.
    """
    points = np.asarray(landmarks_px, np.float64).copy()
    wanted, shown = (
        {unit: GAINS.get(unit, 1.0) * share for unit, share in shares_of(each).items()}
        for each in (units, now)
    )
    if wanted == shown:
        return points
    turn, eyes_cm = _rest()
    to_head = rotation_of(points) @ turn.T * _FLIP  # columns: the renderer's axes in the picture
    px_per_cm = float(eye_distance(points)) / eyes_cm
    middle = points[_EYES].mean(axis=0)
    canonical = mesh.canonical()[0]
    face = (points[: mesh.FACE] - middle) @ to_head / px_per_cm + canonical[_EYES].mean(axis=0)
    moved = displaced(face, wanted, shown) - face
    points[: mesh.FACE] += moved @ to_head.T * px_per_cm
    return points
