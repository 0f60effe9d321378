"""The landmarks as a drawing, for a ControlNet that is steered by one.

The drawing is that of CrucibleAI's ControlNetMediaPipeFace, as controlnet-aux makes it: outline,
eyes, brows and lips as lines two pixels wide on black, each in its colour, pupils as squares. The
widths are pixels whatever the picture's size; that network was trained at 512.

controlnet-aux's own `MediapipeFaceDetector` takes a picture and finds the face on it anew; it takes
no landmarks. So it is drawn here, and a test compares the two pixel by pixel.
"""

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from aacsfnet import landmark_sets as sets

#: Lines through MediaPipe's landmarks, and their colour (RGB); later ones lie on top.
LINES: tuple[tuple[tuple[int, int, int], tuple[tuple[int, ...], ...]], ...] = (
    ((10, 200, 10), ((*sets.FACE_OUTLINE, sets.FACE_OUTLINE[0]),)),
    ((10, 200, 180), (sets.LEFT_LOWER_LID, sets.LEFT_UPPER_LID)),
    ((10, 220, 180), (sets.LEFT_BROW_BOTTOM, sets.LEFT_BROW_TOP)),
    ((180, 200, 10), (sets.RIGHT_LOWER_LID, sets.RIGHT_UPPER_LID)),
    ((180, 220, 10), (sets.RIGHT_BROW_BOTTOM, sets.RIGHT_BROW_TOP)),
    (
        (10, 180, 10),
        (
            *(sets.LOWER_LIP_OUTER, sets.UPPER_LIP_OUTER),
            *(sets.LOWER_LIP_INNER, sets.UPPER_LIP_INNER),
        ),
    ),
)
#: Middle of each iris and its colour.
PUPILS = ((sets.RIGHT_IRIS[0], (250, 200, 10)), (sets.LEFT_IRIS[0], (10, 200, 250)))
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
