"""Pictures and videos in, a table of scores out: the command `aacsfnet predict`."""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain
from math import isnan
from pathlib import Path
from typing import Literal, TypeVar

import cv2
import numpy as np
import torch

from aacsfnet.devices import lease
from aacsfnet.evaluation.neutral import Neutral
from aacsfnet.faces.film import FilmExtractor, SeenFrame
from aacsfnet.faces.find import FoundFace
from aacsfnet.inference.context import Seen, in_context
from aacsfnet.inference.exclude import Excluded, read_stretches
from aacsfnet.inference.judged import Judged
from aacsfnet.inference.member import InContext
from aacsfnet.inference.paths import files_of
from aacsfnet.inference.predictor import Predictor
from aacsfnet.inference.progress import Progress, Unseen, telling
from aacsfnet.inference.recordings import Recording, recordings
from aacsfnet.inference.relative import with_relative
from aacsfnet.inference.table import Row, TextWriter, writing
from aacsfnet.tables import MEASURES, Fault

Mode = Literal["still", "video"]
People = Literal["all", "largest"]
T = TypeVar("T")
U = TypeVar("U")

#: Faces that the network scores in one pass.
_BATCH = 32
#: Networks of fewer parameters score a batch by one thread sooner than its faces are found.
_SMALL = 3_000_000


def predict(
    given: Iterable[str | Path],
    model: Path,
    output: Path | None,
    *,
    people: People = "all",
    mode: Mode | None = None,
    sequences: bool = False,
    neutral: str | None = None,
    exclude: Path | None = None,
    device: str | None = None,
) -> None:
    """Write one row a face a frame, see `aacsfnet.inference.table`.

    Args:
        given: files, folders and patterns, see `files_of`.
        model: the folder of one trained network, or of an experiment.
        output: a table, its format by its suffix; None: CSV to the standard output.
        people: every face of a frame, or the largest.
        mode: how faces are found and followed; None: as the model was trained.
        sequences: the pictures of a folder are the frames of one recording.
        neutral: what a person's own neutral level is, for `relative`: median, or first:50 or the
            like; None: that column stays empty.
        exclude: a table of stretches to leave out, see `aacsfnet.inference.exclude`; their rows
            stay, of status "excluded" and without a prediction.
        device: auto, cpu or a GPU; None: as `AACSFNET_DEVICE` says.

    Raises:
        DataError: a path is not there, or means no picture and no video; or the table of stretches
            does not fit the files.
        ModelFileError: the folder holds no usable model.
        SettingsError: the device is not there, or the table cannot be written.
    """
    level = None if neutral is None else Neutral.of(neutral)
    files = files_of(given)
    excluded = Excluded(read_stretches(exclude), files) if exclude else None
    table = nullcontext(TextWriter(sys.stdout, ",")) if output is None else writing(output)
    with table as writer, lease(wanted=device) as leased, telling() as told:
        predictor = Predictor(model, leased)
        read = recordings(files, sequences=sequences)
        for row in Scorer(predictor, people, mode, level, excluded).rows(read, told):
            writer.write(row)


def rows_of(
    path: str | Path,
    predictor: Predictor,
    *,
    people: People = "all",
    mode: Mode | None = None,
    neutral: str | None = None,
) -> Iterator[Row]:
    """Yield the rows of one file, in constant memory; the arguments are those of `predict`.

    Raises:
        DataError: there is no such file.
    """
    level = None if neutral is None else Neutral.of(neutral)
    read = recordings(files_of([path]), sequences=False)
    yield from Scorer(predictor, people, mode, level).rows(read, Unseen())


@dataclass
class _Waiting:
    """A row whose prediction is still to come, if it has a face."""

    row: Row
    face: FoundFace | None


