"""What stands beside each face of a recording, for networks that see pictures in context.

Features of a face are computed once; rows wait until those of its context are there, and memory
stays constant: of `sequence` for a few frames, of `person` for `WINDOW` at most.
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
    """

    row: T
    frame: int
    face: int
    look: Look | None
    measures: np.ndarray


def in_context(
    seen: Iterable[Seen[T]], kind: Literal["person", "sequence"], frames: int
) -> Iterator[tuple[T, InContext | None]]:
    """Yield the rows of one recording in their order, each face with what stands beside it.

    Args:
        seen: the rows.
        kind: as `train.network.context`.
        frames: as `train.network.context_frames`.
    """
    chooser = _References(frames) if kind == "person" else _Neighbours(frames)
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
    """The same person's faces some frames before and after."""

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._looks: dict[int, dict[int, Look]] = {}  # by frame and person

    def add(self, seen: Seen[T]) -> None:
        if seen.look is not None:
            self._looks.setdefault(seen.frame, {})[seen.face] = seen.look

    def known(self, seen: Seen[T], now: int) -> bool:
        return now > seen.frame + self._frames

    def beside(self, seen: Seen[T]) -> list[Look | None]:
        first, last = seen.frame - self._frames, seen.frame + self._frames
        for gone in [each for each in self._looks if each < first]:
            del self._looks[gone]
        places = (*range(first, seen.frame), *range(seen.frame + 1, last + 1))
        return [self._looks.get(each, {}).get(seen.face) for each in places]


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
