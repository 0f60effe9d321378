"""What people have before their faces: hand, mask, scarf, sunglasses, hair, a hospital's lines.

Drawn over any picture whose landmarks are known, rendered or photographed, in the face's frame of
`aacsfnet.rendering.canvas`.
"""

from collections.abc import Callable

import cv2
import numpy as np

from aacsfnet import landmark_sets as sets
from aacsfnet.rendering import materials
from aacsfnet.rendering.canvas import Canvas, Occluded, Pixels, Points
from aacsfnet.rendering.mesh import Array, array, smooth_line

Random = np.random.Generator


def _hand(canvas: Canvas, random: Random) -> None:
    """Draw a hand with its fingers together, over the mouth, the lower face, eyes or the brow."""
    over = [(0.0, 1.0), (0.1, 0.75), (0.0, 0.0), (0.5, 0.05), (-0.5, 0.05), (0.0, -0.3), (0.1, 1.2)]
    x, y = over[int(random.integers(len(over)))]
    middle = canvas.at([(x + random.normal(0, 0.1), y + random.normal(0, 0.08))])[0]
    angle = float(random.choice((-1, 1)) * random.uniform(0.2, 1.7))
    size = canvas.unit * random.uniform(0.95, 1.3)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    mirror = float(random.choice((-1, 1)))
    skin = np.clip(canvas.skin * random.uniform(0.8, 1.12) + random.normal(0, 5, 3), 15, 250)
    if random.random() < 0.25:  # somebody else's, bare or gloved
        skin = materials.colour(random, ("skin", "glove"))

    def placed(points: Points) -> Array:
        return np.asarray(middle + (np.asarray(points) * (mirror, 1) * size) @ turn)

    spread = random.uniform(0.0, 0.05)
    bend = random.uniform(-0.1, 0.1)
    # Fingers point up (y < 0) from the palm; the knuckles stand at y = 0.1.
    for place, length in ((-0.36, 0.78), (-0.12, 0.92), (0.12, 0.85), (0.36, 0.64)):
        tip = (place * (1 + 6 * spread) + bend, 0.1 - length)
        line = placed([(place, 0.2), ((place + tip[0]) / 2, 0.15 - length / 2), tip])
        _finger(canvas, smooth_line(array(line)), 0.25 * size / canvas.unit, skin)
    palm = [(-0.5, 0.0), (-0.45, -0.05), (0.45, -0.05), (0.5, 0.1), (0.42, 0.8), (0.3, 1.9),
            (-0.3, 1.9), (-0.45, 0.8)]  # fmt: skip
    outline = smooth_line(array(placed([*palm, palm[0]])))
    mask = canvas.filled(outline, 0.02)
    canvas.lay(mask, materials.rounded(mask, skin, random, 0.10 * size), shadow=0.2)
    thumb = placed([(-0.4, 0.55), (-0.62, 0.25), (-0.66, -0.1 + bend)])
    _finger(canvas, smooth_line(array(thumb)), 0.27 * size / canvas.unit, skin)


def _finger(canvas: Canvas, line: Array, width: float, skin: Array) -> None:
    canvas.lay(canvas.stroke(line, width), skin * 0.62, shadow=0.3)
    canvas.lay(canvas.stroke(line, 0.86 * width, 0.03), skin * 0.92, shadow=0.0)
    canvas.lay(canvas.stroke(line, 0.4 * width, 0.05), skin * 1.05, 0.7, shadow=0.0)
    if width > 0.12:
        nail = line[-1:] + 0.25 * (line[-2:-1] - line[-1:])
        dot = np.concatenate([nail, nail + 0.5])
        canvas.lay(canvas.stroke(dot, 0.45 * width, 0.02), skin * (1.08, 1.0, 1.0), 0.5, 0.0)


def _mask(canvas: Canvas, random: Random) -> None:
    """Draw a mask over nose and mouth, now and then slipped below the nose."""
    points = canvas.points
    slipped = random.random() < 0.2
    top = canvas.at([(0.0, random.uniform(0.78, 0.84) if slipped else random.uniform(0.2, 0.42))])
    sides = (93, 323) if slipped else (123, 352)
    jaw = [132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361]
    away = points[jaw] + 0.06 * (points[jaw] - canvas.at([(0.0, 0.9)]))
    outline = np.concatenate([top, points[sides[:1], :], away, points[sides[1:], :], top])
    smooth = smooth_line(array(outline), 4)
    for side, ear in ((sides[0], 234), (sides[1], 454)):
        canvas.lay(canvas.stroke(points[[side, ear]], 0.03), array([215, 215, 215]), shadow=0.1)
    mask = canvas.filled(smooth)
    fabric = materials.fabric(canvas.hides.shape, random, canvas.unit)
    canvas.lay(mask, materials.rounded(mask, fabric, random, 0.35 * canvas.unit))
    if random.random() < 0.6:
        for y in np.linspace(0.75, 1.4, 3):
            pleat = smooth_line(array(canvas.at([(-0.6, y - 0.1), (0.0, y), (0.6, y - 0.1)])))
            canvas.lay(mask * canvas.stroke(pleat, 0.02), array([90, 90, 95]), 0.35, shadow=0.0)


