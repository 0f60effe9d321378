"""The surface that is rendered: face, skull, neck, ears, eyes, teeth and clothes as one mesh.

The face is MediaPipe's canonical face mesh (468 vertices, Apache-2.0), so that vertex `i` is
landmark `i`. Rings that continue its outline make the skull and the neck.

Convention: centimetres; x to the picture's right (the person's left), y up, z to the viewer.
Side "right" and "left" are the picture's.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from aacsfnet.landmark_sets import FACE_OUTLINE

Array = NDArray[np.floating[Any]]
Indices = NDArray[np.int32]


def array(values: ArrayLike) -> Array:
    """Return values as a float32 array."""
    return np.asarray(values, np.float32)


FACE = 468  #: vertices of the face
RINGS = 7  #: rings of vertices beyond the face's outline

EYE_RINGS, EYE_SECTORS = 7, 20
EAR_RINGS, EAR_SECTORS = 5, 18


@lru_cache(maxsize=1)
def canonical() -> tuple[Array, Array, Indices]:
    """Return the canonical face: vertices `(468, 3)`, texture `(468, 2)`, triangles `(852, 3)`."""
    with np.load(Path(__file__).with_name("face_mesh.npz"), allow_pickle=False) as stored:
        return stored["vertices"], stored["texture"], stored["triangles"].astype(np.int32)


@lru_cache(maxsize=1)
def skin_triangles() -> Indices:
    """Return the triangles of face and rings, counter-clockwise seen from outside, `(N, 3)`."""
    count = len(FACE_OUTLINE)
    beyond = FACE + np.arange(RINGS * count).reshape(RINGS, count)
    rings = np.concatenate([[FACE_OUTLINE], beyond])  # (1 + RINGS, count)
    a, b = rings[:-1], np.roll(rings[:-1], -1, axis=1)
    c, d = rings[1:], np.roll(rings[1:], -1, axis=1)
    strips = np.stack([a, d, c, a, b, d], axis=-1).reshape(-1, 3)
    return np.concatenate([canonical()[2], strips.astype(np.int32)])


class Subdivision(NamedTuple):
    """A finer mesh: `weights @ coarse` are its vertices; the coarse ones come first."""

    weights: sparse.csr_matrix
    triangles: Indices


def subdivide(triangles: Indices, vertices: int) -> Subdivision:
    """Split each triangle into four by the butterfly rule, which keeps the old vertices in place.

    Source: Dyn, Levin, Gregory, "A butterfly subdivision scheme for surface interpolation with
    tension control", ACM Transactions on Graphics 9 (2), 1990; tension 1/32.
    """
    wing = 1 / 32
    opposite: dict[tuple[int, int], list[int]] = {}
    for a, b, c in triangles.tolist():
        for p, q, r in ((a, b, c), (b, c, a), (c, a, b)):
            opposite.setdefault((min(p, q), max(p, q)), []).append(r)
    border: dict[int, list[int]] = {}
    for (p, q), third in opposite.items():
        if len(third) == 1:
            border.setdefault(p, []).append(q)
            border.setdefault(q, []).append(p)
    rows, columns, values = list(range(vertices)), list(range(vertices)), [1.0] * vertices
    midpoints = {}  # edge (low, high) -> vertex
    for row, ((p, q), third) in enumerate(opposite.items(), start=vertices):
        midpoints[p, q] = row
        parts = {p: 0.5, q: 0.5}
        if len(third) == 1:
            for end, other in ((p, q), (q, p)):
                beyond = [n for n in border[end] if n != other]
                if len(beyond) == 1:
                    parts[beyond[0]] = parts.get(beyond[0], 0.0) - 1 / 16
                    parts[end] += 1 / 16
        else:
            wings = []
            for r in third:
                for end, other in ((p, q), (q, p)):
                    far = [n for n in opposite[min(end, r), max(end, r)] if n != other]
                    wings += far[:1]
            if len(wings) == 4:
                for r in third:
                    parts[r] = parts.get(r, 0.0) + 2 * wing
                for r in wings:
                    parts[r] = parts.get(r, 0.0) - wing
        rows += [row] * len(parts)
        columns += parts.keys()
        values += parts.values()
    count = vertices + len(midpoints)
    weights = sparse.csr_matrix(
        (values, (rows, columns)), shape=(count, vertices), dtype=np.float32
    )
    a, b, c = triangles.T.tolist()

    def middle(first: list[int], second: list[int]) -> Indices:
        pairs = zip(first, second, strict=True)
        return np.array([midpoints[min(pair), max(pair)] for pair in pairs], np.int32)

    ab, bc, ca = middle(a, b), middle(b, c), middle(c, a)
    old = triangles.T
    finer = np.concatenate(
        [
            np.stack(corners, axis=1)
            for corners in ((old[0], ab, ca), (ab, old[1], bc), (ca, bc, old[2]), (ab, bc, ca))
        ]
    )
    return Subdivision(weights, finer.astype(np.int32))


@lru_cache(maxsize=2)
def skin(levels: int) -> tuple[sparse.csr_matrix, Indices]:
    """Return the matrix from coarse to fine skin vertices, and the fine triangles."""
    triangles = skin_triangles()
    count = FACE + RINGS * len(FACE_OUTLINE)
    weights = sparse.identity(count, np.float32, "csr")
    for _ in range(levels):
        finer = subdivide(triangles, weights.shape[0])
        weights, triangles = (finer.weights @ weights).tocsr(), finer.triangles
    return weights, triangles


def normals(vertices: Array, triangles: Indices) -> Array:
    """Return unit vertex normals `(V, 3)`, area-weighted over the triangles `(T, 3)`."""
    corners = vertices[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    summed = np.empty_like(vertices)
    flat = triangles.T.ravel()
    for axis in range(3):
        repeated = np.tile(faces[:, axis], 3)
        summed[:, axis] = np.bincount(flat, repeated, minlength=len(vertices))
    return array(summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-9))


def grid_triangles(rows: int, columns: int, closed: bool = False) -> Indices:
    """Return the triangles of a grid of vertices in row order; `closed` joins last to first column.

    Counter-clockwise when rows run down and columns run to the right.
    """
    across = columns if closed else columns - 1
    r, c = np.meshgrid(np.arange(rows - 1), np.arange(across), indexing="ij")
    a = r * columns + c
    b = r * columns + (c + 1) % columns
    corners = np.stack([a, a + columns, b + columns, a, b + columns, b], axis=-1)
    return np.asarray(corners.reshape(-1, 3), np.int32)


def smooth_line(points: Array, steps: int = 6) -> Array:
    """Return a Catmull-Rom curve through `points` `(N, D)`, `steps` to a span."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    spans = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
               + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False)
    ]  # fmt: skip
    return array(np.concatenate([*spans, points[-1:]]))


@dataclass(frozen=True)
class Part:
    """One piece of the picture, ready to be placed: what, where, and which texture.

    Attributes:
        vertices: `(V, 3)` in head coordinates.
        triangles: `(T, 3)`.
        texture: `(V, 2)` texel coordinates in the atlas, as shares of its width.
        shade: `(V,)` share of the light that reaches the vertex (creases, cast shadows).
        follows: `(V,)` how far the vertex turns with the head: 1 head, 0 body.
        gloss: strength of the highlight.
        both_sides: whether the back is visible too.
        set_back: cm by which it counts as farther away when deciding what hides what.
    """

    vertices: Array
    triangles: Indices
    texture: Array
    shade: Array
    follows: Array
    gloss: float = 0.0
    both_sides: bool = False
    set_back: float = 0.0