class Scorer:
    """Gives the rows of files, in constant memory.

    Args:
        predictor: scores the faces; its settings tell how they are found.
        people: every face of a frame, or the largest.
        mode: in place of `crop.mode` and `landmarks.mode` of the predictor.
        neutral: what `relative` is relative to; None: nothing.
        excluded: frames whose faces are found and followed, but not scored.
    """

    def __init__(
        self,
        predictor: Predictor,
        people: People = "all",
        mode: Mode | None = None,
        neutral: Neutral | None = None,
        excluded: Excluded | None = None,
    ) -> None:
        self._predictor, self._everyone, self._neutral = predictor, people == "all", neutral
        self._excluded = excluded
        change = {"mode": mode} if mode else {}
        self._crop = predictor.crop.model_copy(update=change | {"people": "largest"})
        self._landmarks = predictor.landmarks.model_copy(update=change)

    def rows(self, read: Iterable[Recording], told: Progress) -> Iterator[Row]:
        """Yield one row a face a frame, frames in order, faces by number."""
        extractor = FilmExtractor(self._crop, self._landmarks, everyone=self._everyone)
        with extractor, _one_core_each(), _few_threads(self._predictor):
            found = ((each.together, self._found(each, extractor, told)) for each in read)
            if self._neutral is None and self._predictor.context is None:
                alone = chain.from_iterable(rows for _, rows in found)
                yield from self._batched(alone, self._complete)
            else:
                for together, waiting in found:
                    yield from self._of_recording(waiting, together=together)
        if self._excluded is not None:
            self._excluded.tell_unmet()

    def _found(
        self, recording: Recording, extractor: FilmExtractor, told: Progress
    ) -> Iterator[_Waiting]:
        """Return the rows of one recording, without pictures where they are left out."""
        rows = _rows_of(recording, extractor, told)
        return rows if self._excluded is None else _without(rows, self._excluded)

    def _of_recording(self, waiting: Iterator[_Waiting], *, together: bool) -> Iterator[Row]:
        """Yield the rows of one recording.

        Only `together` are its frames of the same people, one after the other.
        """
        context = self._predictor.context if together else None
        if context is None:
            rows = self._batched(waiting, self._complete)
        else:
            placed = in_context(
                self._batched(waiting, self._look), *context, self._predictor.spacing_s
            )
            rows = self._batched(placed, self._complete_in_context)
        if together and self._neutral is not None:
            rows = with_relative(rows, self._neutral)
        yield from rows

    def _batched(self, given: Iterable[T], work: Callable[[list[T]], list[U]]) -> Iterator[U]:
        """Yield what becomes of items, of which the network takes many at a time.

        The faces of the next ones are found meanwhile, see `aacsfnet.faces.film`.
        """
        waiting: list[T] = []
        for each in given:
            waiting.append(each)
            if len(waiting) >= _BATCH:
                yield from work(waiting)
                waiting = []
        yield from work(waiting)

    def _complete(self, waiting: list[_Waiting]) -> list[Row]:
        judged = self._predictor.judge_faces([each.face for each in waiting if each.face])
        return _with_answers([(each.row, each.face is not None) for each in waiting], judged)

    def _look(self, waiting: list[_Waiting]) -> list[Seen[Row]]:
        looks = iter(self._predictor.look([each.face for each in waiting if each.face]))
        return [
            Seen(
                each.row,
                each.row["frame"],
                each.row.get("face", -1),
                next(looks) if each.face else None,
                np.array([each.face.measures[name] for name in MEASURES] if each.face else []),
                each.row["time_s"],
            )
            for each in waiting
        ]

    def _complete_in_context(self, placed: list[tuple[Row, InContext | None]]) -> list[Row]:
        judged = self._predictor.judge_in_context([each for _, each in placed if each])
        return _with_answers([(row, each is not None) for row, each in placed], judged)


def _with_answers(rows: list[tuple[Row, bool]], judged: Judged) -> list[Row]:
    """Return rows, those that have a face with what was judged of it."""
    numbers = (_numbers(each) for each in (judged.prediction, judged.low, judged.high))
    answers = zip(*numbers, judged.why, strict=True)
    for row, has_face in rows:
        if has_face:
            prediction, low, high, why = next(answers)
            row |= {"prediction": prediction, "low": low, "high": high}
            row |= {"abstained": None if why is None else bool(why), "why": why or None}
    return [row for row, _ in rows]


@contextmanager
def _one_core_each() -> Iterator[None]:
    """Let OpenCV use one thread a call: what it resamples is small, and the cores are taken."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@contextmanager
def _few_threads(predictor: Predictor) -> Iterator[None]:
    """Let a small network compute by one thread: more would take the core that finds faces."""
    before = torch.get_num_threads()
    if sum(p.numel() for model in predictor.models for p in model.parameters()) < _SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _rows_of(recording: Recording, extractor: FilmExtractor, told: Progress) -> Iterator[_Waiting]:
    """Yield the rows of one recording."""
    told.begin(recording.name, recording.expected)
    read: deque[Row] = deque()  # what is known of the frames that wait, in order

    def pictures() -> Iterator[np.ndarray | Fault]:
        for frame in recording.frames:
            read.append({"path": frame.path, "frame": frame.number, "time_s": frame.time_s})
            yield frame.picture

    for seen in extractor.frames(pictures(), alone=not recording.together):
        told.advance()
        yield from _rows_of_frame(seen, read.popleft())
    told.end()


def _rows_of_frame(seen: SeenFrame, row: Row) -> Iterator[_Waiting]:
    if seen.fault is not None:
        yield _Waiting(row | {"status": seen.fault.status, "reason": seen.fault.reason}, None)
    for number, face in sorted(seen.faces.items()):
        own = row | {"face": number}
        if isinstance(face, Fault):
            yield _Waiting(own | {"status": face.status, "reason": face.reason}, None)
        else:
            yield _Waiting(own | {"status": "ok"} | _described(face), face)


def _numbers(values: np.ndarray) -> list[float | None]:
    """Return values as a row holds them: None for what is unknown."""
    return [None if np.isnan(value) else float(value) for value in values]


def _without(rows: Iterable[_Waiting], excluded: Excluded) -> Iterator[_Waiting]:
    """Yield rows; those left out have no picture to score, and say so."""
    for each in rows:
        row = each.row
        reason = excluded.reason(row["path"], row["frame"], row["time_s"])
        if reason is None:
            yield each
        else:
            yield _Waiting(row | {"status": "excluded", "reason": reason}, None)


def _described(face: FoundFace) -> Row:
    box, (yaw, pitch, _) = face.box_xyxy.tolist(), face.pose.tolist()
    return {
        "box": dict(zip(("left", "top", "right", "bottom"), box, strict=True)),
        "pose": {"yaw": yaw, "pitch": pitch, "roll": face.frame_roll},
        "measures": {name: None if isnan(it) else it for name, it in face.measures.items()},
    }
