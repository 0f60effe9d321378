"""What a generation job reads: crops, depth maps and landmarks, decoded shortly before use."""

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
from aacsfnet.augmentation.edit.start import Faces

#: Pictures decoded ahead, and pictures kept: at 512 pixels 100 MB.
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
        plan: rows of the prompts table, in the order in which their pictures are asked for.
        crop: table of face crops.
        landmarks: table of their landmarks.
        depth: table of depth maps.
        drawn: whether drawings of the landmarks are needed.

    Raises:
        WorkError: the tables' pictures differ in size.
    """

    def __init__(
        self,
        plan: list[Row],
        crop: Path,
        landmarks: Path,
        depth: Path,
        drawn: bool = False,
        threads: int = 2,
    ) -> None:
        self.faces = Faces(crop, landmarks)
        self._depths = dict(tables.read(depth, ["image_id", "image"]).iter_rows())
        self._drawn = drawn
        self._plan = plan
        self._places = {row["image_id"]: place for place, row in enumerate(plan)}
        sizes = {self.faces.size(row) for row in plan}
        one_size(sizes | {tables.png_size(self._depths[row["image_id"]]) for row in plan})
        self._threads = ThreadPoolExecutor(threads)
        self._decoded: OrderedDict[str, Future[_Pictures]] = OrderedDict()

    def of(self, image_id: str) -> _Pictures:
        """Return what a picture is made from, and have that of the next ones decoded."""
        place = self._places[image_id]
        for row in self._plan[place : place + _AHEAD]:
            if row["image_id"] not in self._decoded:
                self._decoded[row["image_id"]] = self._threads.submit(self._read, row)
        self._decoded.move_to_end(image_id)
        pictures = self._decoded[image_id].result()
        while len(self._decoded) > _KEPT:
            self._decoded.popitem(last=False)
        return pictures

    def _read(self, row: Row) -> _Pictures:
        start = self.faces.start(row)
        drawing = draw_face(start.points, *start.image.shape[:2]) if self._drawn else None
        depth = tables.decode_png(self._depths[row["image_id"]])
        return _Pictures(start.image, content_key(start.image), depth, drawing)


class StoredTask:
    """A `Task` whose pictures are read when they are asked for."""

    def __init__(self, row: Row, sources: Sources) -> None:
        self.prompt: str = row["prompt"]
        self.negative_prompt: str = row["negative_prompt"]
        self.seed: int = row["seed"]
        self.strength: float = row["strength"]
        self.restored: bool = row["kind"] == "level"
        self._row = row
        self._image_id: str = row["image_id"]
        self._sources = sources

    def finished(self, drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what becomes of the picture `(H, W, 3)` that was drawn."""
        return self._sources.faces.finished(self._row, drawn)

    @property
    def image(self) -> NDArray[np.uint8]:
        """What is started from, `(H, W, 3)`."""
        return self._sources.of(self._image_id).image

    @property
    def source_key(self) -> str:
        """Stands for that picture's content."""
        return self._sources.of(self._image_id).key

    @property
    def depth(self) -> NDArray[np.uint16]:
        """Its depth map `(H, W)`."""
        return self._sources.of(self._image_id).depth

    @property
    def drawing(self) -> NDArray[np.uint8] | None:
        """Its landmarks, drawn `(H, W, 3)`; None where none are needed."""
        return self._sources.of(self._image_id).drawing
