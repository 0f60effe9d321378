"""Which files are videos, by their names and first bytes, and opening them without trust.

What a file is decides here alone, from its first bytes: the film library is told which container
to expect, so play lists, scripts and addresses that name other files never reach it.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from aacsfnet.datasets.files import DataFolder, shorten
from aacsfnet.errors import first_line
from aacsfnet.tables import Fault

if TYPE_CHECKING:
    import av

#: Names of files that are taken for videos, in small letters.
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".f4v", ".avi", ".divx", ".mkv", ".webm"}
    | {".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".vob", ".mod", ".ts", ".m2t", ".mts", ".m2ts"}
    | {".tod", ".wmv", ".asf", ".flv", ".ogv", ".ogm", ".mxf", ".dv", ".rm", ".rmvb", ".y4m"}
    | {".h264", ".264", ".h265", ".265", ".hevc"}
)

#: First bytes, from a place on, and FFmpeg's name of the container that begins so.
_SIGNATURES = (
    *((4, box, "mov") for box in (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")),
    (8, b"AVI ", "avi"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (0, b"\x00\x00\x01\xb3", "mpegvideo"),
    (0, b"\x30\x26\xb2\x75", "asf"),
    (0, b"FLV\x01", "flv"),
    (0, b"OggS", "ogg"),
    (0, b"\x06\x0e\x2b\x34", "mxf"),
    (0, b"\x1f\x07\x00", "dv"),
    (0, b".RMF", "rm"),
    (0, b"YUV4MPEG2 ", "yuv4mpegpipe"),
)
#: Lengths of a transport stream's packets: plain, with a time before (camcorders), with checksums.
_PACKETS = (188, 192, 204)
#: How many bytes tell what a file is: four of the longest packets.
_START = 4 * 204
#: Bytes that are read at a time: fewer mean more calls between the library and Python.
_BUFFER = 2**18
#: Containers whose clock starts anywhere and may start again, where files were joined.
_FREE_CLOCKS = frozenset({"mpegts", "mpeg"})
#: A stream that ends this much earlier than its container claims, share and seconds, is cut short.
_SHORT = (0.02, 0.5)


def is_video(path: str) -> bool:
    """Return whether a file's name is that of a video."""
    # The first look spares most of a million pictures the second.
    return path[path.rfind(".") :].lower() in VIDEO_SUFFIXES and (
        os.path.splitext(path)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122 - not always a path
    )


def container_of(start: bytes) -> str:
    """Return FFmpeg's name of the container that a file's first bytes are of, or "".

    >>> container_of(bytes(4) + b"ftypisom"), container_of(b"#EXTM3U")
    ('mov', '')
    """
    for place, signature, name in _SIGNATURES:
        if start[place : place + len(signature)] == signature:
            return name if name != "avi" or start[:4] == b"RIFF" else ""
    for length in _PACKETS:  # the file may have been cut anywhere
        for first in range(length):
            if start[first::length][:3] == b"\x47\x47\x47":
                return "mpegts"
    return ""


class Encoding(NamedTuple):
    """How a video is written.

    Attributes:
        container: "mov" (MP4 too), "matroska" (WebM too), "avi" and so on.
        codec: FFmpeg's name of the codec, "h264".
        pixels: FFmpeg's name of the pixel format, "yuv420p"; "" where it does not say.
    """

    container: str
    codec: str
    pixels: str


