"""Hair: what lifts the skull's surface, what hangs behind the neck and beside the face."""

import numpy as np

from aacsfnet.rendering import mesh
from aacsfnet.rendering.expressions import smooth_step
from aacsfnet.rendering.mesh import Array, Part, array
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.places import PLACES, RING_PLACES, SKULL_CENTRE, SKULL_RADII, in_tile


def hair_volume(person: Person) -> Array:
    """Return how far hair lifts the surface at each ring vertex, cm, `(RINGS, 36)`."""
    height = {"bald": 0.0, "receding": 0.5, "cropped": 0.35, "short": 1.2, "parted": 1.5}
    height |= {"fringe": 1.5, "bob": 1.6, "long": 1.5, "tied": 0.7}
    place = np.arange(PLACES)
    angle = np.minimum(place, PLACES - place)  # 0 forehead … 18 chin
    top = 1 - smooth_step(9.0, 11.0, angle.astype(np.float32))
    covers_ears = person.hair_style in ("bob", "long", "fringe")
    sides = smooth_step(4.0, 8.0, angle.astype(np.float32)) * (0.35 if not covers_ears else 0.1)
    rise = smooth_step(-0.02, 0.3, RING_PLACES)[:, None]
    volume = height[person.hair_style] * rise * (top * (1 - sides))[None]
    if person.hair_style == "parted":
        signed = np.where(place <= 18, place, place - PLACES).astype(np.float32)
        volume *= 1 + 0.35 * np.exp(-0.5 * ((signed - 2.5) / 2.5) ** 2)[None]
    return np.asarray(volume, np.float32)


def hanging_hair(person: Person, neutral: Array) -> tuple[list[Part], list[Part]]:
    """Return hair behind the neck and locks beside the face, for the styles that have them."""
    if person.hair_style not in ("bob", "long", "fringe"):
        return [], []
    rng = np.random.default_rng([person.seed, 2])
    end = {"bob": -9.5, "fringe": -13.0, "long": -22.0}[person.hair_style] + rng.uniform(-1, 1)
    rows = np.linspace(0, 1, 9)[:, None]
    turn = np.linspace(-2.0, 2.0, 17)[None]
    y = 7 + (end - 7) * rows + 0 * turn
    swell = 8.9 + 1.0 * np.sin(np.pi * np.minimum(rows * 1.15, 1)) - 1.2 * rows**2
    swell = swell * (0.8 + 0.2 * smooth_step(0.0, 0.22, rows))  # under the hair on the skull
    x, z = swell * np.sin(turn) * 1.0, -4.5 - 0.85 * swell * np.cos(turn)
    follows = np.repeat(1 - 0.7 * rows.ravel(), 17).astype(np.float32)
    vertices = np.stack([x + 0 * rows, y, z + 0 * rows], axis=-1).reshape(-1, 3)
    texture = in_tile("hair", (turn / 4 + 0.5 + 0 * rows).ravel(), (rows + 0 * turn).ravel())
    shade = np.full(len(vertices), 0.6, np.float32)
    behind = Part(vertices.astype(np.float32), mesh.grid_triangles(9, 17), texture, shade, follows,
                  both_sides=True)  # fmt: skip
    locks = [_lock(person, neutral, side, end) for side in (-1, 1)]
    return [behind], locks


def _lock(person: Person, neutral: Array, side: int, end: float) -> Part:
    """Return the hair that falls from the parting past the temple to `end` (y, cm)."""
    top, inward = {"bob": (1.2, 1.2), "fringe": (4.6, 0.3), "long": (1.0, -0.3)}[person.hair_style]
    front = array(
        [(top, 9.6, 3.6), (0.5 * (top + 6.2), 8.0, 3.4), (6.6, 5.2, 1.6), (7.6, 1.6, -0.4),
         (8.0, -2.5, -0.9), (7.9, -6.5, -1.0), (7.8 - inward, end, 0.4)])  # fmt: skip
    back = array(
        [(top, 11.6, 0.5), (6.4, 10.0, -2.5), (8.6, 7.0, -5.0), (9.4, 2.0, -6.0),
         (9.8, -3.0, -6.0), (9.6, -7.0, -5.6), (8.8 - inward, end + 0.4, -4.5)])  # fmt: skip
    edges = np.stack([mesh.smooth_line(front, 3), mesh.smooth_line(back, 3)])
    rows = edges.shape[1]
    across = np.linspace(0, 1, 7)[None, :, None]
    vertices = edges[0][:, None] + across * (edges[1] - edges[0])[:, None]
    vertices[..., 0] += 0.7 * np.sin(np.pi * across[..., 0]) * np.linspace(0.2, 1, rows)[:, None]
    vertices[..., 0] *= abs(float(neutral[356, 0])) / 7.7
    # Outside the skull and its hair.
    unit = (vertices - SKULL_CENTRE) / SKULL_RADII
    lift = 1.02 + 0.14 * np.sin(np.pi * np.minimum(across[..., 0] * 0.8 + 0.08, 1))
    unit *= np.maximum(1, lift / np.linalg.norm(unit, axis=-1))[..., None]
    vertices = SKULL_CENTRE + SKULL_RADII * unit
    vertices[..., 0] *= side
    down = np.linspace(0, 1, rows)[:, None]
    u, v = 0.15 + 0.6 * across[..., 0] + 0 * down, down + 0 * across[..., 0]
    shade = (0.72 + 0.28 * np.sin(np.pi * np.clip(across[..., 0] + 0.1, 0, 1)) + 0 * down).ravel()
    follows = (1 - 0.7 * down**3 + 0 * across[..., 0]).ravel().astype(np.float32)
    triangles = mesh.grid_triangles(rows, 7)
    return Part(
        vertices.reshape(-1, 3).astype(np.float32),
        triangles if side < 0 else triangles[:, ::-1],
        in_tile("hair", u.ravel(), v.ravel()),
        shade.astype(np.float32),
        follows,
        gloss=0.4,
        both_sides=True,
    )
