"""Decoding a video from its first frame to its last, with presentation times, as it is shown.

Conventions: frames are counted from 0 in the order of decoding; times are the stream's own
presentation times in seconds, whatever the frame rate does; pictures are upright and their pixels
square, as the display matrix and the sample aspect ratio say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import cv2
import numpy as np

from aacsfnet.datasets.files import DataFolder, shorten
from aacsfnet.datasets.pictures import black_fault, size_fault
from aacsfnet.datasets.videos import is_container
from aacsfnet.errors import first_line
from aacsfnet.tables import Fault

if TYPE_CHECKING:
    import av

#: A stream that ends this much earlier than its container claims, share and seconds, is cut short.
_SHORT = (0.02, 0.5)


@dataclass(frozen=True)
class Decoded:
    """One frame.

    Attributes:
        number: counted from 0.
        time_s: its presentation time, seconds; None where the stream has none.
        picture: `(H, W, 3)` uint8 RGB, or what is wrong with it.
    """

    number: int
    time_s: float | None
    picture: np.ndarray | Fault


@dataclass(frozen=True)
class Encoding:
    """How a film is written.

    Attributes:
        container: FFmpeg's names of the container, "mov,mp4,m4a,3gp,3g2,mj2".
        codec: FFmpeg's name of the codec, "h264".
        pixels: FFmpeg's name of the pixel format, "yuv420p"; "" where it does not say.
    """

    container: str
    codec: str
    pixels: str


class FrameStream:
    """The frames of one video, in constant memory; use it in `with`, and iterate over it once.

    Where the stream is damaged, a frame tells so by a fault; where it breaks off, the last one
    does. Nothing but the one file is read: no other file and no address that it may name.

    Attributes:
        expected: how many frames the container claims; 0 where it does not say.
        encoding: how the film is written.
        matrix: display matrix of the frame decoded last, see `turn`; None: it is shown as it is.
    """

    def __init__(self, file: BinaryIO, container: Any, max_pixels: int) -> None:
        from av.video.reformatter import VideoReformatter

        self._file, self._container, self._max_pixels = file, container, max_pixels
        self._stream: av.VideoStream = container.streams.best("video")
        aspect = self._stream.sample_aspect_ratio
        self._aspect = float(aspect) if aspect and aspect > 0 else 1.0
        self._reformatter = VideoReformatter()
        self.matrix: Any = None
        self.encoding = Encoding(
            container.format.name,
            self._stream.codec_context.codec.canonical_name,
            self._stream.codec_context.pix_fmt or "",
        )
        self._number = 0
        end = _claimed_end(self._stream, container)
        self.expected = self._stream.frames or round(
            (end or 0.0) * float(self._stream.average_rate or 0)
        )
        self._claimed_end = end
        # An MP4 indexes every packet, and its edit list may leave frames out at both ends.
        indexed = "mp4" in container.format.name
        self._claimed_packets = len(self._stream.index_entries) if indexed else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()
        self._file.close()

    def __iter__(self) -> Iterator[Decoded]:
        import av

        end, packets = 0.0, 0
        try:
            for packet in self._container.demux(self._stream):
                packets += bool(packet.size)  # the last one only flushes the decoder
                for frame in self._decoded(packet):
                    end = max(end, frame.time_s or 0.0)
                    yield frame
        except (av.FFmpegError, ValueError) as error:
            yield self._broken(f"the file breaks off ({_words(error)})")
            return
        if self._number == 0:
            yield self._broken("no frame can be decoded")
        elif why := self._shortfall(end, packets):
            yield self._broken(why)

    def _shortfall(self, end: float, packets: int) -> str | None:
        """Return what is missing of a stream that ended, or None."""
        if self._claimed_packets is not None:
            lacking = self._claimed_packets - packets
            return f"{lacking} more that the file names are missing" if lacking > 0 else None
        share, seconds = _SHORT
        if self._claimed_end is None or end >= self._claimed_end * (1 - share) - seconds:
            return None
        return f"the stream ends at {end:.2f} s; its container claims {self._claimed_end:.2f} s"

    def _decoded(self, packet: Any) -> Iterator[Decoded]:
        """Yield the frames that a packet completes; a packet that is damaged counts as one."""
        import av

        try:
            frames = self._stream.decode(packet)
        except (av.FFmpegError, ValueError) as error:
            time = None if packet.pts is None else float(packet.pts * packet.time_base)
            yield self._next(time, self._fault(f"cannot be decoded ({_words(error)})"))
            return
        for frame in frames:
            damaged = frame.is_corrupt or packet.is_corrupt
            picture = self._fault("is damaged") if damaged else self._picture(frame)
            yield self._next(frame.time, picture)

    def _next(self, time: float | None, picture: np.ndarray | Fault) -> Decoded:
        self._number += 1
        return Decoded(self._number - 1, time, picture)

    def _broken(self, why: str) -> Decoded:
        reason = f"after {self._number} frames {why}"
        return Decoded(self._number, None, Fault("unreadable", reason))

    def _fault(self, why: str) -> Fault:
        return Fault("unreadable", f"frame {self._number} {why}")

    def _picture(self, frame: Any) -> np.ndarray | Fault:
        """Return a frame as it is shown, `(H, W, 3)` uint8 RGB, or what is wrong with it."""
        width, height = frame.width, frame.height
        if self._aspect >= 1:
            width = round(width * self._aspect)
        else:
            height = round(height / self._aspect)
        if (fault := size_fault(width, height, self._max_pixels)) is not None:
            return fault
        # The colours' matrix and range are the frame's own. Several threads take longer for one.
        plain = self._reformatter.reformat(frame, format="rgb24", threads=1)
        pixels: np.ndarray = plain.to_ndarray()
        if (height, width) != pixels.shape[:2]:
            pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        self.matrix = frame.side_data.get("DISPLAYMATRIX")
        turned = turn(pixels, self.matrix)
        return black_fault(turned) or np.ascontiguousarray(turned)


def open_stream(folder: DataFolder, name: str, max_megapixels: float) -> FrameStream | Fault:
    """Return the frames of a video, or what is wrong with the file.

    Args:
        folder: that may be read.
        name: of the file, relative to the folder.
        max_megapixels: larger frames are not converted.
    """
    import av

    file = folder.open(name)
    if isinstance(file, Fault):
        return file
    start = file.read(192)
    if not is_container(start):
        file.close()
        what = f"is no video: it starts with {start[:12]!r}" if start else "is empty (0 bytes)"
        return Fault("unreadable", f"{shorten(name)} {what}")
    file.seek(0)
    try:
        container = av.open(file, metadata_errors="replace", io_open=_refuse)
    except (av.FFmpegError, ValueError) as error:
        file.close()
        return Fault("unreadable", f"{shorten(name)}: no video that can be read ({_words(error)})")
    if container.streams.best("video") is None:
        container.close()
        file.close()
        return Fault("unreadable", f"{shorten(name)}: no video stream that can be decoded")
    return FrameStream(file, container, int(max_megapixels * 1e6))


def turn(pixels: np.ndarray, matrix: Any) -> np.ndarray:
    """Return a picture turned and flipped by right angles as a display matrix says.

    Args:
        pixels: `(H, W, 3)`.
        matrix: nine int32 as FFmpeg keeps them, or None: x' = a x + c y, y' = b x + d y, for the
            first two of each of its first two rows (a, b) and (c, d).
    """
    if matrix is None:
        return pixels
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        across, down = a, d
    else:
        pixels, across, down = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def _claimed_end(stream: "av.VideoStream", container: Any) -> float | None:
    """Return when a container claims that its video ends, seconds; None where it does not say."""
    if stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    if container.duration and len(container.streams) == 1:  # others may be longer
        return float((container.start_time or 0) + container.duration) / 1e6
    return None


def _refuse(url: str, *_: object) -> BinaryIO:
    raise ValueError(f"a video that names another file, {shorten(url)}, is not followed")


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or first_line(error))[:200]
