"""Pictures and videos in, a table of scores out: the command `aacsfnet predict`."""

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain
from math import isnan
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch

from aacsfnet.devices import lease
from aacsfnet.evaluation.neutral import Neutral
from aacsfnet.faces.film import FilmExtractor, SeenFrame
from aacsfnet.faces.find import FoundFace
from aacsfnet.inference.exclude import Excluded, read_stretches
from aacsfnet.inference.paths import files_of
from aacsfnet.inference.predictor import Predictor
from aacsfnet.inference.progress import Progress, Unseen, telling
from aacsfnet.inference.recordings import Recording, recordings
from aacsfnet.inference.relative import with_relative
from aacsfnet.inference.table import Row, TextWriter, writing
from aacsfnet.tables import Fault

Mode = Literal["still", "video"]
People = Literal["all", "largest"]

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
        with extractor, _one_core_each():
            found = ((each.together, self._found(each, extractor, told)) for each in read)
            if self._neutral is None:
                yield from self._scored(chain.from_iterable(rows for _, rows in found))
            else:
                for together, waiting in found:
                    rows = self._scored(waiting)
                    yield from with_relative(rows, self._neutral) if together else rows
        if self._excluded is not None:
            self._excluded.tell_unmet()

    def _found(
        self, recording: Recording, extractor: FilmExtractor, told: Progress
    ) -> Iterator[_Waiting]:
        """Return the rows of one recording, without pictures where they are left out."""
        rows = _rows_of(recording, extractor, told)
        return rows if self._excluded is None else _without(rows, self._excluded)

    def _scored(self, rows: Iterable[_Waiting]) -> Iterator[Row]:
        """Yield rows with their predictions, of which the network makes many at a time.

        One batch is scored while the faces of the next one are found.
        """
        waiting: list[_Waiting] = []
        scoring: Future[list[Row]] | None = None
        with _few_threads(self._predictor), ThreadPoolExecutor(1) as network:
            for row in rows:
                waiting.append(row)
                if len(waiting) >= _BATCH:
                    if scoring is not None:
                        yield from scoring.result()
                    scoring, waiting = network.submit(self._complete, waiting), []
            if scoring is not None:
                yield from scoring.result()
            yield from self._complete(waiting)

    def _complete(self, waiting: list[_Waiting]) -> list[Row]:
        judged = self._predictor.judge_faces([each.face for each in waiting if each.face])
        numbers = (_numbers(each) for each in (judged.prediction, judged.low, judged.high))
        answers = zip(*numbers, judged.why, strict=True)
        for each in waiting:
            if each.face:
                prediction, low, high, why = next(answers)
                each.row |= {"prediction": prediction, "low": low, "high": high}
                each.row |= {"abstained": None if why is None else bool(why), "why": why or None}
        return [each.row for each in waiting]


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
