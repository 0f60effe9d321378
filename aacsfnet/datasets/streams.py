"""Decoding a video from its first frame to its last, with presentation times, as it is shown.

Conventions: frames are counted from 0 in the order of decoding; times are the stream's own
presentation times in seconds, whatever the frame rate does. Transport and programme streams, whose
clock starts anywhere, are counted from the start of the file.
"""

import os
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Self

import numpy as np

from aacsfnet.datasets.containers import VideoFile, open_video, words_of
from aacsfnet.datasets.display import Display
from aacsfnet.datasets.files import DataFolder, shorten
from aacsfnet.tables import Fault

#: More threads of one decoder gain little, and each holds a frame.
_MOST_THREADS = 4


class Decoded:
    """One frame.

    Attributes:
        number: counted from 0.
        time_s: its presentation time, seconds; None where the stream has none.
        damage: what is wrong with its data, or None.
    """

    def __init__(
        self,
        number: int,
        time_s: float | None,
        damage: Fault | None,
        show: Callable[[], np.ndarray | Fault] | None = None,
    ) -> None:
        self.number, self.time_s, self.damage, self._show = number, time_s, damage, show

    @cached_property
    def picture(self) -> np.ndarray | Fault:
        """`(H, W, 3)` uint8 RGB, or what is wrong with it; made when it is first asked for."""
        if self._show is None:
            assert self.damage is not None
            return self.damage
        return self._show()


class FrameStream:
    """The frames of one video, in constant memory; use it in `with`, and iterate over it once.

    Where the stream is damaged, a frame tells so by a fault; where it breaks off, the last one
    does.

    Attributes:
        video: the file.
        expected: about how many frames the container claims; 0 where it does not say.
    """

    def __init__(self, video: VideoFile, max_pixels: int) -> None:
        self.video, self._max_pixels = video, max_pixels
        self._threads = min(os.cpu_count() or 1, _MOST_THREADS)
        self._number = 0
        self.expected = video.expected

    @property
    def matrix(self) -> Any:
        """Display matrix of the picture made last, see `aacsfnet.datasets.display`."""
        return self._display.matrix

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.video.close()

    def __iter__(self) -> Iterator[Decoded]:
        for frame in self._decoded():
            # Decoding by several threads loses sound frames beside damaged ones.
            if frame.damage is not None and self._threads > 1:
                break
            yield frame
        else:
            return
        self._threads, done, self._number = 1, frame.number, 0
        self.video.reopen()
        for frame in self._decoded():
            if frame.number >= done:
                yield frame

    def _decoded(self) -> Iterator[Decoded]:
        import av

        stream: Any = self.video.stream
        stream.thread_type = "FRAME" if self._threads > 1 else "SLICE"
        stream.codec_context.thread_count = self._threads
        self._display = Display(stream, self._max_pixels)
        self._corrupt: set[int | None] = set()  # times of packets whose data are not whole
        end, packets, due = 0.0, 0, 0
        try:
            for packet in self.video.packets():
                packets += bool(packet.size)  # the last one only flushes the decoder
                due += bool(packet.size) and not packet.is_discard
                if packet.is_corrupt:
                    self._corrupt.add(packet.pts)
                for frame in self._of_packet(packet):
                    end = max(end, frame.time_s or 0.0)
                    yield frame
        except (av.FFmpegError, ValueError) as error:
            yield self._broken(f"the file breaks off ({words_of(error)})")
            return
        if self._number == 0:
            yield self._broken("no frame can be decoded")
        elif why := self.video.shortfall(end, packets):
            yield self._broken(why)
        elif self._threads > 1 and self._number < due:
            yield self._broken("some are lost")  # by the threads, perhaps: see `__iter__`

    def _of_packet(self, packet: Any) -> Iterator[Decoded]:
        """Yield the frames that a packet completes; a packet that is damaged counts as one."""
        import av

        try:
            frames = self.video.stream.decode(packet)
        except (av.FFmpegError, ValueError) as error:
            time = None if packet.pts is None else float(packet.pts * packet.time_base)
            yield self._next(time, self._fault(f"cannot be decoded ({words_of(error)})"))
            return
        for frame in frames:
            if frame.is_corrupt or frame.pts in self._corrupt:
                yield self._next(frame.time, self._fault("is damaged"))
            else:
                yield self._next(frame.time, None, frame)

    def _next(self, time: float | None, damage: Fault | None, frame: Any = None) -> Decoded:
        number, period, display = self._number, self.video.period, self._display
        self._number += 1
        if period is not None:
            time = number * period
        show = None if frame is None else lambda: display.picture(frame)
        return Decoded(number, time, damage, show)

    def _broken(self, why: str) -> Decoded:
        reason = f"after {self._number} frames {why}"
        return Decoded(self._number, None, Fault("unreadable", reason))

    def _fault(self, why: str) -> Fault:
        return Fault("unreadable", f"frame {self._number} {why}")


def open_stream(folder: DataFolder, name: str, max_megapixels: float) -> FrameStream | Fault:
    """Return the frames of a video, or what is wrong with the file.

    Args:
        folder: that may be read.
        name: of the file, relative to the folder.
        max_megapixels: larger frames are not decoded.
    """
    video = open_video(folder, name)
    if isinstance(video, Fault):
        return video
    max_pixels = int(max_megapixels * 1e6)
    context = video.stream.codec_context
    size = context.width, context.height  # may be known only when the first frame is decoded
    if all(size) and (fault := Display(video.stream, max_pixels).size_fault(*size)) is not None:
        video.close()
        return Fault(fault.status, f"{shorten(name)}: {fault.reason}")
    return FrameStream(video, max_pixels)
