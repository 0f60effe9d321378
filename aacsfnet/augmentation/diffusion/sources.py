"""What a generation job reads: crops, depth maps and landmarks, decoded shortly before use."""

import struct
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aacsfnet import tables
from aacsfnet.augmentation.diffusion.face_drawing import draw_face
from aacsfnet.augmentation.diffusion.latents import content_key
from aacsfnet.augmentation.diffusion.tasks import one_size

#: Frames decoded ahead, and frames kept: at 512 pixels 100 MB.
_AHEAD, _KEPT = 24, 48

Row = dict[str, Any]


class _Pictures(NamedTuple):
    image: NDArray[np.uint8]
    key: str  # of the image's content; computed here, off the device's critical path
    depth: NDArray[np.uint16]
    drawing: NDArray[np.uint8] | None


class Sources:
    """The pictures behind the rows of a plan.

    Threads decode them ahead of their use, so that neither the device waits for a file nor a whole
    shard of pictures lies in memory.

    Args:
        frames: ids of the frames needed, in the order in which they are asked for.
        crop: table of face crops.
        landmarks: table of their landmarks; None when no drawing of them is needed.
        depth: table of depth maps.

    Raises:
        WorkError: the tables' pictures differ in size.
    """

    def __init__(
        self, frames: list[str], crop: Path, landmarks: Path | None, depth: Path, threads: int = 2
    ) -> None:
        self._crops = dict(tables.read(crop, ["frame_id", "image"]).iter_rows())
        self._depths = dict(tables.read(depth, ["frame_id", "image"]).iter_rows())
        self._points: dict[str, Any] = {}
        if landmarks is not None:
            self._points = dict(tables.read(landmarks, ["frame_id", "landmarks_px"]).iter_rows())
        self._order = list(dict.fromkeys(frames))
        self._places = {frame: place for place, frame in enumerate(self._order)}
        one_size({_size(kind[f]) for kind in (self._crops, self._depths) for f in self._order})
        self._threads = ThreadPoolExecutor(threads)
        self._decoded: OrderedDict[str, Future[_Pictures]] = OrderedDict()

    def of(self, frame: str) -> _Pictures:
        """Return the pictures of a frame, and have those of the next frames decoded."""
        place = self._places[frame]
        for name in self._order[place : place + _AHEAD]:
            if name not in self._decoded:
                self._decoded[name] = self._threads.submit(self._read, name)
        self._decoded.move_to_end(frame)
        pictures = self._decoded[frame].result()
        while len(self._decoded) > _KEPT:
            self._decoded.popitem(last=False)
        return pictures

    def _read(self, frame: str) -> _Pictures:
        image = tables.decode_png(self._crops[frame])
        drawing = None
        if self._points:
            points = np.asarray(self._points[frame], float)
            drawing = draw_face(points, *image.shape[:2])
        return _Pictures(image, content_key(image), tables.decode_png(self._depths[frame]), drawing)


class StoredTask:
    """A `Task` whose pictures are read when they are asked for."""

    def __init__(self, row: Row, sources: Sources) -> None:
        self.prompt: str = row["prompt"]
        self.negative_prompt: str = row["negative_prompt"]
        self.seed: int = row["seed"]
        self._frame: str = row["frame_id"]
        self._sources = sources

    @property
    def image(self) -> NDArray[np.uint8]:
        """The source `(H, W, 3)`."""
        return self._sources.of(self._frame).image

    @property
    def source_key(self) -> str:
        """Stands for the source's content."""
        return self._sources.of(self._frame).key

    @property
    def depth(self) -> NDArray[np.uint16]:
        """Its depth map `(H, W)`."""
        return self._sources.of(self._frame).depth

    @property
    def drawing(self) -> NDArray[np.uint8] | None:
        """Its landmarks, drawn `(H, W, 3)`; None where none are needed."""
        return self._sources.of(self._frame).drawing


def _size(picture: dict[str, Any]) -> tuple[int, int]:
    """Return height and width of a PNG file, from its header."""
    width, height = struct.unpack(">II", picture["bytes"][16:24])
    return height, width
