"""Decoded frames as they are shown: RGB, upright, with square pixels, without a comb of fields.

Conventions: the display matrix turns a frame by right angles; the sample aspect ratio stretches it;
transparency lies over neutral grey; colours follow the frame's own matrix and range.
"""

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from aacsfnet.datasets.pictures import black_fault, over_grey, size_fault
from aacsfnet.tables import Fault

if TYPE_CHECKING:
    import av

#: Grey levels by which a row may leave the range of its two neighbours before it counts as a comb.
_COMB = 8
#: Above as many pixels, converting colours by several threads is faster than by one.
_SEVERAL = 600_000


class Display:
    """Makes pictures of the frames of one stream.

    Args:
        stream: of the video.
        max_pixels: larger frames are not converted.

    Attributes:
        matrix: by which the last picture was turned, see `turn`; None: it was not.
    """

    def __init__(self, stream: "av.VideoStream", max_pixels: int) -> None:
        from av.video.reformatter import VideoReformatter

        aspect = stream.sample_aspect_ratio
        self._aspect = float(aspect) if aspect and aspect > 0 else 1.0
        self._max_pixels, self._reformatter = max_pixels, VideoReformatter()
        self._has_alpha: dict[str, bool] = {}  # by pixel format
        self.matrix: Any = None

    def size_fault(self, width: int, height: int) -> Fault | None:
        """Return why frames of a size are not shown, or None."""
        return size_fault(*self._shown_size(width, height), self._max_pixels)

    def picture(self, frame: Any) -> np.ndarray | Fault:
        """Return a frame as it is shown, `(H, W, 3)` uint8 RGB, or what is wrong with it."""
        if (fault := self.size_fault(frame.width, frame.height)) is not None:
            return fault
        size = self._shown_size(frame.width, frame.height)
        plain = frame.width, frame.height  # fields keep their rows until they are woven
        pixels = self._rgb(frame, plain if frame.interlaced_frame else size)
        if frame.interlaced_frame:
            pixels = without_comb(pixels)
            if size != plain:
                pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR)
        self.matrix = frame.side_data.get("DISPLAYMATRIX")
        turned = turn(pixels, self.matrix)
        return black_fault(turned) or np.ascontiguousarray(turned)

    def _rgb(self, frame: Any, size: tuple[int, int]) -> np.ndarray:
        name = frame.format.name
        alpha = self._has_alpha.get(name)
        if alpha is None:
            alpha = any(component.is_alpha for component in frame.format.components)
            self._has_alpha[name] = alpha
        plain = self._reformatter.reformat(
            frame,
            *size,
            format="rgba" if alpha else "rgb24",
            threads=0 if size[0] * size[1] > _SEVERAL else 1,
        )
        pixels: np.ndarray = plain.to_ndarray()
        return over_grey(pixels[..., :3], pixels[..., 3]) if alpha else pixels

    def _shown_size(self, width: int, height: int) -> tuple[int, int]:
        if self._aspect >= 1:
            return round(width * self._aspect), height
        return width, round(height / self._aspect)


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


def without_comb(pixels: np.ndarray) -> np.ndarray:
    """Return two fields of different moments, woven into one picture, as the upper one shows.

    Each row of the lower field is kept within the range of its two neighbours: where nothing
    moves it stays as it is, where something moves it is filled from the upper field.

    Args:
        pixels: `(H, W, 3)` uint8.
    """
    shown = pixels.copy()
    rows = shown[1:-1:2]
    above, below = shown[:-2:2][: len(rows)], shown[2::2]
    low, high = np.minimum(above, below), np.maximum(above, below)
    low -= np.minimum(low, _COMB)
    high += np.minimum(255 - high, _COMB)
    rows[:] = np.minimum(np.maximum(rows, low), high)
    return shown
