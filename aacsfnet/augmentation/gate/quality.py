"""The quality stage: the gate that a generated picture passes or not, with every reason.

A picture is of use only if it shows what its label says. So the landmarks are found again, on the
picture alone, and compared with those of the frame that it was made from, given the planned units
where it shall have others; a second witness reads the units off its pixels.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from aacsfnet import tables
from aacsfnet.augmentation.gate.calibration import (
    Pairs,
    bound_of,
    by_subject,
    pairs_of,
    with_labels,
)
from aacsfnet.augmentation.gate.judge import Judge, faults
from aacsfnet.augmentation.gate.targets import UNSEEN
from aacsfnet.augmentation.gate.witness import Witness
from aacsfnet.config import Config, Quality
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.shards import noted_rows
from aacsfnet.faces.action_units import usual_faces
from aacsfnet.faces.mesh import CropLandmarker
from aacsfnet.faces.visibility import covered, visible_of
from aacsfnet.made import from_tables


def quality(
    config: Config, index: Path, crop: Path, landmarks: Path, generate: Path, output: Path
) -> None:
    """Write scores and verdict for the generated pictures of one shard.

    Each person's bound on measures and the pairs of real frames behind it are noted in the table's
    metadata.

    Args:
        config: `dataset`, `index`, `landmarks` and `quality` are used.
        index: the index table; of it, the labels of the shard's frames.
        crop: table of the sources' crops.
        landmarks: table of their landmarks.
        generate: table of the generated pictures.
        output: table to write.

    Raises:
        ModelFileError: `quality.identity_model` is missing or no vision model.
    """
    known = ["frame_id", "subject", "status", "landmarks_px", "measures"]
    known += [f"visible_{region}" for region in tables.REGIONS]
    faces = with_labels(tables.read(landmarks, known), index)
    sources = {face["frame_id"]: face for face in faces.iter_rows(named=True)}
    label = open_dataset(config).label
    pairs = {who: pairs_of(own.to_dicts(), label) for (who,), own in by_subject(faces)}
    bounds = {
        who: bound_of(own["measure_difference"], config.quality) for who, own in pairs.items()
    }
    usual_of = usual_faces(sources.values())
    crops = dict(tables.read(crop, ["frame_id", "image"]).iter_rows())
    rows = []
    witness = witness_of(config)
    with (
        CropLandmarker(config.landmarks.min_confidence) as landmarker,
        _embedding(config.quality) as embed,
    ):
        judges = {who: Judge(landmarker, usual, embed, witness) for who, usual in usual_of.items()}
        for row in tables.read(generate).iter_rows(named=True):
            kept = tables.carry(row, "quality") | {"source_frame_id": row["source_frame_id"]}
            rows.append(kept)
            if row["status"] != "ok":
                continue
            frame_id = row["source_frame_id"]
            source = tables.decode_png(crops[frame_id])
            points = np.asarray(sources[frame_id]["landmarks_px"], np.float64)
            hidden = covered(visible_of(sources[frame_id]), config.landmarks.min_visibility)
            who = sources[frame_id]["subject"]
            judge = judges[who]
            judge.turn_to(frame_id, source, points, hidden)
            kept |= judge.scores(tables.decode_png(row["image"]), row)
            read_bounds = witness.bounds if witness else None
            reasons = faults(kept, config.quality, bounds[who], read_bounds, hidden)
            if reasons:
                kept |= {"status": "rejected", "reason": "; ".join(reasons)}
    notes = _notes(config.quality, bounds, pairs, witness) | from_tables(
        config,
        "quality",
        rows=noted_rows(index, "labels", output.stem),
        crop=crop,
        landmarks=landmarks,
        generate=generate,
    )
    tables.write(output, tables.frame("quality", rows), "quality", notes)


def witness_of(config: Config) -> Witness | None:
    """Return the second witness that the settings name, if any.

    Raises:
        ModelFileError: `quality.witness` is missing or no witness.
    """
    name = config.quality.witness
    if name == "auto":  # the bundled one knows rendered faces, which only the demo is known to show
        name = "bundled" if config.dataset == "demo" else ""
    return Witness(name) if name else None


def _notes(
    settings: Quality,
    bounds: Mapping[str, float],
    pairs: Mapping[str, dict[str, Pairs]],
    witness: Witness | None,
) -> dict[str, Any]:
    """Return what the table notes of the whole shard: first, one entry a person."""
    notes: dict[str, Any] = {
        "calibration": [
            {"bound": bounds[who], "pairs": {score: each.noted() for score, each in own.items()}}
            for who, own in pairs.items()
        ]
    }
    notes["witness"] = witness.facts if witness else None
    notes["unchecked_units"] = [] if witness else list(UNSEEN)
    if settings.identity_model:
        from aacsfnet.augmentation.local_models import checksum_of

        folder = Path(settings.identity_model)
        notes["identity_model"] = {"name": folder.name, "sha256": checksum_of(folder)}
    return notes


@contextmanager
def _embedding(settings: Quality) -> Iterator[Callable[[np.ndarray], np.ndarray] | None]:
    """Yield what embeds a picture, on a device that is held meanwhile; None without a model."""
    if not settings.identity_model:
        yield None
        return
    from aacsfnet import devices
    from aacsfnet.augmentation.gate.identity import FaceEmbedder

    with devices.lease() as device:
        yield FaceEmbedder(Path(settings.identity_model), device).embed
