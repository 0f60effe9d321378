"""Small videos made in code by PyAV: any times, turns, pixel shapes and codecs."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

#: Codecs that know a list of even frame rates, and no other times.
EVEN = ("mpeg1video", "mpeg2video", "dvvideo")


def write(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    times_ms: Iterable[int] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    degrees: int | None = None,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    coding: dict[str, str] | None = None,
) -> None:
    """Write pictures `(H, W, 3)` uint8 RGB as a video.

    Args:
        path: of the file; its suffix names the container.
        pictures: of one size.
        times_ms: when each is shown; None: 25 a second (of an AVI and codecs in `EVEN` always).
        codec: FFmpeg's name of the encoder.
        pixels: FFmpeg's name of the pixel format.
        degrees: by which a player shall turn it, counter-clockwise.
        aspect: width of a pixel over its height.
        options: of the container.
        coding: options of the codec.
    """
    stream: Any = None
    times = iter(range(0, 10**9, 40)) if times_ms is None else iter(times_ms)
    with av.open(str(path), "w", options=options or {}) as container:
        for picture in pictures:
            if stream is None:
                own = {"x265-params": "log-level=none"} if codec == "libx265" else {}
                stream = container.add_stream(codec, rate=25, options=own | (coding or {}))
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = pixels
                stream.codec_context.thread_count = 1
                if path.suffix != ".avi" and codec not in EVEN:
                    stream.codec_context.time_base = Fraction(1, 1000)
                if degrees is not None:
                    stream.set_display_rotation(degrees)
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = aspect
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = next(times), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