class VideoFile:
    """A video that is open; its packets may be read from the start several times.

    Attributes:
        stream: its video stream.
        period: seconds between frames, where the container tells no other times; else None.

    Raises:
        av.FFmpegError, ValueError: it cannot be read.
        LookupError: it holds no video.
    """

    def __init__(self, file: BinaryIO, kind: str) -> None:
        self._file, self._kind = file, kind
        self._open()

    def _open(self) -> None:
        import av

        self._file.seek(0)
        self._container: Any = av.open(
            self._file,
            format=self._kind,
            metadata_errors="replace",
            buffer_size=_BUFFER,
            io_open=_refuse,
        )
        found: Any = self._container.streams.best("video")
        if found is None or found.disposition & av.stream.Disposition.attached_pic:
            lacking = "no video stream that can be decoded"
            if self._container.streams.audio:
                cover = " and a picture of its cover" if found else " alone"
                lacking = f"sound{cover}, no video stream"
            self._container.close()
            raise LookupError(lacking)
        self.stream: av.VideoStream = found
        # An AVI has no times, only a rate; where frames are reordered, no packet's time is right.
        reordered = self._kind == "avi" and self.stream.codec_context.has_b_frames
        rate = self.stream.average_rate
        self.period = 1 / float(rate) if reordered and rate else None

    @property
    def encoding(self) -> Encoding:
        """How it is written."""
        context = self.stream.codec_context
        return Encoding(self._kind, context.codec.canonical_name, context.pix_fmt or "")

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._file.close()

    def reopen(self) -> None:
        """Begin again: packets are read from the start, by a new decoder."""
        self._container.close()
        self._open()

    @property
    def expected(self) -> int:
        """About how many frames the container claims; 0 where it does not say."""
        seconds = float((self.stream.duration or 0) * (self.stream.time_base or 0))
        seconds = seconds or (self._container.duration or 0) / 1e6
        return self.stream.frames or round(seconds * float(self.stream.average_rate or 0))

    @property
    def claimed_end(self) -> float | None:
        """When the container claims that the video ends, seconds; None where it does not say."""
        stream, container = self.stream, self._container
        if self._kind in _FREE_CLOCKS:  # measured from what is there, so nothing is claimed
            return None
        if stream.duration and stream.time_base:
            return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
        if container.duration and len(container.streams) == 1:  # others may be longer
            return float((container.start_time or 0) + container.duration) / 1e6
        return None

    def packets(self) -> Iterator["av.Packet"]:
        """Yield the packets of the video, at last an empty one that asks for what is left.

        Times are on one clock that starts with the file and goes on where files were joined.
        """
        free = self._kind in _FREE_CLOCKS
        shift, before, step = 0, None, 0
        if free and self._container.start_time and self.stream.time_base:
            shift = -round(self._container.start_time / 1e6 / self.stream.time_base)
        for packet in self._container.demux(self.stream):
            if free and packet.dts is not None:
                now = packet.dts + shift
                if before is not None and now < before:
                    shift += before + step - now
                    now = before + step
                elif before is not None and now > before:
                    step = now - before
                before = now
            if shift:
                packet.pts = None if packet.pts is None else packet.pts + shift
                packet.dts = None if packet.dts is None else packet.dts + shift
            yield packet

    def spans(self) -> Iterator[tuple[float, float]]:
        """Yield when each frame begins and ends as the packets say, seconds, in decoding order.

        What has no time, or is not to be shown, is left out. Read from the start: see `reopen`.
        """
        for packet in self.packets():
            if packet.pts is not None and packet.time_base and not packet.is_discard:
                begin, step = packet.pts * packet.time_base, (packet.duration or 0)
                yield float(begin), float(begin + step * packet.time_base)

    def shortfall(self, end: float, packets: int) -> str:
        """Return what is missing of a video that ended, or "".

        Args:
            end: time of its last frame, seconds.
            packets: how many there were.
        """
        if self._kind == "mov":  # which names every packet; an edit list may leave frames out
            lacking = len(self.stream.index_entries) - packets
            return f"{lacking} more that the file names are missing" if lacking > 0 else ""
        share, seconds = _SHORT
        if self._kind == "avi" and packets < self.stream.frames * (1 - share) - 1:
            return f"the file ends; its header claims {self.stream.frames} frames"
        claimed = self.claimed_end
        if claimed is None or end >= claimed * (1 - share) - seconds:
            return ""
        return f"the stream ends at {end:.2f} s; its container claims {claimed:.2f} s"


def open_video(folder: DataFolder, name: str) -> VideoFile | Fault:
    """Return a video that is open, or what is wrong with the file.

    Nothing but the one file is read, by a handle: no other file and no address that it may name.

    Args:
        folder: that may be read.
        name: of the file, relative to the folder.
    """
    import av

    file = folder.open(name)
    if isinstance(file, Fault):
        return file
    start = file.read(_START)
    if not (kind := container_of(start)):
        file.close()
        return Fault("unreadable", f"{shorten(name)} {_what_else(start)}")
    try:
        return VideoFile(file, kind)
    except LookupError as error:
        reason = str(error)
    except (av.FFmpegError, ValueError) as error:
        reason = f"no video that can be read ({words_of(error)})"
    file.close()
    return Fault("unreadable", f"{shorten(name)}: {reason}")


def words_of(error: Exception) -> str:
    """Return what an error of the film library says."""
    return str(getattr(error, "strerror", None) or first_line(error))[:200]


def _what_else(start: bytes) -> str:
    if not start:
        return "is empty (0 bytes)"
    if start[:4] == b"\0\0\0\1" or start[:3] == b"\0\0\1":
        return (
            "is a bare stream of frames without times; put it into a container: "
            "ffmpeg -i IN -c copy OUT.mp4"
        )
    return f"is no video: it starts with {start[:12]!r}"


def _refuse(url: str, *_: object) -> BinaryIO:
    raise ValueError(f"a video that names another file, {shorten(url)}, is not followed")
