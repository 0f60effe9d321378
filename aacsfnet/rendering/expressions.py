"""Facial action units as displacements of the face's vertices.

An intensity runs 0…5 (A…E in FACS), that of AU43 0…1. Most units are sums of soft pulls: a vertex
is drawn along a vector and its neighbourhood follows with a Gaussian weight. Lids and jaw are
hinges, so they move in the order pulls, jaw, lids. What each unit does is from Ekman, Friesen and
Hager, "Facial Action Coding System" (2002); the lengths in centimetres are ours.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from aacsfnet import landmark_sets as sets
from aacsfnet.facs import HIGHEST
from aacsfnet.rendering import mesh
from aacsfnet.rendering.mesh import Array, array


class Pull(NamedTuple):
    """A vertex of the left half and where it goes at full intensity; its mirror image goes too."""

    vertex: int
    shift: tuple[float, float, float]  #: cm; x positive is towards the middle
    radius: float  #: cm, standard deviation of the Gaussian weight
    lip: int = 0  #: 1: spares the lower lip and chin; -1: spares the upper lip; 0: neither


PULLS: dict[str, tuple[Pull, ...]] = {
    "au1": (Pull(55, (0, 0.75, 0.05), 0.9), Pull(107, (0, 0.75, 0), 1.0)),
    "au2": (Pull(70, (0, 0.7, 0), 0.9), Pull(46, (0, 0.6, 0), 0.7), Pull(105, (0, 0.7, 0), 0.9)),
    "au4": (
        *(Pull(55, (0.42, -0.8, 0.12), 0.7), Pull(107, (0.38, -0.75, 0.12), 0.8)),
        *(Pull(65, (0.36, -0.8, 0.1), 0.7), Pull(66, (0.3, -0.7, 0.05), 0.8)),
        *(Pull(52, (0.22, -0.7, 0), 0.7), Pull(105, (0.18, -0.55, 0), 0.8)),
        *(Pull(46, (0.05, -0.35, 0), 0.6), Pull(70, (0.05, -0.3, 0), 0.7)),
        Pull(222, (0.1, -0.28, 0.05), 0.4),
    ),
    "au6": (
        *(Pull(118, (0, 0.5, 0.12), 0.9), Pull(50, (0, 0.5, 0.22), 1.1)),
        *(Pull(117, (0.1, 0.4, 0.1), 0.9), Pull(205, (-0.1, 0.25, 0.1), 0.9)),
        Pull(226, (0.12, -0.1, 0), 0.6),
    ),
    "au9": (
        *(Pull(129, (0.05, 0.4, 0.08), 0.7), Pull(98, (0, 0.32, 0.05), 0.6)),
        *(Pull(37, (0, 0.26, 0.03), 0.8, 1), Pull(126, (0.08, 0.3, 0.15), 0.6)),
        *(Pull(193, (0.1, -0.3, 0.08), 0.5), Pull(4, (0, 0.14, 0), 0.7)),
        Pull(55, (0.15, -0.25, 0.05), 0.5),
    ),
    "au10": (
        *(Pull(37, (0, 0.62, 0.08), 0.8, 1), Pull(39, (-0.02, 0.68, 0.04), 0.7, 1)),
        *(Pull(81, (0, 0.58, 0.06), 0.6, 1), Pull(40, (0, 0.42, 0), 0.6, 1)),
        *(Pull(98, (-0.05, 0.2, 0), 0.6), Pull(206, (-0.05, 0.3, 0.12), 0.8)),
        Pull(61, (0, 0.1, -0.05), 0.5),
    ),
    "au12": (
        *(Pull(61, (-0.62, 0.62, -0.35), 0.8), Pull(186, (-0.4, 0.45, -0.05), 0.8)),
        *(Pull(205, (-0.12, 0.35, 0.25), 1.1), Pull(91, (-0.3, 0.25, -0.15), 0.7, -1)),
    ),
    "au20": (Pull(61, (-0.7, -0.12, -0.35), 0.9), Pull(91, (-0.35, -0.15, -0.15), 0.8, -1)),
    "au25": (Pull(82, (0, 0.1, 0.02), 0.9, 1), Pull(87, (0, -0.42, 0), 1.0, -1)),
}

JAW_ANGLE = 15.0  #: degrees that AU26 opens the jaw at full intensity
JAW_HINGE = (0.0, 0.5, -2.0)  #: a point of the hinge's axis, which runs along x


def smooth_step(low: float | Array, high: float | Array, value: Array) -> Array:
    """Return 0 below `low`, 1 above `high`, with a smooth rise between; `low` > `high` falls."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


