"""The frames of files, one after the other: videos, and pictures folder by folder."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aacsfnet.config import Index
from aacsfnet.datasets.containers import is_video
from aacsfnet.datasets.files import DataFolder, as_text
from aacsfnet.datasets.pictures import PictureReader
from aacsfnet.datasets.streams import open_stream
from aacsfnet.tables import Fault


class Frame(NamedTuple):
    """One frame.

    Attributes:
        path: of its file.
        number: counted from 0, in its video or its sequence of pictures; 0 for a picture.
        time_s: presentation time, seconds; None for a picture.
        picture: `(H, W, 3)` uint8 RGB, or what is wrong.
    """

    path: str
    number: int
    time_s: float | None
    picture: np.ndarray | Fault


class Recording(NamedTuple):
    """Frames that are read together: those of a video, or the pictures of a folder.

    Attributes:
        name: the video's or the folder's.
        expected: how many frames there are, about; 0: unknown.
        frames: read as they are asked for.
        together: whether the frames show the same people, one after the other; else each stands
            by itself.
    """

    name: str
    expected: int
    frames: Iterable[Frame]
    together: bool = True


def recordings(files: Iterable[Path], *, sequences: bool) -> Iterator[Recording]:
    """Yield what files hold, in their order; each must be used up before the next.

    Args:
        files: pictures and videos.
        sequences: the pictures of a folder are the frames of one recording, not each by itself.
    """
    for place, members in groupby(files, lambda file: file if is_video(file.name) else file.parent):
        pictures = list(members)
        if pictures[0] != place:
            frames = _pictures(pictures, sequences=sequences)
            yield Recording(as_text(str(place)), len(pictures), frames, sequences)
            continue
        path, (folder, name) = as_text(str(place)), _located(place)
        stream = open_stream(folder, name, Index().max_megapixels)
        if isinstance(stream, Fault):
            yield Recording(path, 0, [Frame(path, 0, None, stream)])
            continue
        with stream:
            frames = (Frame(path, each.number, each.time_s, each.picture) for each in stream)
            yield Recording(path, stream.expected, frames)


def _pictures(files: list[Path], *, sequences: bool) -> Iterator[Frame]:
    for position, file in enumerate(files):
        folder, name = _located(file)
        picture = PictureReader(folder, Index().max_megapixels).read(name)
        number = position if sequences else 0
        yield Frame(as_text(str(file)), number, None, picture)


def _located(file: Path) -> tuple[DataFolder, str]:
    """Return the folder of the file that a path leads to, its links followed, and its name."""
    real = file.resolve()
    return DataFolder(real.parent), real.name
