"""The painted surface: one atlas of skin, hair, eyes, teeth and clothes for each person.

Places on the skin are named by landmarks, so paint stays where it belongs on every face.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from aacsfnet.datasets.demo import head, mesh, raster
from aacsfnet.datasets.demo.action_units import HIGHEST, smooth_step
from aacsfnet.datasets.demo.mesh import Array
from aacsfnet.datasets.demo.people import Person

Pixels = NDArray[np.uint8]

#: Edges that are painted: upper and lower border of a brow, from the outer end to the inner.
BROW_TOP = (70, 63, 105, 66, 107)
BROW_BOTTOM = (46, 53, 52, 65, 55)
NASOLABIAL = (129, 203, 206, 216, 212)
LIPS_TOP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LIPS_BOTTOM = (291, 375, 321, 405, 314, 17, 84, 181, 91, 146, 61)
NOSTRIL = (79, 166, 59, 75, 60, 20, 238, 239)


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
    bald = Person(**{**person.__dict__, "hair_style": "bald"})
    rings = head.skull(face, bald)[0]
    place = np.repeat(head.RING_PLACES, head.PLACES)
    neck = np.tile(head.neck_share(), mesh.RINGS)
    flat = np.zeros((mesh.FACE + len(rings), 5), np.float32)
    flat[:, :3] = np.concatenate([face, rings])
    flat[mesh.FACE :, 3], flat[mesh.FACE :, 4] = place, neck
    weights, triangles = mesh.skin(1)
    points = np.asarray(weights @ head.skin_texture()) * np.float32(size) - 0.5
    seen = raster.visible(points, np.arange(len(triangles), dtype=np.int32), triangles, size, size)
    values = raster.evaluate(seen, raster.planes(points, triangles, np.asarray(weights @ flat)))
    return Chart(np.stack(values[:3], axis=-1), values[3], values[4])


def _curve(vertices: Sequence[int], size: int, steps: int = 6) -> Array:
    """Return a smooth line through landmarks in texels, `(N, 2)` (Catmull-Rom)."""
    return smooth_line(head.skin_texture()[list(vertices)] * np.float32(size) - 0.5, steps)


def smooth_line(points: Array, steps: int = 6) -> Array:
    """Return a Catmull-Rom curve through `points` `(N, 2)`, `steps` to a span."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    spans = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
               + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]  # fmt: skip
    return np.concatenate([*spans, points[-1:]]).astype(np.float32)


def stroke(lines: Sequence[Array], size: int, width: float, blur: float) -> Array:
    """Return a mask `(T, T)` of lines; width and blur are shares of the texture's side."""
    mask = np.zeros((size, size), np.uint8)
    thick = max(1, round(width * size))
    # A line thinner than a texel is drawn fainter.
    strength = 255 * min(1.0, max(width * size, 0.25))
    for line in lines:
        fixed = np.round(line * 16).astype(np.int32)
        cv2.polylines(mask, [fixed], False, strength, thick, cv2.LINE_AA, 4)
    return _blur(mask.astype(np.float32) / 255, blur)


def filled(outline: Array, size: int, blur: float) -> Array:
    """Return a mask `(T, T)` of a filled outline `(N, 2)` in texels."""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return _blur(mask.astype(np.float32) / 255, blur)


def _blur(mask: Array, blur: float) -> Array:
    sigma = blur * len(mask)
    return cv2.GaussianBlur(mask, (0, 0), sigma) if sigma > 0.2 else mask  # type: ignore[return-value]


def noise(rng: np.random.Generator, size: int, cells: int) -> Array:
    """Return smooth noise `(T, T)` of about unit variance with `cells` bumps a side."""
    coarse = rng.normal(size=(cells, cells)).astype(np.float32)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def _both(vertices: Sequence[int], size: int) -> list[Array]:
    return [_curve(vertices, size), _curve(mesh.mirrored(tuple(vertices)), size)]


def _near(chart_: Chart, centre: tuple[float, float, float], radius: float) -> Array:
    """Return a soft spot round a place and its mirror image, `(T, T)`."""
    x, y, z = (chart_.place[..., axis] for axis in range(3))
    squared = (np.abs(x) - abs(centre[0])) ** 2 + (y - centre[1]) ** 2 + (z - centre[2]) ** 2
    return np.asarray(np.exp(-0.5 * squared / radius**2), np.float32)