def _scarf(canvas: Canvas, random: Random) -> None:
    """Draw a scarf, a blanket or a collar pulled over the lower face."""
    top = random.uniform(0.25, 0.8)
    tilt = random.normal(0, 0.12)
    bow = random.uniform(-0.15, 0.15)
    line = [(x, top + bow * x * x + tilt * x + random.normal(0, 0.03))
            for x in (-1.9, -1.3, -0.6, 0.0, 0.6, 1.3, 1.9)]  # fmt: skip
    upper = smooth_line(array(canvas.at(line)))
    outline = np.concatenate([upper, canvas.at([(2.0, 2.5), (1.7, 5.0), (-1.7, 5.0), (-2.0, 2.5)])])
    mask = canvas.filled(outline)
    fabric = materials.fabric(canvas.hides.shape, random, canvas.unit)
    canvas.lay(mask, fabric)
    for fold in range(int(random.integers(2, 5))):
        lower = [(x, y + 0.3 * (fold + 1) + random.normal(0, 0.06)) for x, y in line]
        crease = smooth_line(array(canvas.at(lower)))
        canvas.lay(mask * canvas.stroke(crease, 0.06, 0.04), array([20, 20, 25]), 0.4, shadow=0.0)


def _lenses(canvas: Canvas, random: Random) -> list[Array]:
    """Return the outlines of two lenses of one shape, in pixels."""
    wide, tall = random.uniform(0.36, 0.47), random.uniform(0.25, 0.4)
    power = random.uniform(2.0, 4.5)  # from round to rather square
    angle = np.linspace(0, 2 * np.pi, 48)
    across, down = (np.sign(f) * np.abs(f) ** (2 / power) for f in (np.cos(angle), np.sin(angle)))
    drop, apart = random.uniform(0.02, 0.14), random.uniform(0.5, 0.54)
    return [
        canvas.at(np.stack([side * apart + wide * across, drop + tall * down], axis=1))
        for side in (-1, 1)
    ]


def _frame(canvas: Canvas, lenses: list[Array], random: Random) -> None:
    """Draw the rims, bridge and temples of glasses."""
    width = random.uniform(0.015, 0.07)
    colour = array([30, 28, 28]) if random.random() < 0.6 else materials.colour(random)
    temples = [np.stack([lens[at], canvas.points[ear]]) for lens, at, ear in
               zip(lenses, (24, 0), (127, 356), strict=True)]  # fmt: skip
    bridge = np.stack([lenses[0][0], lenses[1][24]])
    for line in (*lenses, *temples, bridge):
        canvas.lay(canvas.stroke(line, width), colour, shadow=0.15)


def _sunglasses(canvas: Canvas, random: Random) -> None:
    """Draw glasses that hide the eyes."""
    lenses = _lenses(canvas, random)
    tint = materials.colour(random, ("dark",))
    opacity = random.uniform(0.88, 1.0)
    for lens in lenses:
        mask = canvas.filled(lens)
        canvas.lay(mask, tint, opacity, shadow=0.1)
        if random.random() < 0.7:  # the sky or a window in it
            low, high = np.sort(random.uniform(lens[:, 1].min(), lens[:, 1].max(), 2))
            rows = np.arange(len(mask), dtype=np.float32)[:, None]
            band = np.clip((rows - low) / max(high - low, 1), 0, 1) * np.clip(
                (high - rows) / max(high - low, 1), 0, 1) * 4  # fmt: skip
            shine = materials.colour(random, ("light",))
            canvas.lay(mask * array(np.clip(band, 0, 1)), shine, random.uniform(0.1, 0.5), 0.0)
        canvas.hides = np.maximum(canvas.hides, mask * opacity)
    _frame(canvas, lenses, random)


def _spectacles(canvas: Canvas, random: Random) -> None:
    """Draw glasses that one sees through: they hide next to nothing."""
    lenses = _lenses(canvas, random)
    for lens in lenses:
        canvas.lay(canvas.filled(lens), array([235, 240, 245]), random.uniform(0.0, 0.12), 0.0)
    _frame(canvas, lenses, random)


