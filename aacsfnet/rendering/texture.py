"""The painted surface: one atlas of skin, hair, eyes, teeth and clothes for each person.

Places on the skin are named by landmarks, so paint stays where it belongs on every face.
"""

from collections.abc import Mapping
from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from aacsfnet import landmark_sets as sets
from aacsfnet.rendering import folds, paint, places, tiles
from aacsfnet.rendering.expressions import smooth_step
from aacsfnet.rendering.mesh import Array, array
from aacsfnet.rendering.people import Person

Pixels = NDArray[np.uint8]

#: The right nostril's edge.
NOSTRIL = (79, 166, 59, 75, 60, 20, 238, 239)


@lru_cache(maxsize=6)
def atlas(person: Person, size: int) -> Pixels:
    """Return the person's atlas `(T, 1.2 T, 3)` uint8 RGB for a relaxed face. Read only."""
    tile = round(places.TILE * size)
    painted = np.zeros((size, size + tile, 3), np.float32)
    painted[:, :size] = _skin(person, size)
    painters = (tiles.eye, tiles.mouth, tiles.ear, tiles.hair_tile, tiles.cloth)
    for place, draw in zip(places.TILES.values(), painters, strict=True):
        top = round(place * size)
        painted[top : top + tile, size:] = draw(person, tile)[: size - top]
    result = np.clip(painted, 0, 255).astype(np.uint8)
    result.setflags(write=False)
    return result


def _skin(person: Person, size: int) -> Array:
    """Return the skin, with brows, lips, lashes and hair."""
    rng = paint.random(person, "skin")
    where = paint.chart(size)
    tone = array(person.skin)
    image = np.full((size, size, 3), tone, np.float32)
    dark = float(1 - tone.mean() / 255)  # dark skin shows less red
    # Blotches, then pores.
    blotches = 1 + 0.016 * paint.noise(rng, size, 9) + 0.012 * paint.noise(rng, size, 40)
    image *= blotches[..., None]
    image *= 1 + 0.012 * rng.normal(size=(size, size, 1)).astype(np.float32)
    near = partial(paint.near, where)
    blush = 0.5 * near((4.2, -0.6, 3.8), 1.5) + 0.45 * near((0, -0.8, 7.2), 0.9)
    blush += 0.25 * near((0, -8, 4.8), 1.2)
    image *= 1 - blush[..., None] * array([0.0, 0.13, 0.12]) * (1.2 - dark)
    sockets = near((2.0, 2.7, 3.9), 0.8) + 0.7 * near((3.2, 1.6, 3.9), 0.8)
    image *= 1 - sockets[..., None] * array([0.10, 0.14, 0.12]) * (0.7 + 0.5 * person.wrinkles)
    _shade_features(image, size)
    _age(image, person, size)
    _stubble(image, person, where)
    _lips(image, person, size)
    _brows(image, person, size)
    _eyelines(image, person, size)
    _hair(image, person, where)
    return image


def _shade_features(image: Array, size: int) -> None:
    """Darken what is always in shadow: nostrils, creases of nose, lids and chin."""
    for outline in paint.both((*NOSTRIL, NOSTRIL[0]), size):
        centre = outline.mean(0)
        image *= 1 - 0.82 * paint.filled(centre + 0.8 * (outline - centre), size, 0.003)[..., None]
    wings = paint.stroke(paint.both((131, 49, 129, 64, 98), size), size, 0.006, 0.006)
    image *= 1 - 0.42 * wings[..., None]
    creases = paint.stroke(paint.both(sets.RIGHT_UPPER_CREASE[1:-1], size), size, 0.004, 0.0025)
    image *= 1 - creases[..., None] * array([0.42, 0.5, 0.5])
    pouches = paint.stroke(paint.both((110, 24, 23, 22, 26), size), size, 0.004, 0.004)
    image *= 1 - 0.13 * pouches[..., None]
    nasolabial = paint.stroke(paint.both(folds.NASOLABIAL[:4], size), size, 0.004, 0.006)
    image *= 1 - 0.22 * nasolabial[..., None]
    philtrum = paint.stroke(paint.both((97, 167, 37), size), size, 0.004, 0.008)
    image *= 1 + 0.08 * philtrum[..., None]


def _age(image: Array, person: Person, size: int) -> None:
    """Paint lines that stay on a relaxed face."""
    masks = folds.folds(size)
    for name, strength in (("forehead", 0.22), ("crow", 0.3), ("nasolabial", 0.3), ("frown", 0.1)):
        image *= 1 + (person.wrinkles**1.5 * strength * masks[name])[..., None]


