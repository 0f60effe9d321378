"""Crops of a sequence, cut out after smoothing, in constant memory.

Smoothing needs the frames to come, so a frame waits until its window is complete. Only the part
of it that the crop may need waits, already shrunk to the crop's resolution.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter

import cv2
import numpy as np

from aacsfnet.faces.alignment import MAX_SHIFT, crop_matrix, is_jump, smoothed
from aacsfnet.faces.sampling import compose, invert, patch, resample, transform

#: So many complete frames are smoothed at once: the arithmetic of one takes as long.
_TOGETHER = 8
#: Room that a smoothed crop may need beyond the unsmoothed one: moved, turned and grown by
#: MAX_SHIFT at once, its corners move by less than this share of its side.
_SPARE = 8 * MAX_SHIFT


@dataclass(frozen=True)
class Cut:
    """A finished crop.

    Attributes:
        key: what the caller gave with the frame.
        picture: `(size, size, 3)` uint8 RGB.
        to_frame: 2x3, crop pixel centres -> frame pixel centres.
        inside: share of the crop that lies inside the frame.
    """

    key: int
    picture: np.ndarray
    to_frame: np.ndarray
    inside: float

    def in_crop(self, points: np.ndarray) -> np.ndarray:
        """Return points `(n, 3)` of the frame in crop pixels, float32 as tables hold them."""
        return transform(invert(self.to_frame), points).astype(np.float32)


@dataclass
class _Waiting:
    key: int
    time: int
    part: np.ndarray
    part_to_frame: np.ndarray
    frame_size: tuple[int, int]


class SequenceCropper:
    """Takes frames of one sequence after another, gives crops as soon as they can be cut.

    Args:
        size: side of a crop, pixels.
        margin: room above and below the face, share of its height.
        window: frames to each side that smoothing looks at; 0 cuts each frame by itself.
    """

    def __init__(self, size: int, margin: float, window: int) -> None:
        self._size, self._margin, self._window = size, margin, window
        self._waiting: list[_Waiting] = []
        self._placements: list[np.ndarray] = []
        self._times: list[int] = []

    def add(self, key: int, time: int, frame: np.ndarray, placement: np.ndarray) -> Iterator[Cut]:
        """Take the next frame of the sequence; yield what is complete by now.

        Args:
            key: returned with the crop.
            time: position of the frame in its sequence, rising.
            frame: `(H, W, 3)` uint8 RGB.
            placement: `(4,)` of its face.
        """
        if self._placements and (
            time - self._times[-1] > self._window or is_jump(self._placements[-1], placement)
        ):
            yield from self.finish()
        larger = self._size * (1 + _SPARE)
        matrix = crop_matrix(placement, self._size, self._margin)
        shift = (larger - self._size) / 2
        matrix[:, 2] -= matrix[:, :2] @ np.full(2, shift)
        part, part_to_frame = patch(frame, matrix, int(np.ceil(larger)))
        size_wh = frame.shape[1], frame.shape[0]
        if part.base is not None:  # still a view of the frame, which is not kept
            part = part.copy()
        self._waiting.append(_Waiting(key, time, part, part_to_frame, size_wh))
        self._placements.append(placement)
        self._times.append(time)
        ready = bisect_right(self._waiting, time - self._window, key=attrgetter("time"))
        if ready >= _TOGETHER:
            yield from self._cut(ready)
            first = self._waiting[0].time if self._waiting else time
            gone = bisect_left(self._times, first - self._window)
            del self._placements[:gone], self._times[:gone]

    def finish(self) -> Iterator[Cut]:
        """Yield the crops that still wait; the next frame begins a new sequence."""
        yield from self._cut(len(self._waiting))
        self._placements, self._times = [], []

    def _cut(self, count: int) -> Iterator[Cut]:
        """Yield the crops that wait first; all near them are known."""
        ready, self._waiting = self._waiting[:count], self._waiting[count:]
        if not ready:
            return
        first = bisect_left(self._times, ready[0].time)
        at = range(first, first + count)
        placements = smoothed(np.array(self._placements), self._times, at, self._window)
        for waiting, placement in zip(ready, placements, strict=True):
            yield self._cut_out(waiting, placement)

    def _cut_out(self, waiting: _Waiting, placement: np.ndarray) -> Cut:
        to_frame = crop_matrix(placement, self._size, self._margin)
        to_part = compose(invert(waiting.part_to_frame), to_frame)
        picture = resample(waiting.part, to_part, self._size, sharp=True)
        inside = _share_inside(to_frame, self._size, waiting.frame_size)
        return Cut(waiting.key, picture, to_frame, inside)


def cut_still(picture: np.ndarray, placement: np.ndarray, size: int, margin: float) -> Cut:
    """Return the crop of a picture by itself; the arguments are those of `SequenceCropper`."""
    cropper = SequenceCropper(size, margin, 0)
    return next(chain(cropper.add(0, 0, picture, placement), cropper.finish()))


def _share_inside(to_frame: np.ndarray, size: int, frame_size: tuple[int, int]) -> float:
    """Return which share of a crop's area lies inside the frame."""
    last = size - 0.5
    corners = np.array([[-0.5, -0.5], [last, -0.5], [last, last], [-0.5, last]])
    crop = transform(to_frame, corners).astype(np.float32)
    right, bottom = frame_size[0] - 0.5, frame_size[1] - 0.5
    x, y = crop.T.tolist()
    if min(*x, *y) >= -0.5 and max(x) <= right and max(y) <= bottom:
        return 1.0
    frame = np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]], np.float32)
    shared, _ = cv2.intersectConvexConvex(crop, frame)
    return round(min(1.0, float(shared) / cv2.contourArea(crop)), 4)
