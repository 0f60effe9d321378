"""The depth stage: one control picture for every picture to make, of what it shall show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet import tables
from aacsfnet.augmentation.depth.mesh import mesh_depth, mesh_triangles, rasterise
from aacsfnet.augmentation.edit.start import Faces
from aacsfnet.config import Config, Depth

Row = dict[str, Any]
#: A row of the prompts table and the shard's faces to a control picture `(H, W)`, 16 bit.
Method = Callable[[Row, Faces], NDArray[np.uint16]]


def depth(config: Config, crop: Path, landmarks: Path, prompts: Path, output: Path) -> None:
    """Write the depth maps of one shard, one for each picture to make: of what it shall show.

    Args:
        config: `depth` is used.
        crop: table of face crops.
        landmarks: table of their landmarks.
        prompts: table of the pictures to make.
        output: table to write.

    Raises:
        ModelFileError: `depth.model` is missing or no depth model.
    """
    plan = list(tables.read(prompts).iter_rows(named=True))
    faces = Faces(crop, landmarks)
    if config.depth.method == "mesh":
        rows = _rows(plan, faces, _of_mesh)
    else:
        rows = _with_model(config.depth, plan, faces)
    tables.write(output, tables.frame("depth", rows), "depth")


def _of_mesh(picture: Row, faces: Faces) -> NDArray[np.uint16]:
    return mesh_depth(faces.target(picture), *faces.size(picture))


def _with_model(settings: Depth, plan: list[dict[str, Any]], faces: Faces) -> list[dict[str, Any]]:
    """Return the rows by a depth model, which is loaded once."""
    from aacsfnet import devices
    from aacsfnet.augmentation.depth.annotators import FILES, Annotator
    from aacsfnet.augmentation.depth.scene_depth import SceneDepth, composite, nearness_picture

    folder = Path(settings.model)
    with devices.lease() as device:
        scene = (
            Annotator(settings.method, folder, device)
            if settings.method in FILES
            else SceneDepth(folder, device)
        )

        def draw(picture: Row, faces: Faces) -> NDArray[np.uint16]:
            start = faces.start(picture)
            nearness = scene.nearness(start.image)
            if settings.method == "composite":
                z = rasterise(start.points[:468], mesh_triangles(), *start.image.shape[:2])
                nearness = composite(z, nearness)
            return nearness_picture(nearness)

        return _rows(plan, faces, draw)


def _rows(plan: list[Row], faces: Faces, method: Method) -> list[Row]:
    """Return the table's rows; pictures that start from the frame as it is share one map."""
    rows: list[Row] = []
    drawn: dict[str, dict[str, object]] = {}
    for picture in plan:
        kept = tables.carry(picture, "depth")
        if picture["status"] == "ok":
            key = picture["image_id"] if picture["kind"] == "level" else picture["frame_id"]
            if key not in drawn:
                drawn = {key: tables.encode_png(method(picture, faces), tables.png_name(key))}
            kept["image"] = drawn[key]
        rows.append(kept)
    return rows