def _lips(image: Array, person: Person, size: int) -> None:
    rng = paint.random(person, "lips")
    edges = (sets.UPPER_LIP_OUTER, sets.LOWER_LIP_OUTER[::-1])
    outline = np.concatenate([paint.curve(edge, size) for edge in edges])
    mask = paint.filled(outline, size, 0.004)
    tone = array(person.skin)
    red = array([0.86, 0.6, 0.6]) if person.sex == "f" else array([0.88, 0.7, 0.67])
    colour = tone * (red + rng.uniform(-0.03, 0.03)) * array([1, 0.98, 1.0])
    paint.mix(image, colour, 0.9 * mask)
    lines = paint.noise(rng, size, 110)
    image *= 1 + 0.05 * (mask * lines)[..., None]
    right, left = sets.MOUTH_CORNERS
    seams = [(right, *inner, left) for inner in (sets.UPPER_LIP_INNER, sets.LOWER_LIP_INNER)]
    seam = paint.stroke([paint.curve(line, size) for line in seams], size, 0.004, 0.0025)
    image *= 1 - seam[..., None] * array([0.55, 0.65, 0.65])
    under = paint.stroke([paint.curve((181, 84, 17, 314, 405), size)], size, 0.004, 0.005)
    image *= 1 - 0.25 * under[..., None]


def _brows(image: Array, person: Person, size: int) -> None:
    rng = paint.random(person, "brows")
    hair = array(person.hair) * (0.6 if sum(person.hair) > 330 else 0.8)
    hair = np.minimum(hair, array(person.skin) * 0.62)
    soft = np.zeros((size, size), np.float32)
    hairs: list[Array] = []
    for mirrored in (False, True):
        top, bottom = (
            paint.curve(sets.mirrored(edge) if mirrored else edge, size, 12)
            for edge in (sets.RIGHT_BROW_TOP, sets.RIGHT_BROW_BOTTOM)
        )
        share = np.linspace(0, 1, len(top))[:, None]
        # Thin outside, thick inside; the landmarks' band is a brow's usual height.
        half = 0.5 * person.brow_thickness * (0.45 + 0.75 * share - 0.35 * share**4)
        middle = 0.5 * (top + bottom)
        upper, lower = middle + half * (top - bottom), middle - half * (top - bottom)
        soft += paint.filled(np.concatenate([upper, lower[::-1]]), size, 0.006)
        count = 220
        places = rng.uniform(0, len(top) - 1.001, count)
        at = places.astype(int)
        height = rng.uniform(0.0, 1.0, (count, 1))
        root = lower[at] + height * (upper[at] - lower[at])
        outwards = top[np.maximum(at - 3, 0)] - top[np.minimum(at + 3, len(top) - 1)]
        outwards /= np.linalg.norm(outwards, axis=1, keepdims=True) + 1e-6
        rise = (upper[at] - lower[at]) * (0.15 + 0.5 * (places / len(top))[:, None] ** 3)
        length = size * rng.uniform(0.012, 0.024, (count, 1))
        hairs += list(np.stack([root, root + outwards * length + 0.4 * rise], axis=1))
    paint.mix(image, hair, np.clip(0.5 * soft, 0, 1))
    paint.mix(image, hair * 0.7, 0.7 * paint.stroke(hairs, size, 0.0022, 0.0))


def _eyelines(image: Array, person: Person, size: int) -> None:
    upper = paint.stroke(paint.both(sets.RIGHT_UPPER_LID, size), size, 0.003, 0.001)
    paint.mix(image, (40, 28, 26), np.clip(0.8 * upper, 0, 1))
    lower = paint.stroke(paint.both(sets.RIGHT_LOWER_LID, size), size, 0.004, 0.002)
    paint.mix(image, array(person.skin) * array([0.5, 0.36, 0.34]), np.clip(0.75 * lower, 0, 1))


def _stubble(image: Array, person: Person, where: paint.Chart) -> None:
    rng = paint.random(person, "stubble")
    if not person.beard:
        return
    x, y, z = (where.place[..., axis] for axis in range(3))
    size = len(image)
    wobble = 0.3 * paint.noise(rng, size, 24)
    jaw = smooth_step(-3.3, -5.2, y + 0.33 * np.maximum(0, 4.6 - np.abs(x)) - wobble)
    side = smooth_step(6.0, 7.0, np.abs(x)) * smooth_step(1.0, -1.5, y)
    lip = -3.35 - 0.1 * x**2
    moustache = smooth_step(lip - 0.35, lip + 0.1, y) * smooth_step(lip + 0.95, lip + 0.55, y)
    moustache = moustache * smooth_step(3.0, 2.4, np.abs(x)) * (z > 3)
    moustache = moustache * (0.55 + 0.45 * smooth_step(0.15, 0.7, np.abs(x)))
    corners = smooth_step(1.9, 2.5, np.abs(x)) * smooth_step(3.5, 2.9, np.abs(x))
    corners = corners * smooth_step(-3.6, -4.0, y) * smooth_step(-6.4, -5.6, y) * (z > 2)
    moustache = np.maximum(moustache, 0.85 * corners)
    mask = np.clip(np.maximum(np.maximum(jaw, side), moustache), 0, 1)
    mask *= smooth_step(0.32, 0.1, where.ring) * (0.75 + 0.5 * rng.random((size, size)))
    hair = np.minimum(array(person.hair) * 0.85, array(person.skin) * 0.7)
    paint.mix(image, hair, np.clip((0.3 + 0.5 * person.beard) * mask * person.beard**0.35, 0, 0.9))


