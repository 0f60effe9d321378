"""Where things lie: the tiles of the atlas, the rings behind the face, the skull.

The atlas that the parts' texture coordinates point into: skin fills the square (0…1, 0…1); tiles
of side `TILE` follow in a column at x = 1: eye, mouth, ear, hair, cloth from the top.
"""

import numpy as np

from aacsfnet import landmark_sets as sets
from aacsfnet.rendering.mesh import Array, array

TILE = 0.2
TILES = {name: place * TILE for place, name in enumerate(("eye", "mouth", "ear", "hair", "cloth"))}

#: How far each ring lies on the way from the face's outline to the head's back or the chest.
RING_PLACES = array([0.05, 0.13, 0.27, 0.44, 0.62, 0.82, 1.0])
PLACES = len(sets.FACE_OUTLINE)
SKULL_CENTRE = array([0, 2.4, -3.6])
SKULL_RADII = array([7.95, 10.0, 9.6])
NECK_PIVOT = array([0, -10, -4.5])  #: where head and body meet


def in_tile(name: str, x: Array, y: Array) -> Array:
    """Return atlas coordinates of places (0…1, 0…1) in a tile, kept off its border."""
    inside = np.clip(np.stack([x, y], axis=-1), 0.02, 0.98)
    return (array([1.0, TILES[name]]) + TILE * inside).astype(np.float32)
