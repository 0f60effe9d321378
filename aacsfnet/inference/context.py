"""What stands beside each face of a recording, for networks that see pictures in context.

Features of a face are computed once; rows wait until those of its context are there, and memory
stays constant: of `sequence` for a few steps of training's time, of `person` for `WINDOW` frames at
most.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np

from aacsfnet.inference.member import InContext, Look
from aacsfnet.models.reference import calmest

#: Frames from a person's first face on, among which their reference is chosen.
WINDOW = 250

T = TypeVar("T")


class Seen(NamedTuple, Generic[T]):
    """A row of a recording, frames in order.

    Attributes:
        row: handed on.
        frame: its number in the recording.
        face: the person's number.
        look: None: there is no face to score.
        measures: `(measures,)` facial measures, NaN where unknown.
        time_s: when the frame is shown, seconds; None: unknown.
    """

    row: T
    frame: int
    face: int
    look: Look | None
    measures: np.ndarray
    time_s: float | None = None


def in_context(
    seen: Iterable[Seen[T]],
    kind: Literal["person", "sequence"],
    frames: int,
    spacing_s: float | None = None,
) -> Iterator[tuple[T, InContext | None]]:
    """Yield the rows of one recording in their order, each face with what stands beside it.

    Args:
        seen: the rows.
        kind: as `train.network.context`.
        frames: as `train.network.context_frames`.
        spacing_s: how far apart neighbouring frames were in training, seconds; None: unknown.
    """
    chooser = _References(frames) if kind == "person" else _Neighbours(frames, spacing_s)
    waiting: deque[Seen[T]] = deque()
    for each in seen:
        chooser.add(each)
        waiting.append(each)
        while waiting and chooser.known(waiting[0], each.frame):
            yield _placed(waiting.popleft(), chooser)
    while waiting:
        yield _placed(waiting.popleft(), chooser)


def _placed(seen: Seen[T], chooser: "_References | _Neighbours") -> tuple[T, InContext | None]:
    if seen.look is None:
        return seen.row, None
    return seen.row, InContext(seen.look, chooser.beside(seen))


class _Neighbours:
    """The same person's faces before and after, at even steps of time, as training took them.

    A step is `spacing_s`, but never less than one frame; where that or the frames' times are not
    known, it is a frame.
    """

    def __init__(self, frames: int, spacing_s: float | None) -> None:
        self._frames, self._spacing_s = frames, spacing_s
        self._at: dict[int, float] = {}  # of each frame in order: its time in steps
        self._looks: dict[int, dict[int, Look]] = {}  # by frame and person

    def add(self, seen: Seen[T]) -> None:
        if self._spacing_s is None or seen.time_s is None:
            self._at.setdefault(seen.frame, float(seen.frame))
        else:
            self._at.setdefault(seen.frame, seen.time_s / self._spacing_s)
        if seen.look is not None:
            self._looks.setdefault(seen.frame, {})[seen.face] = seen.look

    def known(self, seen: Seen[T], now: int) -> bool:
        self._forget(seen.frame - self._frames, self._at[seen.frame] - self._frames - 1)
        after = [at for frame, at in self._at.items() if seen.frame < frame < now]  # whole frames
        return len(after) >= self._frames and after[-1] >= self._at[seen.frame] + self._frames

    def beside(self, seen: Seen[T]) -> list[Look | None]:
        places = [*reversed(self._beyond(seen.frame, -1)), *self._beyond(seen.frame, 1)]
        return [self._looks.get(each, {}).get(seen.face) for each in places]

    def _forget(self, first: int, since: float) -> None:
        """Let go of frames that are both before a frame and before a time."""
        while (oldest := next(iter(self._at))) < first and self._at[oldest] < since:
            del self._at[oldest]
            self._looks.pop(oldest, None)

    def _beyond(self, frame: int, way: int) -> list[int]:
        """Return the frames one step after the other before (-1) or after (1) one; -1: none."""
        away = {other: way * (at - self._at[frame]) for other, at in self._at.items()}
        side = sorted((each for each in away if way * (each - frame) > 0), key=lambda it: way * it)
        found = []
        for step in range(1, self._frames + 1):
            if not side or away[side[-1]] < step - 0.5:  # the recording ends before
                found.append(-1)
                continue
            place = min(range(len(side)), key=lambda at: abs(away[side[at]] - step))
            found.append(side[place])
            side = side[place + 1 :]
        return found


class _References:
    """The faces of a person that look most as they mostly do, of their first frames."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._last: dict[int, int] = {}  # by person, the last frame that may count
        self._open: dict[int, list[Seen]] = {}
        self._chosen: dict[int, list[Look | None]] = {}

    def add(self, seen: Seen[T]) -> None:
        if seen.look is None:
            return
        if seen.frame <= self._last.setdefault(seen.face, seen.frame + WINDOW - 1):
            self._open.setdefault(seen.face, []).append(seen)

    def known(self, seen: Seen[T], now: int) -> bool:
        return seen.look is None or now > self._last[seen.face]

    def beside(self, seen: Seen[T]) -> list[Look | None]:
        if seen.face not in self._chosen:
            of_person = self._open.pop(seen.face)
            places = calmest(np.stack([each.measures for each in of_person]), self._frames)
            looks = [of_person[at].look for at in places]
            self._chosen[seen.face] = looks + [None] * (self._frames - len(looks))
        return self._chosen[seen.face]