def _mix(image: Array, colour: Sequence[float] | Array, mask: Array) -> None:
    """Blend a colour into `image` in place where `mask` is high."""
    image += mask[..., None] * (np.float32(colour) - image)


@lru_cache(maxsize=6)
def atlas(person: Person, size: int) -> Pixels:
    """Return the person's atlas `(T, 1.2 T, 3)` uint8 RGB for a relaxed face. Read only."""
    tile = round(head.TILE * size)
    painted = np.zeros((size, size + tile, 3), np.float32)
    painted[:, :size] = _skin(person, size)
    tiles = {"eye": _eye, "mouth": _mouth, "ear": _ear, "hair": _hair_tile, "cloth": _cloth}
    for name, paint in tiles.items():
        top = round(head.TILES[name] * size)
        painted[top : top + tile, size:] = paint(person, tile)[: size - top]
    result = np.clip(painted, 0, 255).astype(np.uint8)
    result.setflags(write=False)
    return result


def _skin(person: Person, size: int) -> Array:
    """Return the skin, with brows, lips, lashes and hair."""
    rng = np.random.default_rng([person.seed, 3])
    where = chart(size)
    tone = np.float32(person.skin)
    image = np.empty((size, size, 3), np.float32)
    image[:] = tone
    dark = float(1 - tone.mean() / 255)  # dark skin shows less red
    # Blotches, then pores.
    image *= 1 + 0.016 * noise(rng, size, 9)[..., None] + 0.012 * noise(rng, size, 40)[..., None]
    image *= 1 + 0.012 * rng.normal(size=(size, size, 1)).astype(np.float32)
    blush = 0.5 * _near(where, (4.2, -0.6, 3.8), 1.5) + 0.45 * _near(where, (0, -0.8, 7.2), 0.9)
    blush += 0.25 * _near(where, (0, -8, 4.8), 1.2)
    image *= 1 - blush[..., None] * np.float32([0.0, 0.13, 0.12]) * (1.2 - dark)
    sockets = _near(where, (2.0, 2.7, 3.9), 0.8) + 0.7 * _near(where, (3.2, 1.6, 3.9), 0.8)
    image *= 1 - sockets[..., None] * np.float32([0.10, 0.14, 0.12]) * (0.7 + 0.5 * person.wrinkles)
    _shade_features(image, size)
    _age(image, person, size)
    _stubble(image, person, where, rng)
    _lips(image, person, size, rng)
    _brows(image, person, size, rng)
    _eyelines(image, person, size)
    _hair(image, person, where, rng)
    return image


def _shade_features(image: Array, size: int) -> None:
    """Darken what is always in shadow: nostrils, creases of nose, lids and chin."""
    nostrils = [
        _curve((*NOSTRIL, NOSTRIL[0]), size),
        _curve(mesh.mirrored((*NOSTRIL, NOSTRIL[0])), size),
    ]
    for outline in nostrils:
        centre = outline.mean(0)
        image *= 1 - 0.82 * filled(centre + 0.8 * (outline - centre), size, 0.003)[..., None]
    wings = stroke(_both((131, 49, 129, 64, 98), size), size, 0.006, 0.005)
    image *= 1 - 0.55 * wings[..., None]
    creases = stroke(_both(mesh.UPPER_CREASE[1:-1], size), size, 0.004, 0.0025)
    image *= 1 - creases[..., None] * np.float32([0.42, 0.5, 0.5])
    pouches = stroke(_both((110, 24, 23, 22, 26), size), size, 0.004, 0.004)
    image *= 1 - 0.13 * pouches[..., None]
    folds = stroke(_both(NASOLABIAL[:4], size), size, 0.004, 0.006)
    image *= 1 - 0.22 * folds[..., None]
    philtrum = stroke(_both((97, 167, 37), size), size, 0.004, 0.008)
    image *= 1 + 0.08 * philtrum[..., None]


