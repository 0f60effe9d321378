"""What things before a face are made of: colours, fabrics, hair, and how light falls on them."""

import cv2
import numpy as np

from aacsfnet.rendering.mesh import Array, array
from aacsfnet.rendering.people import HAIR_TONES, SKIN_TONES

Random = np.random.Generator

#: sRGB ranges by name, from and to.
_RANGES = {
    "any": ((10, 10, 10), (245, 245, 245)),
    "dark": ((4, 4, 4), (60, 50, 45)),
    "light": ((190, 190, 190), (250, 250, 250)),
    "tube": ((150, 175, 170), (235, 245, 240)),
}
_GLOVES = ((120, 150, 210), (225, 225, 222), (150, 110, 190))
_MASKS = ((150, 195, 225), (235, 238, 240), (25, 25, 28), (120, 170, 150), (230, 190, 205))

_TONES = {"hair": HAIR_TONES, "skin": SKIN_TONES, "glove": _GLOVES}


def colour(random: Random, names: tuple[str, ...] = ("any",)) -> Array:
    """Return a colour `(3,)` of one of the named sets of colours."""
    name = names[int(random.integers(len(names)))]
    if name in _TONES:
        tones = np.asarray(_TONES[name])
        return array(tones[int(random.integers(len(tones)))] * random.uniform(0.8, 1.2))
    low, high = _RANGES[name]
    grey = random.uniform(0, 1)
    mixed = np.clip(grey + random.normal(0, 0.25, 3), 0, 1)
    return array(np.asarray(low) + mixed * (np.asarray(high) - low))


def noise(shape: tuple[int, ...], random: Random, cell: float) -> Array:
    """Return smooth noise `(H, W)` of about unit variance, its bumps `cell` pixels wide."""
    rows, columns = (max(2, round(side / max(cell, 1))) for side in shape)
    coarse = random.standard_normal((rows, columns)).astype(np.float32)
    return array(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC))


def streaks(shape: tuple[int, ...], random: Random, unit: float) -> Array:
    """Return strands `(H, W)` that run down, about unit variance."""
    columns = max(2, round(40 * shape[1] / max(unit, 1)))
    coarse = random.standard_normal((max(2, round(2 * shape[0] / max(unit, 1))), columns))
    return array(cv2.resize(coarse.astype(np.float32), shape[::-1]))


def fabric(shape: tuple[int, ...], random: Random, unit: float) -> Array:
    """Return cloth `(H, W, 3)`: plain, striped, checked, dotted or blotched.

    Args:
        shape: height and width.
        random: decides colours and pattern.
        unit: pixels of an interocular distance.
    """
    first = array(_MASKS[int(random.integers(len(_MASKS)))])
    if random.random() < 0.5:
        first = colour(random)
    second = colour(random)
    angle, step = random.uniform(0, np.pi), unit * random.uniform(0.06, 0.35)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    along = (x * np.cos(angle) + y * np.sin(angle)) * np.float32(2 * np.pi / step)
    across = (y * np.cos(angle) - x * np.sin(angle)) * np.float32(2 * np.pi / step)
    kind = str(random.choice(("plain", "stripes", "checks", "dots", "blotches"),
                             p=(0.5, 0.15, 0.1, 0.1, 0.15)))  # fmt: skip
    share = {
        "plain": np.zeros(shape, np.float32),
        "stripes": np.sin(along) > 0.2,
        "checks": (np.sin(along) > 0).astype(np.float32) / 2 + (np.sin(across) > 0) / 2,
        "dots": np.sin(along) * np.sin(across) > 0.55,
        "blotches": np.clip(noise(shape, random, step), 0, 1),
    }[kind]
    cloth = first + array(share)[..., None] * (second - first)
    weave = 1 + 0.03 * random.standard_normal(shape).astype(np.float32)
    folds = 1 + 0.1 * noise(shape, random, 0.5 * unit)
    return array(cloth * (weave * folds)[..., None])


def rounded(mask: Array, colour_: Array, random: Random, radius: float) -> Array:
    """Return a colour `(H, W, 3)` shaded as on something that curves away towards its edges.

    Args:
        mask: `(H, W)`, where the thing is.
        colour_: `(3,)` or `(H, W, 3)`.
        random: decides where light comes from.
        radius: of the curve, pixels.
    """
    height = cv2.GaussianBlur(mask, (0, 0), max(radius, 0.6))
    slope_y, slope_x = np.gradient(height)
    angle = random.uniform(0.3, 2.8)
    lit = (slope_x * np.cos(angle) + slope_y * np.sin(angle)) * max(radius, 0.6)
    shade = np.clip(0.8 + 0.3 * height + 0.5 * lit, 0.35, 1.3)
    grain = 1 + 0.03 * noise(mask.shape, random, max(radius, 8))
    return array(np.clip(colour_ * (shade * grain)[..., None], 0, 255))
