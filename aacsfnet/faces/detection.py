"""Faces found in a picture of any size.

The search goes on until something is found: the quick detector on the whole picture, the dense
one, both on the picture made smaller (a face that fills the frame), then tiles of the picture,
each level half as large as the last, until the smallest face that counts would fill a tenth.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from typing import Literal, NamedTuple

import cv2
import numpy as np

from aacsfnet.faces.networks import FaceDetector, Networks
from aacsfnet.faces.sampling import sample, square_matrix, transform

#: Boxes that overlap more than this (intersection over union) are one face.
SAME_FACE = 0.3
#: A lower score asks for a closer look: at the right size a true, upright face scores above 0.85.
SURE = 0.8
#: Side of that look over the face's side.
_CLOSE = 3.0
#: The dense detector still finds a face of this share of its square; the quick one overlooks none
#: of that.
_SMALLEST_SHARE, _QUICK_SHARE = 0.1, 0.25


@dataclass(frozen=True)
class Face:
    """A face as a detector sees it, in picture pixels (pixel centres at integers)."""

    score: float
    box_xywh: np.ndarray  # (4,) upper left, width, height
    points_xy: np.ndarray  # (6, 2) picture-left eye, picture-right eye, nose, mouth, two ears

    @property
    def side(self) -> float:
        """The longer side of the box, pixels."""
        return float(self.box_xywh[2:].max())

    @property
    def tilt(self) -> float:
        """The angle of the line between the eyes, radians, clockwise as seen."""
        across = self.points_xy[1] - self.points_xy[0]
        return float(np.arctan2(across[1], across[0]))

    @property
    def center_xy(self) -> np.ndarray:
        """The middle of the box."""
        return np.asarray(self.box_xywh[:2] + self.box_xywh[2:] / 2)

    def repeats(self, other: "Face") -> bool:
        """Return whether another box shows the same face."""
        return _overlap(self.box_xywh, other.box_xywh) >= SAME_FACE


class Level(NamedTuple):
    """What one step of the search found.

    Attributes:
        faces: surest first; may be empty.
        whole: the whole picture was looked at, not tiles of it.
        sees: a face of this side or more, pixels, is not overlooked up to here.
    """

    faces: list[Face]
    whole: bool
    sees: float


class FaceFinder(Networks):
    """Both detectors, and the order in which they are asked.

    Args:
        min_confidence: least score of a face, 0 to 1.
        min_face: side of the smallest face looked for, pixels; decides how fine tiles become.
    """

    def __init__(self, min_confidence: float, min_face: int) -> None:
        self._short = FaceDetector("short", min_confidence)
        self._full = FaceDetector("full", min_confidence)
        self._held = (self._short, self._full)
        self._min_face = min_face

    def first(self, picture: np.ndarray, *, everyone: bool = False) -> Level:
        """Return what the first level of the search finds.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
            everyone: begin with both detectors and the first tiles at once, as is needed to count
                people: the quick detector overlooks small faces beside a large one.
        """
        side = max(picture.shape[:2])
        short = self._look(self._short, picture, 0, 0, side)
        if not everyone:
            return Level(short, True, _QUICK_SHARE * side)
        full = self._look(self._full, picture, 0, 0, side)
        tiles, smallest = self._look_at_tiles(picture, side // 2), _SMALLEST_SHARE * side / 2
        return Level(distinct(short + full + tiles), True, smallest)

    def searches(
        self, picture: np.ndarray, first: Level | None = None, *, everyone: bool = False
    ) -> Iterator[Level]:
        """Yield what each level of the search finds, quickest level first.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
            first: what `first` says of it, where that is known already.
            everyone: as of `first`.
        """
        side = max(picture.shape[:2])
        yield first or self.first(picture, everyone=everyone)
        if not everyone:
            full = self._look(self._full, picture, 0, 0, side)
            yield Level(full, True, _SMALLEST_SHARE * side)
        margin = side // 2  # the picture then fills half of the square
        where = (-margin, -margin, side + 2 * margin)
        both = (self._look(detector, picture, *where) for detector in (self._short, self._full))
        yield Level(distinct([*chain.from_iterable(both)]), True, _SMALLEST_SHARE * side)
        tile = side // 2
        while tile * _SMALLEST_SHARE * 2 > self._min_face and tile >= self._full.side // 2:
            yield Level(self._look_at_tiles(picture, tile), False, _SMALLEST_SHARE * tile)
            tile //= 2

    def glance(self, picture: np.ndarray) -> Level:
        """Return what both detectors see on a whole picture `(H, W, 3)` uint8 RGB."""
        side = max(picture.shape[:2])
        both = [self._look(each, picture, 0, 0, side) for each in (self._short, self._full)]
        return Level(distinct([*chain.from_iterable(both)]), True, _SMALLEST_SHARE * side)

    def closer(self, picture: np.ndarray, face: Face) -> Face | None:
        """Return a face seen again from near and upright, or None where there is none after all.

        Of four turns by 90 degrees the surest counts: a face on its head is found too, but with
        eyes and mouth mistaken for each other.
        """
        best: Face | None = None
        pixels, tilt = self._short.side, face.tilt
        for turn in range(4):
            angle = tilt + turn * np.pi / 2
            matrix = square_matrix(face.center_xy, _CLOSE * face.side, angle, pixels)
            scale = _CLOSE * face.side / pixels
            for score, *values in self._short(sample(picture, matrix, pixels)):
                points = np.array(values).reshape(-1, 2) * pixels
                middle = transform(matrix, (points[:1] - 0.5) + points[1:2] / 2)[0]
                size = points[1] * scale
                if np.linalg.norm(middle - face.center_xy) > face.side / 2:
                    continue
                if best is None or score > best.score:
                    box = np.concatenate([middle - size / 2, size])
                    best = Face(float(score), box, transform(matrix, points[2:] - 0.5))
        return best

    def _look_at_tiles(self, picture: np.ndarray, tile: int) -> list[Face]:
        """Return the faces in squares that cover the picture, each overlapping the next by half."""
        height, width = picture.shape[:2]
        places = product(_starts(height, tile), _starts(width, tile))
        found = (self._look(self._full, picture, left, top, tile) for top, left in places)
        return distinct([*chain.from_iterable(found)])

    def _look(
        self, detector: FaceDetector, picture: np.ndarray, left: int, top: int, side: int
    ) -> list[Face]:
        """Return the faces in one square of the picture; what lies outside it is black."""
        square, scale, shift_xy = _square_of(picture, left, top, side, detector.side)
        faces = []
        for score, *values in detector(square):
            # The detectors' 0 is the square's edge, ours the first pixel's centre.
            points = (np.array(values).reshape(-1, 2) * detector.side) * scale
            box = np.concatenate([points[0] + shift_xy - 0.5, points[1]])
            faces.append(Face(float(score), box, points[2:] + shift_xy - 0.5))
        return faces


def choose(
    placements: Sequence[np.ndarray],
    people: Literal["largest", "central", "refuse"],
    size_wh: tuple[int, int],
) -> int | None:
    """Return which face to work on, or None where the policy refuses.

    Args:
        placements: `(4,)` of each face, see `aacsfnet.faces.alignment`; at least one.
        people: "largest"; "central": nearest to the picture's middle, in shares of its own
            height; "refuse": None when there is more than one.
        size_wh: of the picture.
    """
    if people == "refuse" and len(placements) > 1:
        return None
    places = np.array(placements)
    if people == "central":
        middle = (np.array(size_wh) - 1) / 2
        return int(np.argmin(np.linalg.norm(places[:, :2] - middle, axis=1) / places[:, 2]))
    return int(np.argmax(places[:, 2]))


def _square_of(
    picture: np.ndarray, left: int, top: int, side: int, pixels: int
) -> tuple[np.ndarray, float, np.ndarray]:
    """Return a square of a picture at a detector's size, its scale and where its corner lies."""
    height, width = picture.shape[:2]
    part = picture[max(0, top) : min(height, top + side), max(0, left) : min(width, left + side)]
    scale = side / pixels
    size = max(1, round(part.shape[1] / scale)), max(1, round(part.shape[0] / scale))
    method = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    small = cv2.resize(part, size, interpolation=method)
    if small.shape[:2] == (pixels, pixels):
        return small, scale, np.array([left, top], float)
    square = np.zeros((pixels, pixels, 3), np.uint8)
    x, y = (pixels - size[0]) // 2, (pixels - size[1]) // 2
    square[y : y + size[1], x : x + size[0]] = small
    shift = np.array([max(0, left) - x * scale, max(0, top) - y * scale])
    return square, scale, shift