def _hair(canvas: Canvas, random: Random) -> None:
    """Draw hair that falls over the brows, of one side or both, now and then over the eyes."""
    end = random.uniform(-0.2, 0.25)
    left, right = ((-1.1, 1.1), (-1.1, 0.2), (-0.2, 1.1))[int(random.integers(3))]
    hair = materials.colour(random, ("hair",))
    slant = random.normal(0, 0.25)
    outline: Points = [(left, -1.1), (right, -1.1)]
    for x in np.linspace(right, left, 16):
        outline.append((float(x), end - 0.12 * x * x + slant * x * 0.3 + random.normal(0, 0.05)))
    mask = canvas.filled(canvas.at(outline), 0.02)
    streaks = materials.streaks(canvas.hides.shape, random, canvas.unit)
    canvas.lay(mask, hair * (1 + 0.25 * streaks)[..., None], random.uniform(0.93, 1.0))
    for _ in range(int(random.integers(40, 90))):
        x = float(random.uniform(left, right))
        bottom = end - 0.12 * x * x + slant * x * 0.3 + random.normal(0.03, 0.09)
        strand = canvas.at([(x + random.normal(0, 0.05), -1.0), (x, -0.5), (x + slant / 4, bottom)])
        shade = hair * random.uniform(0.6, 1.4)
        canvas.lay(canvas.stroke(smooth_line(array(strand)), 0.012, 0.0), shade, 0.9, 0.0)


def _line(canvas: Canvas, random: Random) -> None:
    """Draw a hospital's lines: a tube in the mouth held by tape, prongs under the nose, or both."""
    points = canvas.points
    colour = materials.colour(random, ("tube",))
    parts = random.random(3) < (0.6, 0.6, 0.4)
    parts[int(random.integers(3))] = True
    if parts[0]:  # a tube and the tape that holds it
        out = canvas.at([(random.normal(0, 0.15), 1.0), (random.normal(0, 0.5), 1.6),
                         (random.uniform(-1.5, 1.5), 2.6)])  # fmt: skip
        tape = canvas.at([(-0.95, 0.75), (0.0, random.uniform(0.88, 1.05)), (0.95, 0.75)])
        wide = random.uniform(0.22, 0.5)
        mask = canvas.stroke(smooth_line(array(tape)), wide)
        cloth = materials.colour(random, ("light",))
        canvas.lay(mask, materials.rounded(mask, cloth, random, 0.3 * canvas.unit), shadow=0.15)
        _tube(canvas, smooth_line(array(out)), random.uniform(0.1, 0.2), colour)
    if parts[1]:  # prongs
        under = points[[234, 123, 98, 2, 327, 352, 454]]
        _tube(canvas, smooth_line(array(under)), random.uniform(0.03, 0.07), colour)
    if parts[2]:  # a line that hangs across
        across = canvas.at([(-1.6, random.uniform(-1, 2)), (0.0, random.uniform(-0.6, 1.4)),
                            (1.6, random.uniform(-1, 2))])  # fmt: skip
        _tube(canvas, smooth_line(array(across)), random.uniform(0.04, 0.12), colour)


def _tube(canvas: Canvas, line: Array, width: float, colour: Array) -> None:
    canvas.lay(canvas.stroke(line, width), colour * 0.7, 0.9, shadow=0.25)
    canvas.lay(canvas.stroke(line, 0.4 * width), np.minimum(colour * 1.25, 255), 0.8, shadow=0.0)


#: What is drawn by each name.
OCCLUDERS: dict[str, Callable[[Canvas, Random], None]] = {
    "hand": _hand,
    "mask": _mask,
    "scarf": _scarf,
    "sunglasses": _sunglasses,
    "hair": _hair,
    "line": _line,
    "spectacles": _spectacles,
}


def occlude(picture: Pixels, landmarks_px: Array, kind: str, random: Random) -> Occluded:
    """Return a picture with something drawn before its face.

    Args:
        picture: `(H, W, 3)` uint8 RGB.
        landmarks_px: `(478, 2)` or `(478, 3)` in its pixels.
        kind: a name of `OCCLUDERS`.
        random: decides shape, place and looks.
    """
    canvas = Canvas(picture, landmarks_px)
    OCCLUDERS[kind](canvas, random)
    return canvas.done()


def seen_shares(hides: Array, landmarks_px: Array) -> dict[str, float]:
    """Return which share of each part of `landmark_sets.FACE_PARTS` is not hidden.

    Args:
        hides: `(H, W)`, see `Occluded`.
        landmarks_px: `(478, 2)` or `(478, 3)`, the true ones. A part outside the picture is hidden.
    """
    shares = {}
    for name, part in sets.FACE_PARTS.items():
        points = np.asarray(landmarks_px, np.float64)[list(part), :2]
        hull = cv2.convexHull(points.astype(np.float32))[:, 0]
        low = np.floor(hull.min(axis=0)).astype(int)
        high = np.ceil(hull.max(axis=0)).astype(int) + 1
        inside = np.zeros((high - low)[::-1], np.uint8)
        cv2.fillPoly(inside, [np.round(hull - low).astype(np.int32)], (1,))
        y, x = np.nonzero(inside)
        x, y = x + low[0], y + low[1]
        height, width = hides.shape
        within = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        shares[name] = float((1 - hides[y[within], x[within]]).sum() / len(x))
    return shares
