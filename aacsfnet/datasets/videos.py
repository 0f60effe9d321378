"""Reading frames of videos, in order and by number, without trusting what a container claims.

A frame of a video is named `<file>#<number>`, counted from 0 in the order of decoding.
"""

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aacsfnet.datasets.files import DataFolder, as_text, shorten
from aacsfnet.datasets.pictures import black_fault, size_fault
from aacsfnet.tables import Fault

if TYPE_CHECKING:
    import cv2

#: Names of files that are taken for videos, in small letters.
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mts", ".wmv", ".flv"}
)

#: A container that claims more frames than this, or than bytes / 16, is counted by decoding: each
#: frame that is only claimed would cost a row in every table.
MOST_CLAIMED_FRAMES = 20_000


@dataclass(frozen=True)
class VideoHeader:
    """What a video is: frames in it, and frames a second."""

    frames: int
    rate: float

    def taken(self, rate: float) -> list[int]:
        """Return the numbers of the frames nearest to `rate` a second; never one twice.

        >>> VideoHeader(frames=10, rate=25.0).taken(5.0)
        [0, 5]
        >>> VideoHeader(frames=3, rate=25.0).taken(100.0)
        [0, 1, 2]
        """
        step = max(1.0, self.rate / rate)
        # Half is rounded up everywhere, so the steps stay even (Python's round() alternates).
        numbers = (math.floor(place * step + 0.5) for place in range(self.frames))
        return [number for number in numbers if number < self.frames]


def is_video(path: str) -> bool:
    """Return whether a file's name is that of a video."""
    return os.path.splitext(path)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122 - not always a path


def name_of(path: str, number: int) -> str:
    """Return the name of a video's frame: `clip.mp4#000012`."""
    return f"{path}#{number:06d}"


def planned_frames(seconds: float, rate: float) -> int:
    """Return how many frames a video of typical length gives; videos have some 30 a second."""
    return max(1, math.ceil(seconds * min(rate, 30.0)))


class VideoReader:
    """Reads frames of videos in one data folder; fast when the frames are asked for in order.

    Frames are reached by decoding from the start, never by seeking: seeking lands on other
    frames with some codecs.
    """

    def __init__(self, folder: DataFolder, max_megapixels: float) -> None:
        self.folder = folder
        self.max_pixels = int(max_megapixels * 1e6)
        self._name = ""
        self._capture: cv2.VideoCapture | None = None
        self._next = 0  # number of the frame that is decoded next

    def inspect(self, path: str) -> VideoHeader | Fault:
        """Return what a video's container says, or what is wrong with the file."""
        capture = self._opened(path)
        if isinstance(capture, Fault):
            return capture
        import cv2

        try:
            rate = capture.get(cv2.CAP_PROP_FPS)
            claimed = capture.get(cv2.CAP_PROP_FRAME_COUNT)
            real = self.folder.locate(path)
            size = 0 if isinstance(real, Fault) else os.stat(real).st_size  # noqa: PTH116
            frames = int(claimed)
            if not 0 < claimed <= min(MOST_CLAIMED_FRAMES, size / 16):
                frames = 0
                while capture.grab():
                    frames += 1
        except (OSError, ValueError, OverflowError) as error:  # a count or rate of NaN or infinity
            return Fault("unreadable", f"{shorten(path)}: {error}")
        finally:
            capture.release()
        if not 0 < rate <= 1000:
            return Fault("unreadable", f"{shorten(path)}: {rate:g} frames a second is no rate")
        if frames == 0:
            return Fault("unreadable", f"{shorten(path)}: no frame can be decoded")
        return VideoHeader(frames, rate)

    def read(self, name: str) -> np.ndarray | Fault:
        """Return the frame `<file>#<number>` as `(H, W, 3)` uint8 RGB, or what is wrong."""
        path, _, digits = name.rpartition("#")
        number = int(digits)
        if path != self._name or self._capture is None or number < self._next:
            self.close()
            opened = self._opened(path)
            if isinstance(opened, Fault):
                return opened
            self._name, self._capture, self._next = path, opened, 0
        import cv2

        while self._next <= number:
            if not self._capture.grab():
                ending = f"ends after {self._next} frames; frame {number} cannot be decoded"
                return Fault("unreadable", f"{shorten(path)} {ending}")
            self._next += 1
        done, pixels = self._capture.retrieve()
        if not done or pixels is None or pixels.dtype != np.uint8 or pixels.ndim != 3:
            return Fault("unreadable", f"{shorten(path)}: frame {number} is damaged")
        return black_fault(pixels) or cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)

    def close(self) -> None:
        """Close the video that is open, if one is."""
        if self._capture is not None:
            self._capture.release()
        self._capture, self._name, self._next = None, "", 0

    def _opened(self, path: str) -> "cv2.VideoCapture | Fault":
        file = self.folder.open(path)
        if isinstance(file, Fault):
            return file
        with file:
            start = file.read(192)
        if not start:
            return Fault("unreadable", f"{shorten(path)} is empty (0 bytes)")
        if not is_container(start):
            return Fault(
                "unreadable", f"{shorten(path)} is no video: it starts with {start[:12]!r}"
            )
        real = self.folder.locate(path)
        if isinstance(real, Fault):
            return real
        if as_text(real) != real:
            return Fault("unreadable", f"{shorten(path)}: a name that is not UTF-8; rename it")
        import cv2

        capture = cv2.VideoCapture(real, cv2.CAP_FFMPEG)
        if not capture.isOpened():
            return Fault("unreadable", f"{shorten(path)}: no video stream that can be decoded")
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if (fault := size_fault(width, height, self.max_pixels)) is not None:
            capture.release()
            return fault
        return capture


def is_container(start: bytes) -> bool:
    """Return whether a file's first 192 bytes are those of a video container.

    The decoder would also take play lists, text that names other files and addresses on a
    network; those never reach it.
    """
    return (
        start[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")  # MP4, MOV
        or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")
        or start[:4] == b"\x1a\x45\xdf\xa3"  # Matroska, WebM
        or start[:4] in (b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")  # MPEG programme, elementary
        or (start[:1] == b"\x47" and start[188:189] == b"\x47")  # MPEG transport
        or start[:4] == b"\x30\x26\xb2\x75"  # ASF, WMV
        or start[:4] == b"FLV\x01"
    )