def hair_cover(person: Person, where: paint.Chart, rng: np.random.Generator) -> Array:
    """Return how far each texel lies inside the hair, cm, negative outside, `(T, T)`."""
    x, y, z = (where.place[..., axis] for axis in range(3))
    style = person.hair_style
    front = {"bald": 99.0, "receding": 9.4, "cropped": 7.6, "short": 7.4, "parted": 7.5}
    front |= {"fringe": 5.6, "bob": 7.8, "long": 7.8, "tied": 7.8}
    # A hairline is an arch; a fringe hangs straight.
    line = front[style] - (0.012 if style == "fringe" else 0.04) * x**2
    if style == "parted":
        line = line - 0.7 * np.exp(-0.5 * ((x - 3) / 2) ** 2)
    if style == "receding":
        line = line - 2.2 * np.exp(-0.5 * (x / 1.6) ** 2)
    temple = smooth_step(5.9 if style != "fringe" else 5.4, 7.5, np.abs(x))
    burns = {"m": 0.6, "f": 2.0}[person.sex]
    line = line + (burns - line) * temple
    cover = y - line
    # Behind the ears hair ends at the nape.
    back = smooth_step(-2.0, -5.5, z)
    cover = np.maximum(cover, back * (y + 5.5) - (1 - back) * 9)
    cover = np.where(where.neck > 0.5, -9, cover)
    if style == "bald":
        cover = np.minimum(cover, -9.0)
    cover = cover + 0.07 * paint.noise(rng, len(x), 60) + 0.12 * paint.noise(rng, len(x), 18)
    return np.asarray(cover, np.float32)


def _hair(image: Array, person: Person, where: paint.Chart) -> None:
    rng = paint.random(person, "hair")
    size = len(image)
    cover = hair_cover(person, where, rng)
    # Strands run outwards from the face: streaks in polar coordinates round the texture's middle.
    streaks = paint.strands(rng, size, 2 * size, 1)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    angle = (np.arctan2(y, x) / (2 * np.pi) + 0.5) * (size - 2)
    outwards = np.hypot(x, y) * 1.9 * size
    polar = cv2.remap(streaks.T.copy(), angle, outwards, cv2.INTER_LINEAR)
    soft = {"fringe": 0.25, "cropped": 0.7, "receding": 0.6}.get(person.hair_style, 0.5)
    jagged = 0.3 if person.hair_style in ("fringe", "short") else 0.2
    mask = smooth_step(-soft, soft, cover + jagged * polar)
    if person.hair_style == "cropped":
        mask = mask * 0.88
    colour = array(person.hair) * (1 + 0.22 * polar + 0.1 * paint.noise(rng, size, 20))[..., None]
    root = 1 - 0.25 * np.exp(-0.5 * (cover / 0.6) ** 2)
    image += mask[..., None] * (colour * root[..., None] - image)
    # The hair's shadow on the skin.
    shadow = 0.22 * np.exp(-0.5 * ((cover + 0.4) / 0.5) ** 2) * (1 - mask) * (cover < 0.2)
    image *= 1 - shadow[..., None]


def expressive_atlas(person: Person, size: int, expression: Mapping[str, float]) -> Pixels:
    """Return the person's atlas with the folds that an expression makes."""
    relaxed = atlas(person, size)
    depth = folds.depths(expression)
    if not any(depth.values()):
        return relaxed
    masks = folds.folds(size)
    light = np.ones((size, size), np.float32)
    for fold, share in depth.items():
        if share:
            light += np.float32(share * (0.75 + 0.4 * person.wrinkles)) * masks[fold]
    changed = relaxed.copy()
    factor = np.clip(128 * light, 20, 255).astype(np.uint8)
    changed[:, :size] = cv2.multiply(relaxed[:, :size], cv2.merge([factor] * 3), scale=1 / 128)
    return changed
