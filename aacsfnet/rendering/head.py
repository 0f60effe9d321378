"""Everything of a person that the camera sees, built round a face: a list of `mesh.Part`."""

from functools import lru_cache, partial

import numpy as np

from aacsfnet import landmark_sets as sets
from aacsfnet.rendering import mesh
from aacsfnet.rendering.expressions import JAW_ANGLE, Eye, eyes_of, smooth_step, turn_jaw
from aacsfnet.rendering.hair import hair_volume, hanging_hair
from aacsfnet.rendering.mesh import Array, Indices, Part, array
from aacsfnet.rendering.people import Person, near, neutral_face
from aacsfnet.rendering.places import PLACES, RING_PLACES, SKULL_CENTRE, SKULL_RADII, in_tile


@lru_cache(maxsize=1)
def neck_share() -> Array:
    """Return for each place of the outline how much it leads to the neck, 0…1, `(36,)`."""
    share = np.zeros(PLACES, np.float32)
    share[12:25] = 1
    share[[11, 25]] = 0.65
    share[[10, 26]] = 0.2
    return share


@lru_cache(maxsize=1)
def skin_texture() -> Array:
    """Return texture coordinates of face and rings `(468 + 252, 2)`, y down."""
    face = 0.5 + 0.8 * (mesh.canonical()[1] - array([0.5, 0.53]))
    edge = face[list(sets.FACE_OUTLINE)]
    away = edge - 0.5
    radius = np.linalg.norm(away, axis=1, keepdims=True)
    rings = [edge + away / radius * (0.497 - radius) * t**0.8 for t in RING_PLACES]
    return array(np.concatenate([face, *rings]))


def skull(face: Array, person: Person) -> tuple[Array, Array, Array]:
    """Return the rings round a face: vertices `(252, 3)`, shade and share of turning `(252,)`."""
    edge = face[list(sets.FACE_OUTLINE)]
    # Upwards and sideways: along an ellipsoid to the pole at the back of the head.
    unit = (edge - SKULL_CENTRE) / SKULL_RADII
    across = np.linalg.norm(unit[:, :2], axis=1)
    start = np.arctan2(across, unit[:, 2])
    t = RING_PLACES[:, None]
    angle = start + (np.pi - start) * t
    direction = unit[:, :2] / across[:, None]
    sphere = np.concatenate(
        [direction[None] * np.sin(angle)[..., None], np.cos(angle)[..., None]], axis=-1
    )
    first = np.concatenate([direction * np.sin(start)[:, None], np.cos(start)[:, None]], axis=-1)
    rest = edge - (SKULL_CENTRE + SKULL_RADII * first)
    to_back = SKULL_CENTRE + SKULL_RADII * sphere + rest[None] * ((1 - t) ** 2)[..., None]
    outward = sphere / SKULL_RADII
    outward /= np.linalg.norm(outward, axis=-1, keepdims=True)
    to_back = to_back + outward * hair_volume(person)[..., None]
    # Downwards: under the jaw, down the neck.
    width = 5.4 if person.sex == "m" else 4.5
    s = np.clip(edge[:, 0] / 5.8, -1, 1)
    x, z = width * s, -4.4 + 4.3 * np.sqrt(np.maximum(1 - s**2, 0))
    top = np.stack([x, -10.6 + 2.2 * s**2, z + 0.5], axis=1)
    to_neck = np.stack(
        [
            edge + array([0, -0.25, -0.45]),
            0.55 * edge + 0.45 * top + array([0, -0.35, -0.1]),
            top,
            *(np.stack([x * w, np.full(PLACES, y) + 1.5 * s**2, z + forward], axis=1)
              for y, w, forward in ((-12.8, 1.0, 0.0), (-15.2, 1.02, 0.0), (-17.6, 1.1, 0.5),
                                    (-20.5, 1.25, 1.2))),
        ]
    )  # fmt: skip
    share = neck_share()[None, :, None]
    vertices = (1 - share) * to_back + share * to_neck
    dark = array([0.12, 0.42, 0.5, 0.4, 0.28, 0.2, 0.15])[:, None] * neck_share()[None]
    turning = array([1, 1, 0.85, 0.6, 0.35, 0.12, 0.0])[:, None]
    follows = 1 - neck_share()[None] * (1 - turning)
    return array(vertices.reshape(-1, 3)), array(1 - dark.ravel()), array(follows.ravel())


@lru_cache(maxsize=1)
def _face_shade() -> Array:
    """Return how much light reaches each face vertex, `(468,)`: sockets and folds are darker."""
    spot = partial(near, mesh.canonical()[0])
    dark = 0.24 * spot((-1.75, 2.9, 3.8), 0.75) + 0.1 * spot((-3.2, 3.4, 4.2), 0.8)
    dark += 0.2 * spot((0, -2.3, 5.8), 0.55) + 0.16 * spot((0, -6.0, 5.1), 0.6)
    dark += 0.18 * spot((-2.2, -1.5, 4.7), 0.5) + 0.1 * spot((-3.2, 1.8, 3.9), 0.6)
    return np.asarray(1 - dark[:, 0], np.float32)


