"""Which of MediaPipe's 478 face landmarks belong together: the one owner of their numbers.

Convention: right and left are the person's own, so right is at the picture's left. Eyes, lids and
brows run from the outer to the inner end, lips from the right to the left corner of the mouth. A
list of the left side holds the mirror images of the right side's, in the same order.
"""

from functools import cache
from itertools import chain

import numpy as np

#: Landmarks that lie on the midline and are their own mirror image.
MIDLINE = (
    *(0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 94, 151, 152, 164, 168),
    *(175, 195, 197, 199, 200),
)
# The left half is numbered in the right half's order. Both irises' rims begin at picture right.
_RIGHT = np.r_[np.setdiff1d(np.arange(248), MIDLINE), 468:473]
_LEFT = np.r_[248:468, 473, 476, 475, 474, 477]
#: For each landmark the one that takes its place in a mirror image, `(478,)`.
MIRROR = np.arange(478)
MIRROR[_RIGHT], MIRROR[_LEFT] = _LEFT, _RIGHT
MIRROR.setflags(write=False)


@cache
def mirrored(points: tuple[int, ...]) -> tuple[int, ...]:
    """Return the landmarks at the same places on the face's other half.

    >>> mirrored((33, 133, 10))
    (263, 362, 10)
    """
    return tuple(MIRROR[list(points)].tolist())


def loop(lower: tuple[int, ...], upper: tuple[int, ...]) -> tuple[int, ...]:
    """Return two edges with common ends as one closed line that ends where it begins.

    >>> loop((1, 2, 3), (1, 9, 3))
    (1, 2, 3, 9, 1)
    """
    return lower + upper[-2::-1]


#: The face's outline, from the middle of the forehead clockwise as seen.
FACE_OUTLINE = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)

