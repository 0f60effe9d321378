"""The landmarks stage: 478 points on each crop, the head's pose and the facial measures."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.config import Config, Landmarks
from aacsfnet.faces.geometry import MEASURES, changes, measure_all
from aacsfnet.faces.mesh import CropLandmarker, Mesh
from aacsfnet.faces.pose import pose_of
from aacsfnet.faces.visibility import covered, hidden_measures, visible_of
from aacsfnet.made import from_tables
from aacsfnet.tables import VISIBLE, Fault


def landmarks(config: Config, crop: Path, output: Path) -> None:
    """Write the landmarks table of one shard.

    Args:
        config: its block landmarks is read.
        crop: the shard's crop table.
        output: the table to write.
    """
    settings = config.landmarks
    rows: list[dict[str, object]] = []
    found: dict[str, dict[int, np.ndarray]] = {}  # by subject the points of each row
    crops = tables.read(crop)
    for at, (source, mesh) in enumerate(_meshes(crops, settings)):
        visible = {name: source[name] for name in VISIBLE}
        rows.append(tables.carry(source, "landmarks") | visible)
        if mesh is None:
            continue
        rows[at]["presence"] = mesh.presence
        if mesh.presence >= settings.min_confidence:
            found.setdefault(source["subject"], {})[at] = mesh.points
        else:
            fault = unsure(mesh, settings.min_confidence)
            rows[at] |= {"status": fault.status, "reason": fault.reason}
    for points in found.values():  # measures change against the person's own
        to_frame = np.array(crops["to_frame"][list(points)].to_list()).reshape(-1, 2, 3)
        hidden = [covered(visible_of(rows[at]), settings.min_visibility) for at in points]
        described = _described(np.array([*points.values()]), to_frame, hidden)
        for at, values in zip(points, described, strict=True):
            rows[at] |= values
    notes = from_tables(config, "landmarks", crop=crop)
    tables.write(output, tables.frame("landmarks", rows), "landmarks", notes)


def _meshes(
    crops: pl.DataFrame, settings: Landmarks
) -> Iterator[tuple[dict[str, Any], Mesh | None]]:
    """Yield each row of a crop table without its mesh, and the mesh on its crop if it has one."""
    meshes = crops["mesh_px"].to_numpy()  # as a column: lists of numbers would take longer
    rows = crops.drop("mesh_px").iter_rows(named=True)
    still = settings.mode == "still"
    with CropLandmarker(settings.min_confidence) if still else nullcontext() as landmarker:
        for row, known in zip(rows, meshes, strict=True):
            mesh = None
            if row["status"] in tables.LOOKED_AT:
                image = partial(tables.decode_png, row["image"])
                mesh = mesh_on(image, known, row["presence"], landmarker)
            yield row, mesh


def mesh_on(
    crop: Callable[[], np.ndarray],
    known: np.ndarray,
    presence: float,
    landmarker: CropLandmarker | None,
) -> Mesh:
    """Return the mesh on a crop: found again there, or the one by which it was cut.

    Args:
        crop: gives the crop `(size, size, 3)` uint8 RGB; asked only where it is looked at.
        known: `(478, 3)` float32, the mesh by which it was cut, in crop pixels.
        presence: that mesh's score.
        landmarker: looks again; None: `known` is taken as it is.
    """
    points = known.astype(np.float64)
    return landmarker.find(crop(), points) if landmarker else Mesh(points, presence)


def unsure(mesh: Mesh, least: float) -> Fault:
    """Return the fault of a mesh that scores below what counts."""
    scores = f"the face mesh scores {mesh.presence:.2f}"
    return Fault("no_landmarks", f"{scores}; landmarks.min_confidence is {least}")


class Described(NamedTuple):
    """What meshes say of their faces.

    Attributes:
        poses: `(n, 3)` yaw, pitch, roll in the crop, degrees.
        frame_rolls: `(n,)` roll in the frame, degrees.
        measures: each facial measure `(n,)` by name, eye distances.
    """

    poses: np.ndarray
    frame_rolls: np.ndarray
    measures: dict[str, np.ndarray]


def describe(points: np.ndarray, to_frame: np.ndarray) -> Described:
    """Return what meshes `(n, 478, 3)` in crop pixels, cut out by `(n, 2, 3)`, say."""
    poses = pose_of(points)
    turns = np.degrees(np.arctan2(to_frame[:, 1, 0], to_frame[:, 0, 0]))
    return Described(poses, (poses[:, 2] + turns + 180) % 360 - 180, measure_all(points))


def _described(
    points: np.ndarray, to_frame: np.ndarray, hidden: Sequence[Iterable[str]]
) -> Iterator[dict[str, object]]:
    """Yield what the table holds of each mesh of one person.

    Args:
        points: `(frames, 478, 3)` in crop pixels.
        to_frame: `(frames, 2, 3)`, crop pixels -> frame pixels.
        hidden: the covered regions of each frame; what rests on them is None.
    """
    poses, rolls, measured = describe(points, to_frame)
    measures = np.column_stack(list(measured.values()))
    for row, regions in zip(measures, hidden, strict=True):
        unseen = hidden_measures(regions)
        row[[name in unseen for name in MEASURES]] = np.nan
    differences = changes(measures)
    for at, mesh in enumerate(points.astype(np.float32)):
        yield {
            "landmarks_px": mesh,
            "pose": poses[at].tolist(),
            "frame_roll": float(rolls[at]),
            "measures": _known(measures[at]),
            "changes": _known(differences[at]),
        }


def _known(values: np.ndarray) -> dict[str, float | None]:
    """Return values `(measures,)` by name, None for NaN."""
    pairs = zip(MEASURES, values.tolist(), strict=True)
    return {name: None if np.isnan(value) else value for name, value in pairs}
