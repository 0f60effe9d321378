"""The depth stage: one control picture for every face."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet import tables
from aacsfnet.augmentation.depth.mesh import mesh_depth, mesh_triangles, rasterise
from aacsfnet.config import Config, Depth

#: Crop `(H, W, 3)` and landmarks `(478, 3)` in its pixels to a control picture `(H, W)`, 16 bit.
Method = Callable[[NDArray[np.uint8], NDArray[np.float64]], NDArray[np.uint16]]


def depth(config: Config, crop: Path, landmarks: Path, output: Path) -> None:
    """Write the depth maps of one shard.

    Args:
        config: `depth` is used.
        crop: table of face crops.
        landmarks: table of their landmarks, one row for each of theirs.
        output: table to write.

    Raises:
        ModelFileError: `depth.model` is missing or no depth model.
    """
    images = dict(tables.read(crop, ["frame_id", "image"]).iter_rows())
    faces = list(tables.read(landmarks).iter_rows(named=True))
    if config.depth.method == "mesh":
        rows = [_row(face, images, _of_mesh) for face in faces]
    else:
        rows = _with_model(config.depth, faces, images)
    tables.write(output, tables.frame("depth", rows), "depth")


def _of_mesh(image: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.uint16]:
    return mesh_depth(points, *image.shape[:2])


def _with_model(
    settings: Depth, faces: list[dict[str, Any]], images: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the rows by a depth model, which is loaded once."""
    from aacsfnet import devices
    from aacsfnet.augmentation.depth.annotators import FILES, Annotator
    from aacsfnet.augmentation.depth.scene_depth import SceneDepth, composite, nearness_picture

    folder = Path(settings.model).expanduser()
    with devices.lease() as device:
        scene = (
            Annotator(settings.method, folder, device)
            if settings.method in FILES
            else SceneDepth(folder, device)
        )

        def draw(image: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.uint16]:
            nearness = scene.nearness(image)
            if settings.method == "composite":
                z = rasterise(points[:468], mesh_triangles(), *image.shape[:2])
                nearness = composite(z, nearness)
            return nearness_picture(nearness)

        return [_row(face, images, draw) for face in faces]


def _row(face: dict[str, Any], images: dict[str, dict[str, Any]], method: Method) -> dict[str, Any]:
    kept = tables.carry(face, "depth")
    if face["status"] != "ok":
        return kept
    points = np.asarray(face["landmarks_px"], np.float64)
    picture = method(tables.decode_png(images[face["frame_id"]]), points)
    name = face["frame_id"].replace("/", "_") + ".png"
    return kept | {"image": tables.encode_png(picture, name)}
