"""The depth stage: one control picture for every face."""

from pathlib import Path
from typing import Any

from aacsfnet import table
from aacsfnet.augmentation.mesh import mesh_depth
from aacsfnet.config import Config


def depth(config: Config, crop: Path, landmarks: Path, output: Path) -> None:
    """Write the depth maps of one shard.

    Args:
        config: unused keys aside, `depth`.
        crop: table of face crops.
        landmarks: table of their landmarks, one row for each of theirs.
        output: table to write.
    """
    crops = table.read(crop, ["frame_id", "image"])
    images = dict(crops.iter_rows())
    rows = [
        _row(row, images[row["frame_id"]]) for row in table.read(landmarks).iter_rows(named=True)
    ]
    table.write(output, table.frame("depth", rows), "depth")


def _row(row: dict[str, Any], image: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    kept = table.carry(row, "depth")
    if row["status"] != "ok":
        return kept
    height, width = table.decode_png(image).shape[:2]
    picture = mesh_depth(np.asarray(row["landmarks_px"]), height, width)
    name = row["frame_id"].replace("/", "_") + ".png"
    return kept | {"image": table.encode_png(picture, name)}