@lru_cache(maxsize=1)
def _lip_sides() -> Array:
    """Return 1 for vertices that belong above the mouth, 0 below, between at its corners."""
    vertices = mesh.canonical()[0]
    above = smooth_step(-5.2, -3.2, vertices[:, 1])
    for rows, value in ((sets.UPPER_LIP_ROWS, 1.0), (sets.LOWER_LIP_ROWS, 0.0)):
        for row in rows:
            for place, vertex in enumerate(row):
                share = min(1.0, (place + 1) / 3)
                above[[vertex, sets.MIRROR[vertex]]] = 0.5 + (value - 0.5) * share
    above[[*sets.RIGHT_LIP_CORNERS, *sets.mirrored(sets.RIGHT_LIP_CORNERS)]] = 0.5
    return above


def field(pulls: tuple[Pull, ...]) -> Array:
    """Return the displacement `(468, 3)` that pulls give at full intensity."""
    vertices = mesh.canonical()[0]
    above = _lip_sides()
    weights, shifts = [], []
    for pull in pulls:
        share = {0: 1.0, 1: above, -1: 1 - above}[pull.lip]
        both = ((pull.vertex, -1.0), (int(sets.MIRROR[pull.vertex]), 1.0))
        for vertex, side in both[: 1 if both[0][0] == both[1][0] else 2]:
            squared = ((vertices - vertices[vertex]) ** 2).sum(1)
            weights.append(share * np.exp(-0.5 * squared / pull.radius**2))
            shifts.append((-side * pull.shift[0], *pull.shift[1:]))
    stacked = np.stack(weights, axis=1)
    total = np.maximum(stacked.sum(1, keepdims=True), 1)
    return array((stacked / total) @ np.array(shifts))


@lru_cache(maxsize=1)
def fields() -> dict[str, Array]:
    """Return the displacement `(468, 3)` of each unit made of pulls, at full intensity."""
    return {unit: field(pulls) for unit, pulls in PULLS.items()}


@lru_cache(maxsize=1)
def _jaw_weights() -> Array:
    vertices = mesh.canonical()[0]
    weights = smooth_step(-2.2, -5.6, vertices[:, 1])
    inside = np.abs(vertices[:, 0]) < 2.4
    weights = np.where(
        inside, np.maximum(weights, smooth_step(-4.6, -5.4, vertices[:, 1])), weights
    )
    shares = {1: (0.3, 0.2, 0.1, 0.04, 0.0), -1: (0.55, 0.75, 0.9, 0.97, 1.0)}
    for rows, side in ((sets.UPPER_LIP_ROWS, 1), (sets.LOWER_LIP_ROWS, -1)):
        for row in rows:
            for vertex, share in zip(row, shares[side], strict=True):
                weights[[vertex, sets.MIRROR[vertex]]] = share
    weights[[*sets.RIGHT_LIP_CORNERS, *sets.mirrored(sets.RIGHT_LIP_CORNERS)]] = 0.4
    above = (164, 167, 165, 92, 97, 2, 98, 203, 206)
    weights[[*above, *sets.mirrored(above)]] = 0
    return weights


def turn_jaw(vertices: Array, degrees: float, weights: Array) -> Array:
    """Return `vertices` `(V, 3)` with those of weight 1 turned about the jaw's hinge."""
    angle = np.deg2rad(degrees) * weights
    hinge = array(JAW_HINGE)
    y, z = vertices[:, 1] - hinge[1], vertices[:, 2] - hinge[2]
    turned = vertices.copy()
    turned[:, 1] = hinge[1] + y * np.cos(angle) - z * np.sin(angle)
    turned[:, 2] = hinge[2] + z * np.cos(angle) + y * np.sin(angle)
    return turned


class Eye(NamedTuple):
    """An eyeball: centre `(3,)` and radius in head coordinates."""

    centre: Array
    radius: float


def eyes_of(neutral: Array) -> tuple[Eye, Eye]:
    """Return the eyeballs that fit a neutral face `(468, 3)`: the picture's left, then right."""
    found = []
    for side in (0, 1):
        lids = (sets.RIGHT_UPPER_LID, sets.RIGHT_LOWER_LID)
        upper, lower = (sets.mirrored(lid) if side else lid for lid in lids)
        corners = neutral[[upper[0], upper[-1]]]
        width = float(np.linalg.norm(corners[0] - corners[1]))
        radius = 0.5 * width + 0.02
        front = neutral[[upper[4], lower[4]]].mean(0)
        middle = 0.5 * corners.mean(0) + 0.5 * front
        centre = array([middle[0], front[1] + 0.02, front[2] - radius + 0.1])
        found.append(Eye(centre, radius))
    return found[0], found[1]


