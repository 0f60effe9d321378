"""Which films a browser plays as they are, and writing those that it does."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from aacsfnet.datasets.containers import Encoding
from aacsfnet.errors import SettingsError
from aacsfnet.files import replacing
from aacsfnet.inference.exclude import SAME_TIME

#: The one container (MP4, MOV) that tells how long frames are shown. Of a WebM browsers guess it,
#: and where the rate varies they then show a neighbour of the frame that is sought.
_CONTAINER = "mov"
#: What Chromium, Firefox and Safari decode.
_CODECS = {"h264", "vp9", "av1"}
#: Eight bits, colour at half the resolution: what their decoders take.
_PIXELS = {"yuv420p", "yuvj420p"}
#: Frames from one that is whole to the next: a browser steps back by decoding from there.
_WHOLE_EVERY = 12
#: Times in a written film are multiples of this, seconds.
_TICK = Fraction(1, 90_000)
#: Between frames of a film that does not tell their times, seconds.
PACE = 0.04


def why_not_played(
    suffix: str, encoding: Encoding, spans: Iterable[tuple[float, float]], matrix: Any
) -> str:
    """Return why a browser cannot be trusted to play a film as the table has it; empty if it can.

    Args:
        suffix: of the file's name, ".mp4".
        encoding: of the film.
        spans: from when until when each frame is shown, as the file says, seconds, in any order;
            looked at only where all else is well.
        matrix: the display matrix of its first frame, see `aacsfnet.datasets.display.turn`.
    """
    if encoding.container != _CONTAINER:
        return f"browsers do not play {suffix or 'it'} frame by frame"
    if encoding.codec not in _CODECS or encoding.pixels not in _PIXELS:
        return (
            f"not every browser plays {encoding.codec} with pixels {encoding.pixels or 'unknown'}"
        )
    if matrix is not None and _mirrors(matrix):
        return "it is stored mirrored"
    if not _all_found(spans):
        return "browsers do not find each frame by the durations that the film tells"
    return ""


def _all_found(spans: Iterable[tuple[float, float]]) -> bool:
    """Return whether a seek to the middle of a frame's own time finds it, of each frame.

    A file tells durations in the order of decoding; with B frames and a varying rate they are those
    of other frames. Chromium shows the first frame whose time, by them, is not over yet.
    """
    shown = sorted(spans)
    over = -float("inf")  # when all frames before are over
    for (start, end), (after, _) in pairwise(shown):
        middle = (start + after) / 2
        if not over <= middle < end:
            return False
        over = max(over, end)
    return not shown or over <= shown[-1][0] + SAME_TIME / 2


def _mirrors(matrix: Any) -> bool:
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].astype(float).tolist()
    return bool(a * d - b * c < 0)


class FilmWriter:
    """Takes pictures and their times; made by `film_writer`."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._stream: Any = None
        self._last = -1

    def add(self, picture: np.ndarray, time_s: float) -> None:
        """Take the next picture.

        Args:
            picture: `(H, W, 3)` uint8 RGB, of the first one's size or scaled to it; a column or
                row is added where a side is odd, which the codec does not take.
            time_s: when it is shown, counted from the film's first picture.
        """
        import av

        if self._stream is None:
            self._begin(*picture.shape[:2])
        height, width = self._stream.height, self._stream.width
        own_height, own_width = self._size
        if picture.shape[:2] != self._size:
            picture = cv2.resize(picture, (own_width, own_height), interpolation=cv2.INTER_AREA)
        added = ((0, height - own_height), (0, width - own_width), (0, 0))
        frame = av.VideoFrame.from_ndarray(np.pad(picture, added, "edge"), format="rgb24")
        self._last = max(self._last + 1, round(time_s / _TICK))
        frame.pts, frame.time_base = self._last, _TICK
        self._container.mux(self._stream.encode(frame))

    def _begin(self, height: int, width: int) -> None:
        self._size = height, width
        # Without B frames a picture's place in the file is its place in time.
        options = {"preset": "veryfast", "crf": "20", "bf": "0", "g": str(_WHOLE_EVERY)}
        self._stream = self._container.add_stream("libx264", rate=25, options=options)
        self._stream.height, self._stream.width = height + height % 2, width + width % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _TICK

    def finish(self) -> None:
        """Write what waits."""
        if self._stream is not None:
            self._container.mux(self._stream.encode())


@contextmanager
def film_writer(path: Path) -> Iterator[FilmWriter]:
    """Yield what writes an MP4 with H.264; the file is there when the block ends well.

    Raises:
        SettingsError: the file cannot be written.
    """
    import av

    try:
        with (
            replacing(path) as temporary,
            av.open(str(temporary), "w", format="mp4") as container,
        ):
            writer = FilmWriter(container)
            yield writer
            writer.finish()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written: {error.strerror or error}") from None
