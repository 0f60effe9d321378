"""What diffusion starts from and how it is finished: a face as it is, or given a plan's units.

A face given another level is warped before diffusion, and its folds are shaded in after it: an
autoencoder loses fine lines, the bundled one half of those beside the eyes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet import tables
from aacsfnet.augmentation.edit.expressions import edited
from aacsfnet.augmentation.edit.folds import folded
from aacsfnet.augmentation.edit.warp import warped
from aacsfnet.faces.geometry import eye_distance


@dataclass(frozen=True)
class Start:
    """A face to start from.

    Attributes:
        image: `(H, W, 3)` uint8 RGB.
        points: `(478, 3)`, its mesh, pixels.
    """

    image: NDArray[np.uint8]
    points: NDArray[np.float64]


def target_of(row: Mapping[str, Any], points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mesh `(478, 3)` that a planned picture shall have.

    Args:
        row: of the plan: `kind`, `units`, `source_units`.
        points: `(478, 3)`, the frame's landmarks, pixels.
    """
    mesh = np.asarray(points, np.float64)
    return edited(mesh, row["units"], row["source_units"]) if row["kind"] == "level" else mesh


def warp_of(row: Mapping[str, Any], points: NDArray[np.floating]) -> float | None:
    """Return the largest move of a landmark by editing, eye distances; None where there is none."""
    if row["kind"] != "level":
        return None
    mesh = np.asarray(points, np.float64)
    moved = np.linalg.norm(target_of(row, mesh) - mesh, axis=1).max()
    return float(moved / eye_distance(mesh))


def start_of(
    row: Mapping[str, Any], image: NDArray[np.uint8], points: NDArray[np.floating]
) -> Start:
    """Return what a planned picture is made from.

    Args:
        row: of the plan, as `target_of` takes it.
        image: the frame's crop, `(H, W, 3)` uint8 RGB.
        points: `(478, 3)`, its landmarks, pixels.
    """
    mesh = np.asarray(points, np.float64)
    if row["kind"] != "level":
        return Start(image, mesh)
    target = target_of(row, mesh)
    return Start(warped(image, mesh, target), target)


def finished_of(
    row: Mapping[str, Any], drawn: NDArray[np.uint8], points: NDArray[np.floating]
) -> NDArray[np.uint8]:
    """Return a picture that diffusion made from `start_of`, with the folds of its units.

    Another face is drawn from little but noise, which leaves none of its frame's folds: where its
    units are known, all of them are shaded in.

    Args:
        row: of the plan, as `target_of` takes it.
        drawn: `(H, W, 3)` uint8 RGB.
        points: `(478, 3)`, the frame's landmarks, pixels.
    """
    units = row["units"]
    if row["kind"] == "keep" or units is None or None in units.values():
        return drawn
    now = row["source_units"] if row["kind"] == "level" else {}
    return folded(drawn, target_of(row, points), units, now)


class Faces:
    """The faces of a shard, and what the pictures planned of them start from.

    Args:
        crop: table of face crops.
        landmarks: table of their landmarks.
    """

    def __init__(self, crop: Path, landmarks: Path) -> None:
        self._images = dict(tables.read(crop, ["frame_id", "image"]).iter_rows())
        self._points = dict(tables.read(landmarks, ["frame_id", "landmarks_px"]).iter_rows())

    def size(self, row: Mapping[str, Any]) -> tuple[int, int]:
        """Return height and width of a planned picture."""
        return tables.png_size(self._images[row["frame_id"]])

    def target(self, row: Mapping[str, Any]) -> NDArray[np.float64]:
        """Return the mesh of a planned picture, see `target_of`."""
        return target_of(row, np.asarray(self._points[row["frame_id"]], np.float64))

    def start(self, row: Mapping[str, Any]) -> Start:
        """Return what a planned picture is made from, see `start_of`."""
        image = tables.decode_png(self._images[row["frame_id"]])
        return start_of(row, image, np.asarray(self._points[row["frame_id"]], np.float64))

    def finished(self, row: Mapping[str, Any], drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what becomes of what diffusion made of a planned picture, see `finished_of`."""
        return finished_of(row, drawn, np.asarray(self._points[row["frame_id"]], np.float64))
