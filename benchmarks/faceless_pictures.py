"""Pictures without any face, made in code: textures, letters, patterns, drawn animals, hands."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from aacsfnet.faces.pose import REFERENCE, RIGID
from aacsfnet.rendering.materials import colour, fabric, noise
from aacsfnet.rendering.occluders import occlude

Random = np.random.Generator
Picture = np.ndarray

#: Height and width.
SHAPE = (480, 640)
_WORDS = (
    *("OVER THE HILLS", "Chapter Two", "THE END", "SUNRISE", "Directed by", "OOO", "8 00 8"),
    *("ACT III", "Kino", "OMEGA", "B&W", "Q&A", "PAIN LAB", "TAKE 3", "QUO VADIS", "%o_o%"),
    *("Study 7", "WARD 12", "BOOM", "coo", "o.o", "OH NO", "Wow", "DOG", "moon", "X-RAY"),
)


def _ground(random: Random) -> Picture:
    """Return a plain ground, lit from a side, with some grain."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    slope = random.normal(0, 0.15, 2)
    light = 1 + slope[0] * (x / SHAPE[1] - 0.5) + slope[1] * (y / SHAPE[0] - 0.5)
    plain = colour(random) * light[..., None]
    return plain + random.uniform(0, 6) * random.standard_normal((*SHAPE, 1)).astype(np.float32)


def texture(random: Random) -> Picture:
    """Return noise of many sizes, in two colours or three: clouds, stone, wood, foliage."""
    stretch = float(np.exp(random.normal(0, 0.8)))
    base = np.zeros(SHAPE, np.float32)
    for size in 2.0 ** np.arange(2, 8):
        rough = noise((round(SHAPE[0] / stretch), SHAPE[1]), random, size)
        base += size ** random.uniform(0.2, 1.2) * cv2.resize(rough, SHAPE[::-1])
    base = (base - base.mean()) / base.std()
    if random.random() < 0.3:
        base = np.sin(base * random.uniform(2, 8))
    first, second, third = (colour(random) for _ in range(3))
    share = np.clip(base / 3 + 0.5, 0, 1)[..., None]
    mixed = first + share * (second - first)
    return mixed + (share > 0.75) * (third - mixed) * random.integers(2)


def cloth(random: Random) -> Picture:
    """Return a fabric that fills the picture."""
    return fabric(SHAPE, random, float(random.uniform(60, 400)))