#: Rims of the lids, corners of the eye included.
RIGHT_UPPER_LID = (33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_LOWER_LID = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_UPPER_LID, LEFT_LOWER_LID = mirrored(RIGHT_UPPER_LID), mirrored(RIGHT_LOWER_LID)
#: The ring of landmarks round those rims.
RIGHT_UPPER_CREASE = (130, 247, 30, 29, 27, 28, 56, 190, 243)
RIGHT_LOWER_CREASE = (130, 25, 110, 24, 23, 22, 26, 112, 243)
#: Outer and inner corner of each eye.
RIGHT_EYE = (RIGHT_UPPER_LID[0], RIGHT_UPPER_LID[-1])
LEFT_EYE = mirrored(RIGHT_EYE)
#: Upper and lower lid about the eye's middle, paired across the opening.
RIGHT_LIDS = tuple(zip(RIGHT_UPPER_LID[3:6], RIGHT_LOWER_LID[3:6], strict=True))
LEFT_LIDS = tuple(zip(LEFT_UPPER_LID[3:6], LEFT_LOWER_LID[3:6], strict=True))
#: Middle of each iris, then four points of its rim.
RIGHT_IRIS, LEFT_IRIS = tuple(range(468, 473)), tuple(range(473, 478))

#: Lower and upper edge of the brows.
RIGHT_BROW_BOTTOM, RIGHT_BROW_TOP = (46, 53, 52, 65, 55), (70, 63, 105, 66, 107)
LEFT_BROW_BOTTOM, LEFT_BROW_TOP = mirrored(RIGHT_BROW_BOTTOM), mirrored(RIGHT_BROW_TOP)

#: Wings of the nose, cheeks, ridge of the nose from above.
RIGHT_WING, RIGHT_CHEEK = (129, 102, 48), (50, 101, 118)
LEFT_WING, LEFT_CHEEK = mirrored(RIGHT_WING), mirrored(RIGHT_CHEEK)
NOSE_RIDGE = (197, 195, 5)

#: Outer and inner edge of the lips' red, corners included.
UPPER_LIP_OUTER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_LIP_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
UPPER_LIP_INNER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
#: All of both edges.
LIPS = (
    *loop(UPPER_LIP_OUTER, LOWER_LIP_OUTER)[:-1],
    *loop(UPPER_LIP_INNER, LOWER_LIP_INNER)[:-1],
)
#: Rows of the right half of each lip without its corner, from the inner edge to the outer.
UPPER_LIP_ROWS = (
    *(UPPER_LIP_INNER[1:6], (183, 42, 41, 38, 12), (184, 74, 73, 72, 11)),
    UPPER_LIP_OUTER[1:6],
)
LOWER_LIP_ROWS = (
    *(LOWER_LIP_INNER[1:6], (96, 89, 179, 86, 15), (77, 90, 180, 85, 16)),
    LOWER_LIP_OUTER[1:6],
)
#: The corners of those rows, from the outer edge to the inner.
RIGHT_LIP_CORNERS = (61, 76, 62, 78)
#: Middle of the upper lip, both edges.
UPPER_LIP_MIDDLE = (0, 37, 267, 39, 269, 13, 82, 312, 81, 311)
#: Inner edges about the mouth's middle, paired across the opening.
LIP_PAIRS = tuple(zip(UPPER_LIP_INNER[4:7], LOWER_LIP_INNER[4:7], strict=True))
#: Right and left corner of the mouth.
MOUTH_CORNERS = (UPPER_LIP_OUTER[0], UPPER_LIP_OUTER[-1])

_RIGHT_LINES = (
    loop(RIGHT_LOWER_LID, RIGHT_UPPER_LID),
    (*RIGHT_BROW_TOP, *RIGHT_BROW_BOTTOM[::-1], RIGHT_BROW_TOP[0]),
)
#: Closed outlines of the face and its parts, each ending where it begins.
OUTLINES = (
    (*FACE_OUTLINE, FACE_OUTLINE[0]),
    *_RIGHT_LINES,
    *(mirrored(line) for line in _RIGHT_LINES),
    loop(LOWER_LIP_OUTER, UPPER_LIP_OUTER),
    loop(LOWER_LIP_INNER, UPPER_LIP_INNER),
)

#: Landmarks that stand where the 68 of the iBUG scheme do, in its order: jaw, right and left brow,
#: nose, right and left eye, outer and inner lips.
IBUG_68 = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)

_RIGHT_BROW = RIGHT_BROW_BOTTOM + RIGHT_BROW_TOP
_RIGHT_EYE = RIGHT_UPPER_CREASE + RIGHT_LOWER_CREASE
_RIGHT_NOSTRIL = (*RIGHT_WING, 64, 98)
#: The parts of a face that something may cover; their landmarks' hull is the part.
FACE_PARTS = {
    "right_brow": _RIGHT_BROW,
    "left_brow": mirrored(_RIGHT_BROW),
    "right_eye": _RIGHT_EYE,
    "left_eye": mirrored(_RIGHT_EYE),
    "nose": (6, 197, 4, 1, 2, 94, *_RIGHT_NOSTRIL, *mirrored(_RIGHT_NOSTRIL)),
    "mouth": LIPS,
}
_LIP_HALF = tuple(chain.from_iterable((*UPPER_LIP_ROWS, *LOWER_LIP_ROWS)))
_LIDS = (*RIGHT_UPPER_LID, *RIGHT_LOWER_LID)
#: All landmarks of each region, both sides: those that are guessed where it is covered.
REGION_POINTS = {
    "brows": FACE_PARTS["right_brow"] + FACE_PARTS["left_brow"],
    "eyes": (
        *(*FACE_PARTS["right_eye"], *_LIDS, *RIGHT_IRIS),
        *(*FACE_PARTS["left_eye"], *mirrored(_LIDS), *LEFT_IRIS),
    ),
    "nose": FACE_PARTS["nose"],
    "mouth": (*LIPS, *_LIP_HALF, *mirrored(_LIP_HALF)),
}