def _age(image: Array, person: Person, size: int) -> None:
    """Paint lines that stay on a relaxed face."""
    masks = folds(size)
    for name, strength in (("forehead", 0.22), ("crow", 0.3), ("nasolabial", 0.3), ("frown", 0.1)):
        image *= 1 + (person.wrinkles**1.5 * strength * masks[name])[..., None]


def _lips(image: Array, person: Person, size: int, rng: np.random.Generator) -> None:
    outline = np.concatenate([_curve(LIPS_TOP, size), _curve(LIPS_BOTTOM, size)])
    mask = filled(outline, size, 0.004)
    tone = np.float32(person.skin)
    red = np.float32([0.86, 0.6, 0.6]) if person.sex == "f" else np.float32([0.88, 0.7, 0.67])
    colour = tone * (red + rng.uniform(-0.03, 0.03)) * np.float32([1, 0.98, 1.0])
    _mix(image, colour, 0.9 * mask)
    lines = noise(rng, size, 110)
    image *= 1 + 0.05 * (mask * lines)[..., None]
    line = np.concatenate([[61], mesh.UPPER_LIP, [291]])
    seam = stroke([_curve([int(v) for v in line], size),
                   _curve([61, *mesh.LOWER_LIP, 291], size)], size, 0.004, 0.0025)  # fmt: skip
    image *= 1 - seam[..., None] * np.float32([0.55, 0.65, 0.65])
    under = stroke([_curve((181, 84, 17, 314, 405), size)], size, 0.004, 0.005)
    image *= 1 - 0.25 * under[..., None]


def _brows(image: Array, person: Person, size: int, rng: np.random.Generator) -> None:
    hair = np.float32(person.hair) * (0.6 if sum(person.hair) > 330 else 0.8)
    hair = np.minimum(hair, np.float32(person.skin) * 0.62)
    soft = np.zeros((size, size), np.float32)
    strands: list[Array] = []
    for mirrored in (False, True):
        top, bottom = (
            _curve(mesh.mirrored(edge) if mirrored else edge, size, 12)
            for edge in (BROW_TOP, BROW_BOTTOM)
        )
        share = np.linspace(0, 1, len(top))[:, None]
        # Thin outside, thick inside; the landmarks' band is a brow's usual height.
        half = 0.5 * person.brow_thickness * (0.45 + 0.75 * share - 0.35 * share**4)
        middle = 0.5 * (top + bottom)
        upper, lower = middle + half * (top - bottom), middle - half * (top - bottom)
        soft += filled(np.concatenate([upper, lower[::-1]]), size, 0.006)
        count = 150
        places = rng.uniform(0, len(top) - 1.001, count)
        at = places.astype(int)
        height = rng.uniform(0.0, 1.0, (count, 1))
        root = lower[at] + height * (upper[at] - lower[at])
        outwards = top[np.maximum(at - 3, 0)] - top[np.minimum(at + 3, len(top) - 1)]
        outwards /= np.linalg.norm(outwards, axis=1, keepdims=True) + 1e-6
        rise = (upper[at] - lower[at]) * (0.15 + 0.5 * (places / len(top))[:, None] ** 3)
        length = size * rng.uniform(0.012, 0.024, (count, 1))
        strands += list(np.stack([root, root + outwards * length + 0.4 * rise], axis=1))
    _mix(image, hair, np.clip(0.62 * soft, 0, 1))
    _mix(image, hair * 0.7, 0.7 * stroke(strands, size, 0.0022, 0.0))


def _eyelines(image: Array, person: Person, size: int) -> None:
    lashes = 0.85 if person.sex == "f" else 0.65
    upper = stroke(_both(mesh.UPPER_LID, size), size, 0.008, 0.0022)
    _mix(image, (34, 24, 22), np.clip(lashes * 1.25 * upper, 0, 1))
    lower = stroke(_both(mesh.LOWER_LID, size), size, 0.004, 0.002)
    _mix(
        image, np.float32(person.skin) * np.float32([0.5, 0.36, 0.34]), np.clip(0.75 * lower, 0, 1)
    )