def pattern(random: Random) -> Picture:
    """Return circles, rings, tiles, windows or stars in rows."""
    picture = _ground(random)
    step = int(random.integers(50, 220))
    kind = int(random.integers(5))
    inks = [colour(random).tolist() for _ in range(3)]
    for row, top in enumerate(range(0, SHAPE[0], step)):
        for left in range((row % 2) * step // 2 * (kind % 2), SHAPE[1], step):
            middle, radius = (left + step // 2, top + step // 2), int(0.4 * step)
            if kind == 0:
                cv2.circle(picture, middle, radius, inks[0], -1, cv2.LINE_AA)
            elif kind == 1:
                for at, ring in enumerate(range(radius, 2, -max(3, step // 9))):
                    cv2.circle(picture, middle, ring, inks[at % 3], -1, cv2.LINE_AA)
            elif kind == 2:
                corner = (left + int(0.85 * step), top + int(0.9 * step))
                cv2.rectangle(picture, (left + step // 8, top + step // 8), corner, inks[0], -1)
                cv2.line(picture, (middle[0], top), (middle[0], top + step), inks[1], 3)
            elif kind == 3:
                cv2.ellipse(picture, middle, (radius, radius // 2), 40 * row, 0, 360, inks[1], -1)
                cv2.circle(picture, middle, radius // 4, inks[2], -1, cv2.LINE_AA)
            else:
                turns = np.arange(0, 360, 36) + 10 * row
                reach = np.where(np.arange(10) % 2, radius / 2, radius)[:, None]
                spikes = np.stack([np.cos(np.radians(turns)), np.sin(np.radians(turns))], axis=1)
                star = (middle + reach * spikes).astype(np.int32)
                cv2.fillPoly(picture, [star], inks[row % 3], cv2.LINE_AA)
    return picture


def _fonts() -> list[Path]:
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return sorted(path for path in folder.glob("*.ttf") if "DejaVu" in path.name)


def letters(random: Random) -> Picture:
    """Return a title card or a page: words upright, turned by 90 or 180 degrees, or mirrored."""
    ground = Image.fromarray(np.clip(_ground(random), 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(ground)
    fonts = _fonts()
    for _ in range(int(random.integers(1, 7))):
        size = float(np.exp(random.uniform(np.log(24), np.log(190))))
        font = ImageFont.truetype(fonts[int(random.integers(len(fonts)))], size)
        word = _WORDS[int(random.integers(len(_WORDS)))]
        ink = tuple(int(value) for value in colour(random))
        place = tuple(random.uniform((-20, -20), (SHAPE[1] * 0.7, SHAPE[0] * 0.8)))
        edge, rim = int(random.integers(0, 4)), tuple(255 - value for value in ink)
        draw.text(place, word, ink, font, stroke_width=edge, stroke_fill=rim)
    picture = np.asarray(ground, np.float32)
    picture = np.rot90(picture, int(random.integers(4)))
    if random.random() < 0.3:
        picture = picture[:, ::-1]
    blur = random.uniform(0, 2.5)
    return cv2.GaussianBlur(np.ascontiguousarray(picture), (0, 0), blur) if blur > 0.3 else picture


def animal(random: Random) -> Picture:
    """Return a drawn animal: fish, bird, snake, cow, beetle, or a cat or an owl from the front."""
    picture = _ground(random)
    body, other, dark = colour(random), colour(random), colour(random, ("dark",))
    x, y = (float(v) for v in random.uniform((200, 160), (440, 320)))
    size = float(random.uniform(50, 130))

    def blob(across: float, down: float, wide: float, tall: float, ink: np.ndarray,
             angle: float = 0.0) -> None:  # fmt: skip
        middle = (round(x + across * size), round(y + down * size))
        axes = (max(1, round(wide * size)), max(1, round(tall * size)))
        cv2.ellipse(picture, middle, axes, angle, 0, 360, ink.tolist(), -1, cv2.LINE_AA)

    kind = int(random.integers(7))
    if kind == 0:  # a fish
        blob(-1.3, 0, 0.5, 0.6, other)
        blob(0, 0, 1.2, 0.6, body)
        blob(0.8, -0.15, 0.08, 0.08, dark)
    elif kind == 1:  # a bird
        blob(0, 0, 0.9, 0.6, body, 15)
        blob(0.8, -0.6, 0.4, 0.35, body)
        blob(-0.1, 0, 0.6, 0.3, other, 25)
        blob(1.25, -0.55, 0.2, 0.08, other)
        blob(0.85, -0.65, 0.06, 0.06, dark)
    elif kind == 2:  # a snake
        t = np.linspace(0, 9, 90)
        line = np.stack([x - 1.6 * size + t * size / 2.8, y + np.sin(t) * size / 2], axis=1)
        cv2.polylines(picture, [line.astype(np.int32)], False, body.tolist(), int(size / 4))
        blob(1.6, 0.2, 0.25, 0.18, other)
    elif kind == 3:  # a cow
        blob(0, 0, 1.2, 0.6, body)
        blob(1.3, -0.4, 0.4, 0.25, body, 20)
        for leg in (-0.8, -0.5, 0.5, 0.8):
            blob(leg, 0.8, 0.1, 0.5, body)
        for _ in range(4):
            blob(*random.uniform((-0.9, -0.3), (0.9, 0.3)), 0.25, 0.18, other)
    elif kind == 4:  # a cat, from the front
        for side in (-1, 1):
            blob(0.6 * side, -0.85, 0.25, 0.45, body, 20 * side)
        blob(0, 0, 1.0, 0.85, body)
        for side in (-1, 1):
            blob(0.4 * side, -0.15, 0.2, 0.25, other)
            blob(0.4 * side, -0.15, 0.06, 0.22, dark)
            for hair in (-10, 0, 10):
                blob(0.75 * side, 0.35 + hair / 100, 0.45, 0.015, dark, hair * side)
        blob(0, 0.25, 0.12, 0.08, dark)
        blob(0, 0.5, 0.25, 0.04, dark)
    elif kind == 5:  # an owl, from the front
        blob(0, 0.5, 0.9, 1.3, body)
        for side in (-1, 1):
            blob(0.38 * side, -0.1, 0.36, 0.36, other)
            blob(0.38 * side, -0.1, 0.17, 0.17, dark)
        blob(0, 0.2, 0.1, 0.18, dark)
    else:  # a beetle, from above
        blob(0, 0, 0.6, 0.9, body)
        blob(0, -1.0, 0.35, 0.25, other)
        for spot in range(5):
            blob(0.35 * (-1) ** spot, -0.5 + 0.25 * spot, 0.12, 0.12, dark)
        for leg in (-0.5, 0.0, 0.5):
            blob(0.8, leg, 0.35, 0.05, dark, 20)
            blob(-0.8, leg, 0.35, 0.05, dark, -20)
    return picture


def hand(random: Random) -> Picture:
    """Return a hand before a ground, as nobody's face stands behind it."""
    picture = np.clip(_ground(random), 0, 255).astype(np.uint8)
    points = np.zeros((478, 2))
    points[RIGID] = REFERENCE[:, :2]
    scale = float(random.uniform(60, 140))
    middle = random.uniform((220, 150), (420, 300))
    points = middle + scale * points
    eyes = {33: (-0.72, 0), 133: (-0.28, 0), 263: (0.72, 0), 362: (0.28, 0)}
    for at, place in (eyes | {61: (-0.4, 1.0), 291: (0.4, 1.0)}).items():
        points[at] = middle + scale * np.array(place)
    return occlude(picture, points, "hand", random).picture


KINDS: dict[str, Callable[[Random], Picture]] = {
    "texture": texture,
    "cloth": cloth,
    "pattern": pattern,
    "letters": letters,
    "animal": animal,
    "hand": hand,
}


def faceless(kind: str, random: Random) -> Picture:
    """Return a picture `(H, W, 3)` uint8 RGB of a kind of `KINDS`."""
    return np.ascontiguousarray(np.clip(KINDS[kind](random), 0, 255).astype(np.uint8))
