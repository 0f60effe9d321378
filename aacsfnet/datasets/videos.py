"""Frames of videos by name, and when each is shown.

A frame of a video is named `<file>#<number>`, counted from 0 in the order of decoding. It is found
again by its presentation time, so frames that cannot be decoded do not shift the others.
"""

import math
from collections.abc import Iterator

import numpy as np

from aacsfnet.datasets.files import DataFolder, shorten
from aacsfnet.datasets.streams import Decoded, FrameStream, open_stream
from aacsfnet.datasets.timelines import Timeline, timeline_of
from aacsfnet.tables import Fault

#: Times of one frame differ by less, seconds.
_SAME = 1e-5
#: So many timelines are kept: a table may name the frames of several videos in turn.
_KEPT = 64


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
        self._folder, self._max_megapixels = folder, max_megapixels
        self._timelines: dict[str, Timeline | Fault] = {}
        self._path, self._reached = "", 0
        self._stream: FrameStream | None = None
        self._frames: Iterator[Decoded] = iter(())
        self._frame: Decoded | None = None  # decoded last; None after the end
        self._damaged: list[Decoded] = []  # met so far

    def inspect(self, path: str) -> Timeline | Fault:
        """Return when the frames of a video are shown, or what is wrong with the file."""
        if path not in self._timelines:
            if len(self._timelines) >= _KEPT:
                del self._timelines[next(iter(self._timelines))]
            self._timelines[path] = self._inspected(path)
        return self._timelines[path]

    def _inspected(self, path: str) -> Timeline | Fault:
        stream = open_stream(self._folder, path, self._max_megapixels)
        if isinstance(stream, Fault):
            return stream
        with stream:
            sound = next((frame for frame in stream if frame.damage is None), None)
            stream.video.reopen()
            found = timeline_of(stream.video)
        if isinstance(found, Timeline) and sound is not None:
            return found
        why = found if isinstance(found, str) else "no frame can be decoded"
        return Fault("unreadable", f"{shorten(path)}: {why}")

    def read(self, name: str, time_s: float | None = None) -> np.ndarray | Fault:
        """Return the frame `<file>#<number>` as `(H, W, 3)` uint8 RGB, or what is wrong.

        Args:
            name: of the frame.
            time_s: its presentation time, seconds, as `inspect` tells; None: the number counts.
        """
        path, _, digits = name.rpartition("#")
        number = int(digits)
        if path != self._path or number < self._reached:
            self.close()
            stream = open_stream(self._folder, path, self._max_megapixels)
            if isinstance(stream, Fault):
                return stream
            self._path, self._stream, self._frames = path, stream, iter(stream)
            self._frame = next(self._frames, None)
        self._reached = number
        while (frame := self._frame) is not None:
            ahead: float = frame.number - number
            if time_s is not None and frame.time_s is not None:
                ahead = frame.time_s - time_s
            if abs(ahead) < _SAME:
                return frame.picture
            if frame.damage is not None:  # told as it is met, before sound frames of earlier times
                self._damaged.append(frame)
            elif ahead > 0:
                break
            self._frame = next(self._frames, None)
        return self._lacking(path, number, time_s)

    def _lacking(self, path: str, number: int, time_s: float | None) -> Fault:
        """Return why a frame is not there: its own damage, or where the video ends."""
        moment, why = "", ""
        if time_s is not None:
            moment = f" at {time_s:.3f} s"
            for frame in self._damaged:
                if frame.time_s is not None and abs(frame.time_s - time_s) < _SAME:
                    why = frame.damage.reason if frame.damage else ""
                    return Fault("unreadable", f"{shorten(path)}: {why}")
        if self._frame is None and self._damaged and self._damaged[-1].damage is not None:
            why = f"{self._damaged[-1].damage.reason}; "
        return Fault(
            "unreadable", f"{shorten(path)}: {why}frame {number}{moment} cannot be decoded"
        )

    def close(self) -> None:
        """Close the video that is open, if one is."""
        if self._stream is not None:
            self._stream.close()
        self._path, self._stream, self._frames = "", None, iter(())
        self._frame, self._damaged = None, []