def _stubble(image: Array, person: Person, where: Chart, rng: np.random.Generator) -> None:
    if not person.beard:
        return
    x, y, z = (where.place[..., axis] for axis in range(3))
    size = len(image)
    wobble = 0.3 * noise(rng, size, 24)
    jaw = smooth_step(-3.3, -5.2, y + 0.33 * np.maximum(0, 4.6 - np.abs(x)) - wobble)
    side = smooth_step(6.0, 7.0, np.abs(x)) * smooth_step(1.0, -1.5, y)
    moustache = np.exp(-0.5 * ((y + 2.95) / 0.42) ** 2) * smooth_step(2.9, 2.0, np.abs(x)) * (z > 3)
    mask = np.clip(np.maximum(np.maximum(jaw, side), moustache), 0, 1)
    mask *= smooth_step(0.32, 0.1, where.ring) * (0.75 + 0.5 * rng.random((size, size)))
    hair = np.minimum(np.float32(person.hair) * 0.85, np.float32(person.skin) * 0.7)
    _mix(image, hair, np.clip((0.3 + 0.5 * person.beard) * mask * person.beard**0.35, 0, 0.9))


def _strands(rng: np.random.Generator, height: int, width: int, along: int) -> Array:
    """Return streaks `(H, W)` of about unit variance that run along an axis."""
    shape = (max(2, height // 12), width) if along == 0 else (height, max(2, width // 12))
    fine = cv2.resize(rng.normal(size=shape).astype(np.float32), (width, height),
                      interpolation=cv2.INTER_CUBIC)  # fmt: skip
    return np.asarray(fine, np.float32)


def hair_cover(person: Person, where: Chart, rng: np.random.Generator) -> Array:
    """Return how far each texel lies inside the hair, cm, negative outside, `(T, T)`."""
    x, y, z = (where.place[..., axis] for axis in range(3))
    style = person.hair_style
    front = {"bald": 99.0, "receding": 9.6, "cropped": 7.5, "short": 7.3, "parted": 7.4}
    front |= {"fringe": 5.7, "bob": 7.3, "long": 7.4, "tied": 7.7}
    line = front[style] - 0.012 * x**2
    if style == "parted":
        line = line - 0.9 * np.exp(-0.5 * ((x - 3) / 2) ** 2)
    if style == "receding":
        line = line - 2.0 * np.exp(-0.5 * (x / 1.3) ** 2)
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
    size = len(x)
    return np.asarray(cover + 0.12 * noise(rng, size, 60) + 0.1 * noise(rng, size, 24), np.float32)


def _hair(image: Array, person: Person, where: Chart, rng: np.random.Generator) -> None:
    size = len(image)
    cover = hair_cover(person, where, rng)
    # Strands run outwards from the face: streaks in polar coordinates round the texture's middle.
    streaks = _strands(rng, size, 2 * size, 1)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
    angle = np.arctan2(y, x) / (2 * np.pi) + 0.5
    polar = cv2.remap(streaks.T.copy(), (np.hypot(x, y) * 2 * 0 + angle * (size - 2)).astype(np.float32),
                      (np.hypot(x, y) * 1.9 * size).astype(np.float32), cv2.INTER_LINEAR)  # fmt: skip
    soft = 0.35 if person.hair_style in ("cropped", "receding", "short") else 0.22
    mask = smooth_step(-soft, soft, cover + 0.3 * polar)
    if person.hair_style == "cropped":
        mask = mask * 0.88
    colour = np.float32(person.hair) * (1 + 0.22 * polar + 0.1 * noise(rng, size, 20))[..., None]
    root = 1 - 0.25 * np.exp(-0.5 * (cover / 0.6) ** 2)
    image += mask[..., None] * (colour * root[..., None] - image)
    # The hair's shadow on the skin.
    image *= (
        1
        - (0.22 * np.exp(-0.5 * ((cover + 0.4) / 0.5) ** 2) * (1 - mask) * (cover < 0.2))[..., None]
    )


def _eye(person: Person, size: int) -> Array:
    """Return the eyeball seen from the front; the tile spans its diameter."""
    rng = np.random.default_rng([person.seed, 4])
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size * 2 - 1
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    edge = 3.0 / size
    image = np.empty((size, size, 3), np.float32)
    image[:] = (226, 220, 214)
    image *= 1 - smooth_step(0.45, 0.95, radius)[..., None] * np.float32([0.12, 0.26, 0.24])
    iris = 0.46
    rays = np.interp(angle, np.linspace(-np.pi, np.pi, 60), rng.normal(1, 0.16, 60), period=6.2832)
    colour = np.float32(person.iris) * rays[..., None]
    colour = colour * (0.8 + 0.5 * smooth_step(0.1, 0.42, radius) + 0.25 * (y > 0))[..., None]
    colour = colour * (1 - 0.65 * smooth_step(iris - 0.1, iris, radius))[..., None]
    image += smooth_step(iris + edge, iris - edge, radius)[..., None] * (colour - image)
    _mix(image, (10, 9, 9), smooth_step(0.19 + edge, 0.19 - edge, radius))
    glint = np.hypot(x + 0.14, y + 0.2)
    _mix(image, (255, 255, 255), 0.9 * smooth_step(0.1 + edge, 0.1 - edge, glint))
    return image


def _mouth(person: Person, size: int) -> Array:
    """Return upper teeth, lower teeth and the dark behind, from the top."""
    rng = np.random.default_rng([person.seed, 5])
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size
    image = np.empty((size, size, 3), np.float32)
    image[:] = (58, 22, 22)
    white = np.float32([226, 218, 202]) * (1 - 0.12 * person.wrinkles)
    for top, bottom, count, gum_above in ((0.0, 0.44, 10, True), (0.44, 0.88, 12, False)):
        inside = (y >= top) & (y < bottom)
        down = (y - top) / (bottom - top)
        phase = np.abs((x * count) % 1 - 0.5) * 2
        tooth = np.broadcast_to(white, image.shape) * rng.normal(1, 0.015)
        tooth = tooth * (1 - 0.35 * smooth_step(0.82, 1.0, phase))[..., None]
        gum = smooth_step(0.34, 0.26, (down if gum_above else 1 - down) - 0.06 * (1 - phase))
        mixed = tooth + gum[..., None] * (np.float32([176, 96, 92]) - tooth)
        image[inside] = mixed[inside]
    image[y >= 0.88] = (46, 16, 17)
    return image


def _ear(person: Person, size: int) -> Array:
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size * 2 - 1
    radius = np.hypot(x, y)
    image = np.empty((size, size, 3), np.float32)
    image[:] = np.float32(person.skin) * np.float32([0.98, 0.88, 0.86])
    image *= 1 - 0.4 * np.exp(-0.5 * ((np.hypot(x + 0.25, y - 0.15)) / 0.28) ** 2)[..., None]
    image *= (
        1 - 0.28 * np.exp(-0.5 * ((radius - 0.68) / 0.09) ** 2)[..., None] * (y < 0.6)[..., None]
    )
    return image


def _hair_tile(person: Person, size: int) -> Array:
    rng = np.random.default_rng([person.seed, 6])
    streaks = (
        _strands(rng, size, size, 0)
        + 0.6 * _strands(rng, size, max(2, size // 2), 0).repeat(2, 1)[:, :size]
        if size % 2 == 0
        else _strands(rng, size, size, 0)
    )
    image = np.empty((size, size, 3), np.float32)
    image[:] = person.hair
    return image * (1 + 0.2 * streaks)[..., None]


def _cloth(person: Person, size: int) -> Array:
    rng = np.random.default_rng([person.seed, 7])
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size
    image = np.empty((size, size, 3), np.float32)
    image[:] = person.cloth
    kind = rng.integers(3)
    if kind == 1:
        image *= 1 - 0.25 * (np.sin(x * 90) > 0.3)[..., None]
    if kind == 2:
        image *= 1 - 0.3 * (np.sin(y * 60) > 0.2)[..., None]
    image *= 1 + 0.05 * noise(rng, size, 6)[..., None]
    _mix(
        image, np.float32(person.cloth) * 0.72, smooth_step(0.3, 0.26, y) * (np.abs(x - 0.5) < 0.16)
    )
    return image


@lru_cache(maxsize=3)
def folds(size: int) -> dict[str, Array]:
    """Return the shading of each fold at full depth: a share added to the light, `(T, T)`.

    Dark in the crease, a little lighter below it, where the bulge faces the light.
    """

    def fold(lines: list[Array], width: float, blur: float, down: float = 0.012) -> Array:
        crease = stroke(lines, size, width, blur)
        shift = np.float32([[1, 0, 0], [0, 1, down * size]])
        bulge = cv2.warpAffine(_blur(crease, 0.004), shift, (size, size))
        return np.asarray(-crease + 0.35 * bulge, np.float32)

    def between(*pairs: tuple[int, int]) -> Array:
        texture = head.skin_texture() * np.float32(size) - 0.5
        return smooth_line(np.float32([texture[list(pair)].mean(0) for pair in pairs]))

    def pair_of(*pairs: tuple[int, int]) -> list[Array]:
        twin = [(int(mesh.mirror()[a]), int(mesh.mirror()[b])) for a, b in pairs]
        return [between(*pairs), between(*twin)]

    brow = pair_of((107, 9), (55, 9), (55, 8), (193, 168))
    middle = [between((9, 9), (8, 8), (168, 168))]
    rows = [((104, 105), (69, 66), (108, 107), (151, 9)), ((104, 104), (69, 69), (108, 108), (151, 151)),
            ((103, 104), (67, 69), (109, 108), (10, 151))]  # fmt: skip
    forehead = [line for row in rows for line in pair_of(*row)]
    bridge = [between((193, 193), (168, 6), (417, 417)), between((245, 122), (6, 6), (465, 351)),
              between((188, 196), (197, 197), (412, 419))]  # fmt: skip
    bunny = pair_of((122, 122), (188, 174), (217, 126)) + pair_of(
        (196, 196), (174, 236), (198, 209)
    )
    crow = pair_of((130, 226), (226, 35), (143, 143)) + pair_of((130, 247), (113, 124), (156, 156))
    crow += pair_of((25, 31), (31, 228), (111, 111))
    return {
        "frown": 0.9 * fold(brow, 0.006, 0.0035) + 0.5 * fold(middle, 0.005, 0.004),
        "forehead": 0.7 * fold(forehead, 0.005, 0.004),
        "nose": 0.7 * fold(bridge + bunny, 0.006, 0.0035),
        "nasolabial": 0.9 * fold(_both(NASOLABIAL, size), 0.007, 0.005),
        "crow": 0.7 * fold(crow, 0.005, 0.003),
        "pouch": 0.8 * fold(_both((25, 110, 24, 23, 22, 26), size), 0.006, 0.0035),
        "cheek": 0.5 * fold(_both((111, 117, 118, 119, 120), size), 0.012, 0.009),
    }


#: How deep each fold gets at full intensity of each unit.
FOLDS: dict[str, dict[str, float]] = {
    "frown": {"au4": 0.75, "au9": 0.3},
    "forehead": {"au1": 0.4, "au2": 0.4},
    "nose": {"au9": 0.7},
    "nasolabial": {"au10": 0.5, "au9": 0.35, "au12": 0.5, "au6": 0.2},
    "crow": {"au6": 0.6, "au12": 0.1, "au43": 0.1},
    "pouch": {"au6": 0.35, "au7": 0.4},
    "cheek": {"au6": 0.5, "au12": 0.25},
}


def expressive_atlas(person: Person, size: int, expression: Mapping[str, float]) -> Pixels:
    """Return the person's atlas with the folds that an expression makes."""
    relaxed = atlas(person, size)
    depth = {
        fold: min(1.0, sum(share * min(expression.get(unit, 0.0) / HIGHEST[unit], 1.0)
                           for unit, share in units.items()))
        for fold, units in FOLDS.items()
    }  # fmt: skip
    if not any(depth.values()):
        return relaxed
    masks = folds(size)
    light = np.ones((size, size), np.float32)
    for fold, share in depth.items():
        if share:
            light += np.float32(share * (0.75 + 0.4 * person.wrinkles)) * masks[fold]
    changed = relaxed.copy()
    lit = relaxed[:, :size] * np.maximum(light, 0.15)[..., None]
    changed[:, :size] = np.minimum(lit, 255)
    return changed