def _starts(length: int, tile: int) -> list[int]:
    """Return where tiles begin so that they cover a length, each overlapping the next by half.

    >>> _starts(100, 50), _starts(40, 50)
    ([0, 25, 50], [0])
    """
    if length <= tile:
        return [0]
    steps = -(-(length - tile) // (tile // 2))
    return [round(step * (length - tile) / steps) for step in range(steps + 1)]


def distinct(faces: list[Face]) -> list[Face]:
    """Return faces without those that repeat a surer one, surest first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if not any(face.repeats(other) for other in kept):
            kept.append(face)
    return kept


def _overlap(one_xywh: np.ndarray, other_xywh: np.ndarray) -> float:
    """Return the intersection over the union of two boxes.

    >>> float(_overlap(np.array([0, 0, 2, 2.0]), np.array([1, 0, 2, 2.0]))).__round__(3)
    0.333
    """
    low = np.maximum(one_xywh[:2], other_xywh[:2])
    high = np.minimum(one_xywh[:2] + one_xywh[2:], other_xywh[:2] + other_xywh[2:])
    shared = float(np.prod(np.clip(high - low, 0, None)))
    union = float(np.prod(one_xywh[2:]) + np.prod(other_xywh[2:])) - shared
    return shared / union if union > 0 else 0.0