def _bulge(eye: Eye, points: Array) -> Array:
    """Return how far the eyeball's front reaches (z) behind points' x and y, `(N,)`."""
    squared = ((points[:, :2] - eye.centre[:2]) ** 2).sum(1)
    return array(np.sqrt(np.maximum(eye.radius**2 - squared, 0.01 * eye.radius**2)))


class Lids(NamedTuple):
    """How far the lids are tightened and closed, 0…1 each."""

    tight: float
    closed: float

    @property
    def open_share(self) -> tuple[float, float]:
        """Where upper and lower rim stand, from the lower (0) to the upper (1) of open eyes."""
        upper, lower = 1 - 0.2 * self.tight, 0.3 * self.tight
        return upper + self.closed * (0.2 - upper), lower + self.closed * (0.2 - lower)


def close_lids(face: Array, eyes: tuple[Eye, Eye], lids: Lids, now: Lids) -> Array:
    """Return a face `(468, 3)` with lids moved along the eyeballs from how they are now."""
    moved = face.copy()
    high, low = now.open_share
    before = max(high - low, 0.25)  # how far closed lids would open is not known
    for side, eye in enumerate(eyes):
        rims = (sets.RIGHT_UPPER_LID, sets.RIGHT_LOWER_LID)
        creases = (sets.RIGHT_UPPER_CREASE, sets.RIGHT_LOWER_CREASE)
        upper, lower, crease, pouch = (
            list(sets.mirrored(ring) if side else ring) for ring in rims + creases
        )
        gap = (face[upper] - face[lower]) / before
        top, bottom = face[upper] + (1 - high) * gap, face[lower] - low * gap  # of open eyes
        new_top = top - 0.2 * lids.tight * gap
        new_bottom = bottom + 0.3 * lids.tight * gap
        meet = bottom + 0.2 * gap
        new_top += lids.closed * (meet - new_top)
        new_bottom += lids.closed * (meet - new_bottom)
        for ring, new, share in ((upper, new_top, 1.0), (lower, new_bottom, 1.0),
                                 (crease, new_top, 0.5), (pouch, new_bottom, 0.4)):  # fmt: skip
            rim = upper if ring in (upper, crease) else lower
            shifted = face[ring] + share * (new - face[rim])
            shifted[:, 2] = face[ring][:, 2] + _bulge(eye, shifted) - _bulge(eye, face[ring])
            moved[ring[1:-1]] = shifted[1:-1]
    return moved


def express(neutral: Array, expression: Mapping[str, float]) -> Array:
    """Return a neutral face `(468, 3)` with action units raised; intensities are clamped.

    Raises:
        KeyError: a unit that is not rendered.
    """
    return displaced(neutral, shares_of(expression))


def shares_of(expression: Mapping[str, float]) -> dict[str, float]:
    """Return intensities as shares 0…1 of the highest; those beyond are clamped.

    Raises:
        KeyError: a unit that is not rendered.
    """
    unknown = set(expression) - set(HIGHEST)
    if unknown:
        raise KeyError(f"unknown action units {sorted(unknown)}; rendered: {', '.join(HIGHEST)}")
    return {unit: min(max(float(v), 0.0), HIGHEST[unit]) / HIGHEST[unit]
            for unit, v in expression.items()}  # fmt: skip


def displaced(face: Array, wanted: Mapping[str, float], now: Mapping[str, float] = {}) -> Array:
    """Return a face `(468, 3)` on which units have other shares of their highest than now."""
    moved = face.copy()
    change = {unit: wanted.get(unit, 0.0) - now.get(unit, 0.0) for unit in {*wanted, *now}}
    for unit, displacement in fields().items():
        if change.get(unit):
            moved += np.float32(change[unit]) * displacement
    if change.get("au26"):
        moved = turn_jaw(moved, JAW_ANGLE * change["au26"], _jaw_weights())
    return close_lids(moved, eyes_of(face), _lids(wanted), _lids(now))


def _lids(shares: Mapping[str, float]) -> Lids:
    tight = min(1.0, shares.get("au7", 0.0) + 0.25 * shares.get("au6", 0.0))
    # Half way down is half an eye: the power makes a ramp look even.
    return Lids(tight, min(1.0, shares.get("au43", 0.0)) ** 1.5)
