"""When the frames of a video are shown, told by its packets alone: nothing is decoded."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aacsfnet.datasets.containers import VideoFile
from aacsfnet.tables import Fault

#: Frames a second beyond which times are no times.
_FASTEST = 1000.0
#: Moments as near as this to the middle between two frames belong to the later one.
_SAME = 1e-6


class Moment(NamedTuple):
    """A frame of a video: its number, when it is shown (seconds), and what is wrong with it."""

    number: int
    time_s: float | None = None
    fault: Fault | None = None


@dataclass(frozen=True)
class Timeline:
    """The times of a video's frames.

    Attributes:
        times: `(N,)` float64, seconds, rising: the presentation time of each frame.
        short: what is missing after the last one, or "".
    """

    times: np.ndarray
    short: str = ""

    def taken(self, rate: float) -> list[int]:
        """Return the numbers of the frames nearest to `rate` moments a second; never one twice.

        The moments begin with the first frame. Of two frames equally near the later is taken.

        >>> Timeline(np.arange(10) / 25).taken(5.0)
        [0, 5]
        >>> Timeline(np.array([0.0, 0.1, 0.15, 0.2, 3.0])).taken(10.0)
        [0, 1, 3, 4]
        """
        since = self.times - self.times[0]
        middles = (since[1:] + since[:-1]) / 2
        last = since[-1] + (since[-1] - since[-2]) / 2 if len(since) > 1 else math.inf
        # A frame has the moments from the middle before it on, to before the one after it.
        bounds = np.concatenate([[0.0], middles, [last]])
        first = np.ceil(bounds * rate - _SAME)
        numbers: list[int] = np.flatnonzero(first[1:] > first[:-1]).tolist()
        return numbers

    def moments(self, numbers: Iterable[int]) -> list[Moment]:
        """Return frames with their times; at last what is missing of a video that breaks off."""
        found = [Moment(number, float(self.times[number])) for number in numbers]
        if self.short:
            fault = Fault("unreadable", f"after {len(self.times)} frames {self.short}")
            found.append(Moment(len(self.times), None, fault))
        return found

    @property
    def end(self) -> float:
        """When the last frame is over, seconds; it lasts as long as the one before it."""
        last = self.times[-1]
        return float(2 * last - self.times[-2] if len(self.times) > 1 else last)

    def nearest(self, start: float, stop: float) -> int | None:
        """Return the frame nearest to the middle of a stretch, seconds, that holds one; or None."""
        first, after = np.searchsorted(self.times, (start, stop))
        if first == after:
            return None
        inside = self.times[first:after]
        return int(first + np.abs(inside - (start + stop) / 2).argmin())


def timeline_of(video: VideoFile) -> Timeline | str:
    """Return the times of a video's frames from its packets, or why it has none."""
    times, packets = [], 0
    for packet in video.packets():
        if not packet.size:
            continue
        packets += 1
        if packet.is_discard or _is_hidden(video, packet):
            continue
        if packet.pts is None:
            return f"packet {packets} of the stream has no time"
        times.append(packet.pts)
    if not times:
        return "no frame can be decoded"
    assert video.stream.time_base
    if video.period is None:
        found = np.sort(np.array(times, np.float64)) * float(video.stream.time_base)
    else:
        found = np.arange(len(times)) * video.period
    span = found[-1] - found[0]
    if len(found) > 2 and len(found) - 1 > 1.05 * _FASTEST * span:
        rate = (len(found) - 1) / span if span else math.inf
        return f"{rate:g} frames a second is no rate"
    return Timeline(found, video.shortfall(float(found[-1]), packets))


def _is_hidden(video: VideoFile, packet: object) -> bool:
    """Return whether a packet is a frame that others refer to and nobody sees: VP8 has such."""
    return video.stream.codec_context.name.endswith("vp8") and not bytes(packet)[0] & 0x10  # type: ignore[call-overload]
