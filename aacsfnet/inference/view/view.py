"""A page to look through a film with its scores: the command `aacsfnet view`."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from aacsfnet.config import Index
from aacsfnet.datasets.containers import is_video
from aacsfnet.datasets.files import DataFolder, as_text
from aacsfnet.datasets.streams import Decoded, FrameStream, open_stream
from aacsfnet.errors import DataError, SettingsError
from aacsfnet.files import replacing
from aacsfnet.inference.exclude import SAME_TIME, Excluded, read_stretches
from aacsfnet.inference.progress import telling
from aacsfnet.inference.view.film import PACE, film_writer, why_not_played
from aacsfnet.inference.view.mesh import LineFinder
from aacsfnet.inference.view.overlay import Overlay
from aacsfnet.inference.view.page import page
from aacsfnet.inference.view.scores import read_scores
from aacsfnet.inference.view.shown import Shown, face_of
from aacsfnet.tables import Fault


class Written(NamedTuple):
    """What was written.

    Attributes:
        page: the HTML file.
        film: that it plays: the one given, or a copy.
        why_copied: why it is a copy; empty where it is none.
    """

    page: Path
    film: Path
    why_copied: str


def view(
    table: Path,
    video: Path,
    output: Path | None = None,
    *,
    overlay: Path | None = None,
    exclude: Path | None = None,
    copy: bool = False,
    mesh: bool = True,
) -> Written:
    """Write a page that plays a film beside its scores, and if asked a film with both in it.

    The film is decoded once, from its first frame to its last: each row of the table must be that
    of a frame, at its very time.

    Args:
        table: of `aacsfnet predict`.
        video: the film.
        output: the page; None: beside the film, `film.view.html`. A copy stands beside the page.
        overlay: an MP4 with boxes, meshes, scores and the curve drawn into it.
        exclude: stretches that are already left out.
        copy: the page plays a copy with H.264, also of a film that browsers should play.
        mesh: lines of the face are found and drawn, not the box alone.

    Raises:
        DataError: table, film or stretches cannot be read, or do not belong together.
        SettingsError: a file cannot be written.
    """
    if not (video.is_file() and is_video(video.name)):
        raise DataError(f"{video}: no video; give the film that the table was made from")
    output = output or video.with_name(f"{video.stem}.view.html")
    rows = read_scores(table, video)
    stretches = read_stretches(exclude) if exclude else []
    Excluded(stretches, [video])  # all of them are this film's
    why = "a copy was asked for" if copy else _why_not_played(video)
    film = output.with_suffix(".mp4") if why else video
    _check_names(video, output, film if why else None, overlay)
    with ExitStack() as stack:
        told = stack.enter_context(telling())
        stream = stack.enter_context(_opened(video))
        writers = [stack.enter_context(film_writer(film))] if why else []
        drawn = Overlay(stack.enter_context(film_writer(overlay)), rows) if overlay else None
        finder = stack.enter_context(LineFinder()) if mesh else None
        shown = Shown(copied=bool(why))
        told.begin(as_text(str(video)), stream.expected)
        for frame, time_s, picture, of_frame in _with_rows(stream, rows, table, video, bool(why)):
            told.advance()
            faces = [face_of(row, picture, finder) for row in of_frame]
            if time_s is None:
                continue
            shown.add(frame.number, time_s, faces, None if picture is None else picture.shape)
            if picture is None:
                continue
            for writer in writers:
                writer.add(picture, time_s - shown.times[0])
            if drawn is not None:
                drawn.add(picture, time_s, faces)
        told.end()
        if not shown.times or shown.size is None:
            raise DataError(f"{video}: no frame can be shown; its rows say why")
    text = page(shown, rows["path"][0], film, output, stretches)
    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Written(output, film, why)


def _check_names(video: Path, output: Path, copied: Path | None, overlay: Path | None) -> None:
    """Refuse names by which one file would replace another."""
    if output.suffix.lower() not in (".html", ".htm"):
        raise SettingsError(f"output = {output}: expected a name that ends in .html")
    if overlay is not None and overlay.suffix.lower() != ".mp4":
        raise SettingsError(f"overlay = {overlay}: expected a name that ends in .mp4")
    taken = {video.resolve(): "the film itself"}
    for path, what in ((copied, "the page's copy of the film"), (overlay, "the overlay")):
        if path is None:
            continue
        if path.resolve() in taken:
            raise SettingsError(f"{path}: {what} would replace {taken[path.resolve()]}; rename it")
        taken[path.resolve()] = what


def _opened(video: Path) -> FrameStream:
    real = video.resolve()
    stream = open_stream(DataFolder(real.parent), real.name, Index().max_megapixels)
    if isinstance(stream, Fault):
        raise DataError(f"{video}: {stream.reason}")
    return stream


def _why_not_played(video: Path) -> str:
    import av

    with _opened(video) as stream:
        for frame in stream:
            if not isinstance(frame.picture, Fault):
                break
        encoding, matrix = stream.video.encoding, stream.matrix
        try:
            stream.video.reopen()
            return why_not_played(video.suffix, encoding, stream.video.spans(), matrix)
        except (av.FFmpegError, ValueError):
            return "it breaks off"


def _with_rows(
    stream: FrameStream, rows: pl.DataFrame, table: Path, video: Path, copied: bool
) -> Iterator[tuple[Decoded, float | None, np.ndarray | None, list[dict[str, Any]]]]:
    """Yield each frame, when it is shown, its picture and its rows.

    A frame that cannot be decoded shows the last picture again, as players do. In a copy each frame
    has a picture, and one without a time follows the last at a pace; in the film itself neither can
    be helped, and what has no time is not shown.

    Raises:
        DataError: a row is at another time than its frame, or of none.
    """
    waiting = rows.iter_rows(named=True)
    row = next(waiting, None)
    last: np.ndarray | None = None
    last_s = -PACE
    for frame in stream:
        of_frame = []
        while row is not None and row["frame"] == frame.number:
            _check_time(row["time_s"], frame, table, video)
            of_frame.append(row)
            row = next(waiting, None)
        if not isinstance(frame.picture, Fault):
            last = frame.picture
        elif frame.picture.status == "black" and last is not None:
            last = np.zeros_like(last)
        time_s = frame.time_s
        if copied:
            broken = isinstance(frame.picture, Fault) and time_s is None
            paced = last_s + PACE if time_s is None else time_s
            time_s = None if last is None or broken else paced
        last_s = last_s if time_s is None else time_s
        yield frame, time_s, last, of_frame
    if row is not None:
        raise DataError(
            f"{table}: has a frame {row['frame']}, which {video} has not; the table was made from "
            "another film"
        )


def _check_time(told: float | None, frame: Decoded, table: Path, video: Path) -> None:
    both = (told, frame.time_s)
    if told is None and frame.time_s is None:
        return
    if None in both or abs(told - frame.time_s) > SAME_TIME:  # type: ignore[operator]
        there, here = ("no time" if each is None else f"{each:.3f} s" for each in both)
        raise DataError(
            f"{table}: frame {frame.number} has {there} there and {here} in {video}; the table was "
            "made from another film"
        )
