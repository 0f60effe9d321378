"""Folds and furrows that action units raise in the skin, as shading of its texture."""

from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np

from aacsfnet import landmark_sets as sets
from aacsfnet.facs import HIGHEST
from aacsfnet.rendering import head, mesh, paint
from aacsfnet.rendering.mesh import Array, array

#: The fold from the wing of the nose round the corner of the mouth.
NASOLABIAL = (129, 203, 206, 216, 212)


@lru_cache(maxsize=3)
def folds(size: int) -> dict[str, Array]:
    """Return the shading of each fold at full depth: a share added to the light, `(T, T)`.

    Dark in the crease, a little lighter below it, where the bulge faces the light.
    """

    def fold(lines: list[Array], width: float, blur: float, down: float = 0.012) -> Array:
        crease = paint.stroke(lines, size, width, blur)
        shift = array([[1.0, 0.0, 0.0], [0.0, 1.0, down * size]])
        bulge = cv2.warpAffine(paint.blurred(crease, 0.004), shift, (size, size))
        return np.asarray(-crease + 0.35 * bulge, np.float32)

    def between(*pairs: tuple[int, int]) -> Array:
        texture = head.skin_texture() * np.float32(size) - 0.5
        return mesh.smooth_line(np.stack([texture[list(pair)].mean(0) for pair in pairs]))

    def pair_of(*pairs: tuple[int, int]) -> list[Array]:
        twin = [(int(sets.MIRROR[a]), int(sets.MIRROR[b])) for a, b in pairs]
        return [between(*pairs), between(*twin)]

    brow = pair_of((107, 9), (55, 9), (55, 8), (193, 168))
    middle = [between((9, 9), (8, 8), (168, 168))]
    rows = [
        ((104, 105), (69, 66), (108, 107), (151, 9)),
        ((104, 104), (69, 69), (108, 108), (151, 151)),
        ((103, 104), (67, 69), (109, 108), (10, 151)),
    ]
    forehead = [line for row in rows for line in pair_of(*row)]
    bridge = [between((193, 193), (168, 6), (417, 417)), between((245, 122), (6, 6), (465, 351)),
              between((188, 196), (197, 197), (412, 419))]  # fmt: skip
    bunny = pair_of((122, 122), (188, 174), (217, 126))
    bunny += pair_of((196, 196), (174, 236), (198, 209))
    crow = pair_of((130, 226), (226, 35), (143, 143)) + pair_of((130, 247), (113, 124), (156, 156))
    crow += pair_of((25, 31), (31, 228), (111, 111))
    return {
        "frown": 0.9 * fold(brow, 0.006, 0.0035) + 0.5 * fold(middle, 0.005, 0.004),
        "forehead": 0.7 * fold(forehead, 0.005, 0.004),
        "nose": 0.65 * fold(bridge + bunny, 0.006, 0.0045),
        "nasolabial": 0.8 * fold(paint.both(NASOLABIAL, size), 0.008, 0.0075),
        "crow": 0.55 * fold(crow, 0.004, 0.0035),
        "pouch": 0.8 * fold(paint.both((25, 110, 24, 23, 22, 26), size), 0.006, 0.0035),
        "cheek": 0.5 * fold(paint.both((111, 117, 118, 119, 120), size), 0.012, 0.009),
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


def depths(expression: Mapping[str, float]) -> dict[str, float]:
    """Return how deep each fold is, 0…1."""
    return {
        fold: min(1.0, sum(share * min(expression.get(unit, 0.0) / HIGHEST[unit], 1.0)
                           for unit, share in units.items()))
        for fold, units in FOLDS.items()
    }  # fmt: skip
