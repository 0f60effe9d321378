"""The landmarks as a drawing, for a ControlNet that is steered by one.

The drawing is that of CrucibleAI's ControlNetMediaPipeFace, as controlnet-aux makes it: outline,
eyes, brows and lips as lines two pixels wide on black, each in its colour, pupils as squares. The
widths are pixels whatever the picture's size; that network was trained at 512.
"""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

#: Lines through MediaPipe's landmarks, and their colour (RGB); later ones lie on top.
LINES: tuple[tuple[tuple[int, int, int], tuple[tuple[int, ...], ...]], ...] = (
    (  # the face's outline
        (10, 200, 10),
        (
            *((10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288), (288, 397, 365, 379)),
            *((379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172), (172, 58, 132, 93, 234)),
            (234, 127, 162, 21, 54, 103, 67, 109, 10),
        ),
    ),
    (  # left eye, from the person's side
        (10, 200, 180),
        (
            (263, 249, 390, 373, 374, 380, 381, 382, 362),
            (263, 466, 388, 387, 386, 385, 384, 398, 362),
        ),
    ),
    ((10, 220, 180), ((276, 283, 282, 295, 285), (300, 293, 334, 296, 336))),  # left brow
    (  # right eye
        (180, 200, 10),
        (
            (33, 7, 163, 144, 145, 153, 154, 155, 133),
            (33, 246, 161, 160, 159, 158, 157, 173, 133),
        ),
    ),
    ((180, 220, 10), ((46, 53, 52, 65, 55), (70, 63, 105, 66, 107))),  # right brow
    (  # lips
        (10, 180, 10),
        (
            (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
            (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
            (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
            (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
        ),
    ),
)
#: Middle of each iris and its colour.
PUPILS = ((468, (250, 200, 10)), (473, (10, 200, 250)))
_WIDTH = 2
_HALF_PUPIL = 2


def draw_face(points: NDArray[np.floating], height: int, width: int) -> NDArray[np.uint8]:
    """Return the drawing `(height, width, 3)`, uint8 RGB.

    Lines with an end outside the picture are left out, as MediaPipe leaves them out.

    Args:
        points: `(478, 3)` landmarks in pixels, x right, y down, pixel centres at integers.
        height: of the picture, pixels.
        width: of the picture, pixels.
    """
    picture = np.zeros((height, width, 3), np.uint8)
    places = np.floor(points[:, :2] + 0.5).astype(int)  # (478, 2): the pixels that points lie in
    inside = ((places >= 0) & (places < (width, height))).all(1)
    for colour, paths in LINES:
        for path in paths:
            for start, end in pairwise(path):
                if inside[start] and inside[end]:
                    first, second = places[start].tolist(), places[end].tolist()
                    cv2.line(picture, first, second, colour, _WIDTH)
    for point, colour in PUPILS:
        if inside[point]:
            x, y = places[point]
            rows = slice(max(0, y - _HALF_PUPIL), y + _HALF_PUPIL)
            picture[rows, max(0, x - _HALF_PUPIL) : x + _HALF_PUPIL] = colour
    return picture
