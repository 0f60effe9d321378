"""Lids of a face that is warped: where their parts lie, go, and how the light on them changes.

On a picture a lid's edge is no line: lashes and the shadow under them lie within the found opening,
so a little of it moves with the upper lid. A lid that comes down takes its shadow on the eye along,
turns its upper part to the light and its rim away from it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from aacsfnet import landmark_sets as sets
from aacsfnet.faces.geometry import eye_distance

#: Vertices along a lid, corners included.
COUNT = len(sets.RIGHT_UPPER_LID)
UPPER = (sets.RIGHT_UPPER_LID, sets.LEFT_UPPER_LID)
LOWER = (sets.RIGHT_LOWER_LID, sets.LEFT_LOWER_LID)
CREASES = (sets.RIGHT_UPPER_CREASE, sets.mirrored(sets.RIGHT_UPPER_CREASE))

#: Share of the way from the rim of the upper lid to the crease that the lashes take.
_LASHES = 0.3
#: Share of the eye's height that moves with the upper lid, as far as the opening has room for it:
#: on rendered people the rim is found so far above the true one.
_EDGE, _ROOM = 0.15, 0.45
#: Share of the opening by which the found rims may lie within the white of the eye. It counts from
#: half closed on, since a lid loses its own edge by it.
_WHITE = 0.12
#: How dark the upper lid's shadow is, and how far below the lid's edge it ends, eye distances: the
#: renderer's, which real eyes show as well.
_SHADOW, _REACH = 0.5, 0.06
#: Height of an eye over its width up to which it is shut, and from which it is open.
_OPEN = (0.05, 0.1)
#: How much lighter the middle of a closed lid's crease gets, and how much darker the rim: the
#: renderer's. Towards the corners, where the lid turns away again, it gets no lighter.
_LIGHT, _DARK = 0.15, 0.1
_BULGE = 1 - np.linspace(-1, 1, COUNT, dtype=np.float32)[:, None] ** 2
#: How much darker a lower lid's rim gets when it rises, for the whole height of the eye, where the
#: eyes are so many pixels apart; the less, the finer the pixels. A rim is as wide as a pixel and
#: holds as much eye as skin, and the eye behind a risen lid lies in shade.
_RIM, _PIXELS = 0.7, 28.0

Points = NDArray[np.float32]


class Lids(NamedTuple):
    """The lids of one eye, on the face as it is or as it shall be; each `(COUNT, 3)`, pixels.

    Attributes:
        crease: above the upper lid.
        lashes: where they end, between crease and rim.
        upper: rim of the upper lid.
        edge: what moves with it, within the opening.
        lower: rim of the lower lid.
    """

    crease: Points
    lashes: Points
    upper: Points
    edge: Points
    lower: Points


def lids_of(source: Points, target: Points, side: int) -> tuple[Lids, Lids]:
    """Return the lids of an eye where they are and where they go.

    Args:
        source: `(468, 3)`, pixels.
        target: `(468, 3)`, another expression of the same head in the same pose.
        side: 0 right, 1 left.
    """
    crease, upper, lower = (list(ring[side]) for ring in (CREASES, UPPER, LOWER))
    gap, new_gap = (points[lower] - points[upper] for points in (source, target))
    height, new_height = across(gap), across(new_gap)
    away = _WHITE * np.clip(2 * closing(source, target, side) - 1, 0, 1) * gap
    away[[0, -1]] = 0
    top = source[upper] - away
    up, new_up = source[crease] - top, target[crease] - target[upper]
    # As wide as they were, even where the skin above is stretched or folded away.
    share = _LASHES * np.minimum(across(up) / across(new_up), 1)
    edge = np.minimum(_EDGE * height.max(), _ROOM * height)
    new_edge = np.minimum(edge, _ROOM * new_height)
    was = Lids(
        source[crease], top + _LASHES * up, top,
        source[upper] + edge * gap / height, source[lower] + away,
    )  # fmt: skip
    goes = Lids(
        target[crease], target[upper] + share * new_up, target[upper],
        target[upper] + new_edge * new_gap / new_height, target[lower],
    )  # fmt: skip
    return was, goes


def closing(source: Points, target: Points, side: int) -> Points:
    """Return how far an eye closes, `(COUNT, 1)`: 0 not at all, or wider; 1 entirely.

    An eye that is shut already closes no further, whatever its rims do by some tenth of a pixel.
    """
    gap, new_gap = (
        points[list(LOWER[side])] - points[list(UPPER[side])] for points in (source, target)
    )
    share = np.clip(1 - across(new_gap) / across(gap), 0, 1)
    share[[0, -1]] = 0
    ring = source[list(UPPER[side])]
    opening = across(gap).max() / across(ring[-1:] - ring[:1]).max()
    shut, open_ = _OPEN
    return np.asarray(share * np.clip((opening - shut) / (open_ - shut), 0, 1), np.float32)


def lit(share: Points, source: Points, target: Points, side: int) -> Lids:
    """Return by what share the skin of closing lids gets lighter, `(COUNT, 1)` each.

    Args:
        share: by how much they close, as `closing` gives it.
        source: `(468, 3)`, pixels.
        target: `(468, 3)`, another expression of the same head in the same pose.
        side: 0 right, 1 left.
    """
    upper, lower = list(UPPER[side]), list(LOWER[side])
    gap = source[lower] - source[upper]
    risen = -((target[lower] - source[lower]) * gap)[:, :2].sum(axis=1, keepdims=True)
    risen = np.clip(risen / across(gap) ** 2, 0, share)
    rim = _RIM * min(1.0, _PIXELS / float(eye_distance(source)))
    dark = -_DARK * share
    return Lids(_LIGHT * _BULGE * share, 0 * share, dark, dark, -rim * risen)


def depths(source: Points, target: Points, side: int) -> tuple[Points, Points]:
    """Return how far the eye lies below the upper lid's edge, before and after it comes down.

    Returns:
        at the rim of the open upper lid, and at that of the lower one: `(COUNT, 2)` pixels each.
    """
    upper, lower = list(UPPER[side]), list(LOWER[side])
    gap = source[lower] - source[upper]
    height = across(gap)
    down = ((target[upper] - source[upper]) * gap)[:, :2].sum(axis=1, keepdims=True) / height
    edge = _EDGE * height.max()
    both = np.concatenate([np.zeros_like(down), -np.maximum(down, 0)], axis=1) - edge
    return np.asarray(both, np.float32), np.asarray(both + height, np.float32)


def shadow(before: Points, after: Points, apart: float) -> NDArray[np.float32]:
    """Return how many times as light the eye is under the lid's new shadow as under its old one.

    Args:
        before: how far it lay below the lid's edge, pixels.
        after: how far it lies below it now; as many.
        apart: distance of the eyes, pixels.
    """

    def light(below: Points) -> Points:
        share = np.clip(below / (_REACH * apart), 0, 1)
        return np.asarray(1 - _SHADOW + _SHADOW * share * share * (3 - 2 * share), np.float32)

    return light(after) / light(before)


def across(vectors: Points) -> Points:
    """Return lengths in the picture's plane, `(N, 1)`; never quite 0."""
    return np.asarray(np.maximum(np.linalg.norm(vectors[:, :2], axis=1, keepdims=True), 1e-6))
