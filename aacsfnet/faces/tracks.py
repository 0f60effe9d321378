"""Which face of one frame is which of the next, told by position alone.

A number is carried on only where nobody else can be meant. Where people cross and it could be
either, both begin anew: one person may then have two numbers, never two people one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Boxes of one face in neighbouring frames share at least this (intersection over union).
_SAME = 0.3
#: A second face or track that reaches this share of the best match makes it ambiguous.
_RIVAL = 0.5
#: A face that was lost for more frames than this begins anew.
_MEMORY = 25


@dataclass
class _Track:
    number: int
    box_xyxy: np.ndarray
    seen: int


class Tracks:
    """Numbers the faces of a film, frame after frame; numbers count from 0."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._next = 0

    def assign(self, at: int, boxes_xyxy: Sequence[np.ndarray]) -> list[int]:
        """Return the number of each face of a frame.

        Args:
            at: position of the frame in the film, rising.
            boxes_xyxy: `(4,)` each, left, top, right, bottom, frame pixels.
        """
        alive = [track for track in self._tracks if at - track.seen <= _MEMORY]
        shared = np.zeros((len(boxes_xyxy), len(alive)))
        for face, box in enumerate(boxes_xyxy):
            for place, track in enumerate(alive):
                shared[face, place] = overlap(box, track.box_xyxy)
        numbers: list[int] = []
        kept: list[_Track] = []
        for face, box in enumerate(boxes_xyxy):
            match = _only_match(shared, face)
            if match is None:
                number, self._next = self._next, self._next + 1
            else:
                number = alive[match].number
            kept.append(_Track(number, box, at))
            numbers.append(number)
        # One that was lost lives on only while no other face stands in its place.
        lost = (not shared[:, place].any() for place in range(len(alive)))
        self._tracks = kept + [track for track, free in zip(alive, lost, strict=True) if free]
        return numbers


def _only_match(shared: np.ndarray, face: int) -> int | None:
    """Return the track that a face carries on, or None where there is none or it is ambiguous.

    Args:
        shared: `(faces, tracks)`, how much each pair overlaps.
        face: which row.
    """
    if not shared.shape[1]:
        return None
    place = int(shared[face].argmax())
    best = shared[face, place]
    row, column = shared[face].tolist(), shared[:, place].tolist()
    del row[place], column[face]
    if best < _SAME or max(row + column, default=0.0) >= _RIVAL * best:
        return None
    return place


def overlap(one_xyxy: np.ndarray, other_xyxy: np.ndarray) -> float:
    """Return the intersection over the union of two boxes.

    >>> overlap(np.array([0, 0, 2, 2.0]), np.array([1, 0, 3, 2.0])).__round__(3)
    0.333
    """
    # Plain numbers: numpy's calls would take ten times as long.
    (left, top, right, bottom), other = one_xyxy.tolist(), other_xyxy.tolist()
    width = min(right, other[2]) - max(left, other[0])
    height = min(bottom, other[3]) - max(top, other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    union = (right - left) * (bottom - top) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return shared / union if union > 0 else 0.0
