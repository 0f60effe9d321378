"""The landmarks stage: 478 points on each crop, the head's pose and the facial measures."""

from pathlib import Path

import numpy as np

from aacsfnet import table
from aacsfnet.config import Config
from aacsfnet.faces.geometry import MEASURES, changes, measure_all
from aacsfnet.faces.mesh import CropLandmarker, Mesh
from aacsfnet.faces.pose import pose_of


def landmarks(config: Config, crop: Path, output: Path) -> None:
    """Write the landmarks table of one shard.

    Args:
        config: its block landmarks is read.
        crop: the shard's crop table.
        output: the table to write.
    """
    settings = config.landmarks
    rows: list[dict[str, object]] = []
    crops = table.read(crop)
    meshes = crops["mesh_px"].to_numpy()  # as a column: lists of numbers would take longer
    crops = crops.drop("mesh_px")
    with CropLandmarker(settings.min_confidence) as landmarker:
        for source, points in zip(crops.iter_rows(named=True), meshes, strict=True):
            row = table.carry(source, "landmarks")
            rows.append(row)
            if row["status"] != "ok":
                continue
            mesh = Mesh(points.astype(np.float64), source["presence"])
            if settings.mode == "still":
                mesh = landmarker.find(table.decode_png(source["image"]), mesh.points)
            row["presence"] = mesh.presence
            if landmarker.accepts(mesh):
                row |= _described(mesh.points, np.reshape(source["to_frame"], (2, 3)))
            else:
                row["status"] = "no_landmarks"
                row["reason"] = (
                    f"the face mesh scores {mesh.presence:.2f}; landmarks.min_confidence is "
                    f"{settings.min_confidence}"
                )
    _add_changes(rows)
    table.write(output, table.frame("landmarks", rows), "landmarks")


def _add_changes(rows: list[dict[str, object]]) -> None:
    """Add what differs from the person's usual face; a shard holds one person."""
    found = [row for row in rows if row["status"] == "ok"]
    names = list(MEASURES)
    measured = np.array([[row["measures"][name] for name in names] for row in found])  # type: ignore[index]
    for row, change in zip(found, changes(measured.reshape(-1, len(names))), strict=True):
        row["changes"] = dict(zip(names, change.tolist(), strict=True))


def _described(points: np.ndarray, to_frame: np.ndarray) -> dict[str, object]:
    """Return what the table holds of a mesh in crop pixels."""
    pose = pose_of(points)
    turn = np.degrees(np.arctan2(to_frame[1, 0], to_frame[0, 0]))
    return {
        "landmarks_px": points.astype(np.float32),
        "pose": pose.tolist(),
        "frame_roll": float((pose[2] + turn + 180) % 360 - 180),
        "measures": measure_all(points),
    }