def skin_part(face: Array, person: Person, levels: int) -> Part:
    """Return face, skull and neck. The first 468 vertices are the landmarks."""
    rings, shade, follows = skull(face, person)
    weights, triangles = mesh.skin(levels)
    attributes = np.concatenate(
        [
            np.concatenate([face, rings]),
            skin_texture(),
            np.concatenate([_face_shade(), shade])[:, None],
            np.concatenate([np.ones(mesh.FACE, np.float32), follows])[:, None],
        ],
        axis=1,
    )
    fine = np.asarray(weights @ attributes.astype(np.float32))
    return Part(fine[:, :3], triangles, fine[:, 3:5], fine[:, 5], fine[:, 6], gloss=1.0)


@lru_cache(maxsize=2)
def _disc(rings: int, sectors: int) -> tuple[Array, Indices]:
    """Return polar points `(rings * sectors, 2)` on a unit disc, y up, and triangles."""
    radius = np.linspace(0.02, 1, rings)[:, None]
    angle = np.linspace(0, 2 * np.pi, sectors, endpoint=False)[None]
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1).reshape(-1, 2)
    triangles = mesh.grid_triangles(rings, sectors, closed=True)[:, ::-1]
    return points.astype(np.float32), triangles


def eye_part(face: Array, eye: Eye, side: int, gaze: tuple[float, float]) -> Part:
    """Return the visible cap of an eyeball; `gaze` is (right, up) in radians.

    The upper lid's shadow falls on it.
    """
    disc, triangles = _disc(mesh.EYE_RINGS, mesh.EYE_SECTORS)
    reach = np.deg2rad(68.0)
    polar = np.linalg.norm(disc, axis=1)
    unit = np.concatenate(
        [disc / polar[:, None] * np.sin(polar * reach)[:, None],
         np.cos(polar * reach)[:, None]], axis=1)  # fmt: skip
    vertices = eye.centre + eye.radius * unit
    upper = sets.LEFT_UPPER_LID if side else sets.RIGHT_UPPER_LID
    rim = face[list(upper)]
    order = np.argsort(rim[:, 0])
    lid = np.interp(vertices[:, 0], rim[order, 0], rim[order, 1])
    shade = 0.5 + 0.5 * smooth_step(-0.02, 0.36, lid - vertices[:, 1])
    looking = unit[:, :2] - np.sin(array(gaze))
    texture = in_tile("eye", 0.5 + 0.5 * looking[:, 0], 0.5 - 0.5 * looking[:, 1])
    ones = np.ones(len(vertices), np.float32)
    return Part(vertices, triangles, texture, shade, ones, gloss=0.3, set_back=0.8)


def lash_part(face: Array, side: int, thickness: float) -> Part:
    """Return the dark line of the upper lid's lashes: a ribbon along its rim, `thickness` cm."""
    lid = list(sets.LEFT_UPPER_LID if side else sets.RIGHT_UPPER_LID)
    rim = mesh.smooth_line(face[lid], 3)
    count = len(rim)
    along = np.linspace(0, 1, count)  # from the outer to the inner corner
    width = thickness * np.minimum(1, 6 * np.minimum(along + 0.06, 1.02 - along))[:, None]
    forward = array([0, 0, 0.08])
    above = rim + width * array([0, 0.75, 0.1]) + forward
    below = rim - width * array([0, 0.25, 0]) + forward
    vertices = np.concatenate([above, below]).astype(np.float32)
    pupil = in_tile("eye", np.full(2 * count, 0.5), np.full(2 * count, 0.5))
    ones = np.ones(2 * count, np.float32)
    return Part(vertices, mesh.grid_triangles(2, count), pupil, ones, ones, both_sides=True)


def mouth_parts(face: Array, neutral: Array, jaw: float) -> list[Part]:
    """Return the cavity between the lips and two rows of teeth; `jaw` 0…1 opens the lower row."""
    rim = list(sets.loop(sets.UPPER_LIP_INNER, sets.LOWER_LIP_INNER)[:-1])
    count = len(rim)
    middle = face[rim].mean(0) - array([0, 0, 0.6])
    cavity = np.concatenate([face[rim], middle[None]])
    place = np.arange(count)
    fan = np.stack([place, np.full(count, count), (place + 1) % count], axis=1)
    dark = in_tile("mouth", np.full(count + 1, 0.5), np.full(count + 1, 0.95))
    ones = np.ones(count + 1, np.float32)
    parts = [
        Part(cavity, fan.astype(np.int32)[:, ::-1], dark, ones, ones, both_sides=True, set_back=3.0)
    ]
    line = neutral[list(sets.UPPER_LIP_INNER)]
    centre, width = line[5], float(line[-1, 0] - line[0, 0])
    across = np.linspace(-1, 1, 13)
    for lower in (True, False):
        high, low = (-0.05, -0.95) if lower else (0.75, -0.3)
        x = centre[0] + 0.52 * width * np.sin(across * 1.25) / np.sin(1.25)
        z = centre[2] - 0.75 - 1.5 * across**2 - (0.12 if lower else 0)
        vertices = np.concatenate(
            [np.stack([x, np.full(13, centre[1] + y), z], axis=1) for y in (high, low)]
        ).astype(np.float32)
        if lower:
            vertices = turn_jaw(vertices, JAW_ANGLE * jaw, np.ones(len(vertices), np.float32))
        v = np.repeat([0.45, 0.86] if lower else [0.02, 0.43], 13)
        texture = in_tile("mouth", np.tile(0.5 + 0.47 * across, 2), v)
        fade = np.tile(1 - 0.55 * across**2, 2) * (0.75 if lower else 0.95)
        ones = np.ones(26, np.float32)
        back = 2.0 if lower else 1.2
        strip = mesh.grid_triangles(2, 13)
        parts.append(Part(vertices, strip, texture, array(fade), ones, 0.2, set_back=back))
    return parts


