"""The atlas's small tiles: eye, mouth, ear, hair and cloth, each `(S, S, 3)` float32 RGB."""

import cv2
import numpy as np

from aacsfnet.rendering import paint
from aacsfnet.rendering.expressions import smooth_step
from aacsfnet.rendering.mesh import Array, array
from aacsfnet.rendering.people import Person


def eye(person: Person, size: int) -> Array:
    """Return the eyeball seen from the front; the tile spans its diameter."""
    rng = paint.random(person, "eye")
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size * 2 - 1
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    edge = 3.0 / size
    image = np.full((size, size, 3), (226, 220, 214), np.float32)
    image *= 1 - smooth_step(0.45, 0.95, radius)[..., None] * array([0.12, 0.26, 0.24])
    iris = 0.46
    rays = np.interp(angle, np.linspace(-np.pi, np.pi, 60), rng.normal(1, 0.16, 60), period=6.2832)
    colour = array(person.iris) * rays[..., None]
    colour = colour * (0.8 + 0.5 * smooth_step(0.1, 0.42, radius) + 0.25 * (y > 0))[..., None]
    colour = colour * (1 - 0.65 * smooth_step(iris - 0.1, iris, radius))[..., None]
    image += smooth_step(iris + edge, iris - edge, radius)[..., None] * (colour - image)
    paint.mix(image, (10, 9, 9), smooth_step(0.19 + edge, 0.19 - edge, radius))
    glint = np.hypot(x + 0.14, y + 0.2)
    paint.mix(image, (255, 255, 255), 0.9 * smooth_step(0.1 + edge, 0.1 - edge, glint))
    return image


def mouth(person: Person, size: int) -> Array:
    """Return upper teeth, lower teeth and the dark behind, from the top."""
    rng = paint.random(person, "mouth")
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size
    image = np.full((size, size, 3), (58, 22, 22), np.float32)
    white = array([226, 218, 202]) * (1 - 0.12 * person.wrinkles)
    for top, bottom, count, gum_above in ((0.0, 0.44, 10, True), (0.44, 0.88, 12, False)):
        inside = (y >= top) & (y < bottom)
        down = (y - top) / (bottom - top)
        phase = np.abs((x * count) % 1 - 0.5) * 2
        tooth = np.broadcast_to(white, image.shape) * rng.normal(1, 0.015)
        tooth = tooth * (1 - 0.35 * smooth_step(0.82, 1.0, phase))[..., None]
        gum = smooth_step(0.34, 0.26, (down if gum_above else 1 - down) - 0.06 * (1 - phase))
        mixed = tooth + gum[..., None] * (array([176, 96, 92]) - tooth)
        image[inside] = mixed[inside]
    image[y >= 0.88] = (46, 16, 17)
    return image


def ear(person: Person, size: int) -> Array:
    """Return an ear's outside, the face to its left."""
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size * 2 - 1
    radius = np.hypot(x, y)
    image = np.full((size, size, 3), array(person.skin) * array([0.98, 0.88, 0.86]), np.float32)
    image *= 1 - 0.4 * np.exp(-0.5 * ((np.hypot(x + 0.25, y - 0.15)) / 0.28) ** 2)[..., None]
    groove = 0.28 * np.exp(-0.5 * ((radius - 0.68) / 0.09) ** 2) * (y < 0.6)
    image *= 1 - groove[..., None]
    return image


def hair_tile(person: Person, size: int) -> Array:
    """Return hanging hair, strands from top to bottom."""
    rng = paint.random(person, "hair tile")
    wide = cv2.resize(paint.strands(rng, size, max(2, size // 3), 0), (size, size))
    streaks = 0.8 * paint.strands(rng, size, size, 0) + 0.7 * wide
    image = np.full((size, size, 3), person.hair, np.float32)
    return image * (1 + 0.2 * streaks)[..., None]


def cloth(person: Person, size: int) -> Array:
    """Return a garment from shoulder to shoulder, its collar at the top."""
    rng = paint.random(person, "cloth")
    y, x = (np.mgrid[:size, :size].astype(np.float32) + 0.5) / size
    image = np.full((size, size, 3), person.cloth, np.float32)
    kind = rng.integers(3)
    if kind == 1:
        image *= 1 - 0.25 * (np.sin(x * 90) > 0.3)[..., None]
    if kind == 2:
        image *= 1 - 0.3 * (np.sin(y * 60) > 0.2)[..., None]
    image *= 1 + 0.05 * paint.noise(rng, size, 6)[..., None]
    collar = smooth_step(0.3, 0.26, y) * (np.abs(x - 0.5) < 0.16)
    paint.mix(image, array(person.cloth) * 0.72, collar)
    return image
