"""Means of painting on the skin's texture: where each texel lies, lines, spots, noise."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from aacsfnet import landmark_sets as sets
from aacsfnet.rendering import head, mesh, places, raster
from aacsfnet.rendering.mesh import Array, array
from aacsfnet.rendering.people import Person
from aacsfnet.seeds import seed_of


def random(person: Person, feature: str) -> np.random.Generator:
    """Return the generator of one feature of a person, so that features do not disturb others."""
    return np.random.default_rng(seed_of(person.seed, feature))


class Chart(NamedTuple):
    """Where on the head each texel of the skin lies.

    Attributes:
        place: `(T, T, 3)` on the canonical head, cm.
        ring: `(T, T)` 0 on the face, to 1 at the back of the head or the chest.
        neck: `(T, T)` 1 on the neck.
    """

    place: Array
    ring: Array
    neck: Array


@lru_cache(maxsize=3)
def chart(size: int) -> Chart:
    """Return the chart of a skin texture of `size` texels a side."""
    person = Person.from_seed(0)
    face = mesh.canonical()[0]
    rings = head.skull(face, replace(person, hair_style="bald"))[0]
    place = np.repeat(places.RING_PLACES, places.PLACES)
    neck = np.tile(head.neck_share(), mesh.RINGS)
    flat = np.zeros((mesh.FACE + len(rings), 5), np.float32)
    flat[:, :3] = np.concatenate([face, rings])
    flat[mesh.FACE :, 3], flat[mesh.FACE :, 4] = place, neck
    weights, triangles = mesh.skin(1)
    points = np.asarray(weights @ head.skin_texture()) * np.float32(size) - 0.5
    seen = raster.visible(points, np.arange(len(triangles), dtype=np.int32), triangles, size, size)
    values = raster.evaluate(seen, raster.planes(points, triangles, np.asarray(weights @ flat)))
    return Chart(np.stack(values[:3], axis=-1), values[3], values[4])


def curve(vertices: Sequence[int], size: int, steps: int = 6) -> Array:
    """Return a smooth line through landmarks in texels, `(N, 2)` (Catmull-Rom)."""
    return mesh.smooth_line(head.skin_texture()[list(vertices)] * np.float32(size) - 0.5, steps)


def stroke(lines: Sequence[Array], size: int, width: float, blur: float) -> Array:
    """Return a mask `(T, T)` of lines; width and blur are shares of the texture's side."""
    mask = np.zeros((size, size), np.uint8)
    thick = max(1, round(width * size))
    # A line thinner than a texel is drawn fainter.
    strength = (255 * min(1.0, max(width * size, 0.25)),)
    for line in lines:
        fixed = np.round(line * 16).astype(np.int32)
        cv2.polylines(mask, [fixed], False, strength, thick, cv2.LINE_AA, 4)
    return blurred(mask.astype(np.float32) / 255, blur)


def filled(outline: Array, size: int, blur: float) -> Array:
    """Return a mask `(T, T)` of a filled outline `(N, 2)` in texels."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return blurred(mask.astype(np.float32) / 255, blur)


def blurred(mask: Array, blur: float) -> Array:
    """Return a mask blurred by a share of the texture's side."""
    sigma = blur * len(mask)
    return cv2.GaussianBlur(mask, (0, 0), sigma) if sigma > 0.2 else mask  # type: ignore[return-value]


def noise(rng: np.random.Generator, size: int, cells: int) -> Array:
    """Return smooth noise `(T, T)` of about unit variance with `cells` bumps a side."""
    coarse = rng.normal(size=(cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def both(vertices: Sequence[int], size: int) -> list[Array]:
    """Return the smooth lines through landmarks and through their mirror images."""
    return [curve(vertices, size), curve(sets.mirrored(tuple(vertices)), size)]


def near(chart_: Chart, centre: tuple[float, float, float], radius: float) -> Array:
    """Return a soft spot round a place and its mirror image, `(T, T)`."""
    x, y, z = (chart_.place[..., axis] for axis in range(3))
    squared = (np.abs(x) - abs(centre[0])) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
    return np.asarray(np.exp(-0.5 * squared / radius**2), np.float32)


def mix(image: Array, colour: Sequence[float] | Array, mask: Array) -> None:
    """Blend a colour into `image` in place where `mask` is high."""
    image += mask[..., None] * (array(colour) - image)


def strands(rng: np.random.Generator, height: int, width: int, along: int) -> Array:
    """Return streaks `(H, W)` of about unit variance that run along an axis."""
    shape = (max(2, height // 12), width) if along == 0 else (height, max(2, width // 12))
    fine = cv2.resize(rng.normal(size=shape).astype(np.float32), (width, height),
                      interpolation=cv2.INTER_CUBIC)  # fmt: skip
    return np.asarray(fine, np.float32)