def ear_parts(neutral: Array) -> list[Part]:
    """Return both ears."""
    disc, triangles = _disc(mesh.EAR_RINGS, mesh.EAR_SECTORS)
    parts = []
    polar = np.linalg.norm(disc, axis=1)
    for side in (-1, 1):
        edge = neutral[234 if side < 0 else 454]
        back = array([0.62 * side, 0.05, -0.78])
        out = array([0.78 * side, 0, 0.62])
        # Narrower at the lobe, wider above.
        wide = 1.55 + 0.45 * disc[:, 1]
        bowl = 0.55 * smooth_step(0.35, 0.85, polar) - 0.35 * smooth_step(0.88, 1.0, polar)
        forward = disc[:, 0] * -side  # towards the face
        attached = smooth_step(0.2, 0.95, forward)
        centre = array([edge[0] - 0.1 * side, edge[1] + 0.1, edge[2] - 1.3])
        vertices = (
            centre
            + (-forward * wide)[:, None] * back
            + (disc[:, 1] * 3.1)[:, None] * array([0.05 * side, 1, -0.18])
            + (bowl * (1 - attached) - 0.5 * attached)[:, None] * out
        )
        texture = in_tile("ear", 0.5 + 0.49 * -forward, 0.5 - 0.49 * disc[:, 1])
        shade = 1 - 0.35 * (1 - smooth_step(0.2, 0.7, polar)) - 0.2 * attached
        ones = np.ones(len(disc), np.float32)
        parts.append(Part(vertices.astype(np.float32), triangles, texture, shade, ones, gloss=0.5))
    return parts


def body_part(person: Person) -> Part:
    """Return the clothed shoulders."""
    wide = 1.12 if person.sex == "m" else 0.95
    across = np.linspace(-1, 1, 21)[None]
    x = 21.0 * wide * np.sign(across) * np.abs(across) ** 1.1
    out = np.abs(across)
    ridge = -14.6 - 4.6 * smooth_step(0.2, 0.85, out) - 6 * smooth_step(0.82, 1.0, out)
    dip = 3.2 * (1 - smooth_step(0.0, 0.3, out))
    shapes = ((0.0, -8.0, -0.4), (0.0, -5.0, 0.0), (0.6, -1.5, -0.5), (0.9, 1.2, -2.2),
              (0.6, 2.6, -6), (0.3, 3.0, -14), (0.2, 3.0, -36))  # fmt: skip
    rows = [np.stack([x, ridge + lower - front * dip, forward - 2.5 * across**2 + 0 * x], axis=-1)
            for front, forward, lower in shapes]  # fmt: skip
    vertices = np.concatenate(rows, axis=0).reshape(-1, 3)
    down = np.linspace(0, 1, len(shapes))[:, None]
    u, v = 0.5 + 0.48 * across + 0 * down, down + 0 * across
    texture = in_tile("cloth", u.ravel(), v.ravel())
    shade = (0.75 + 0.25 * smooth_step(0.1, 0.35, out) + 0 * down).ravel()
    zeros = np.zeros(len(vertices), np.float32)
    return Part(vertices.astype(np.float32), mesh.grid_triangles(len(shapes), 21), texture,
                shade.astype(np.float32), zeros, both_sides=True)  # fmt: skip


def parts_of(
    person: Person, face: Array, jaw: float, gaze: tuple[float, float], levels: int
) -> tuple[list[list[Part]], tuple[Eye, Eye]]:
    """Return layers of parts, each drawn over the one before, and the eyeballs.

    The last layer's first part is the skin. Parts within a layer hide each other by depth.
    """
    neutral = neutral_face(person)
    eyes = eyes_of(neutral)
    behind, locks = hanging_hair(person, neutral)
    inside = [eye_part(face, eye, side, gaze) for side, eye in enumerate(eyes)]
    inside += mouth_parts(face, neutral, jaw)
    lashes = [lash_part(face, side, 0.15 if person.sex == "f" else 0.11) for side in (0, 1)]
    outside = [skin_part(face, person, levels), *inside, *lashes, *locks]
    if not locks:
        outside += ear_parts(neutral)
    layers = [behind, [body_part(person)], outside]
    return [layer for layer in layers if layer], eyes
