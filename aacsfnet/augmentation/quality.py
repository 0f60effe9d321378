"""The quality stage: the gate that a generated picture passes or not, with every reason.

A picture is of use only if it still shows what its label says. So the landmarks are found again,
on the picture alone, and compared with those of the frame that it was made from.
"""

from pathlib import Path
from typing import Any

import numpy as np

from aacsfnet import table
from aacsfnet.augmentation.resemblance import (
    difference,
    landmark_errors,
    look_of,
    measure_changes,
)
from aacsfnet.config import Config, Quality
from aacsfnet.faces.geometry import measure_all


def quality(config: Config, crop: Path, landmarks: Path, generate: Path, output: Path) -> None:
    """Write scores and verdict for the generated pictures of one shard.

    Args:
        config: `landmarks` and `quality` are used.
        crop: table of the sources' crops.
        landmarks: table of their landmarks.
        generate: table of the generated pictures.
        output: table to write.
    """
    from aacsfnet.faces.mesh import CropLandmarker

    crops = dict(table.read(crop, ["frame_id", "image"]).iter_rows())
    sources = {row["frame_id"]: row for row in table.read(landmarks).iter_rows(named=True)}
    rows = []
    seen: dict[str, list[np.ndarray]] = {}  # pictures already judged, by source
    with CropLandmarker(config.landmarks.min_confidence) as landmarker:
        for row in table.read(generate).iter_rows(named=True):
            kept = table.carry(row, "quality") | {"source_frame_id": row["source_frame_id"]}
            rows.append(kept)
            if row["status"] != "ok":
                continue
            frame_id = row["source_frame_id"]
            picture, source = table.decode_png(row["image"]), table.decode_png(crops[frame_id])
            others = seen.setdefault(frame_id, [])
            kept |= look_scores(picture, source, others)
            mesh = landmarker.find(picture, None)
            if landmarker.accepts(mesh):
                kept |= face_scores(sources[frame_id], mesh.points)
            others.append(picture)
            reasons = faults(kept, config.quality)
            if reasons:
                kept |= {"status": "rejected", "reason": "; ".join(reasons)}
    table.write(output, table.frame("quality", rows), "quality")


def look_scores(
    picture: np.ndarray, source: np.ndarray, others: list[np.ndarray]
) -> dict[str, float | None]:
    """Return the scores that need no face.

    Args:
        picture: `(H, W, 3)` uint8, the generated one.
        source: likewise, what it was made from.
        others: variants of the same source judged before.
    """
    look, original = look_of(picture), look_of(source)
    return {
        "sharpness": look.sharpness / max(original.sharpness, 1e-12),
        "brightness": look.brightness,
        "contrast": look.contrast,
        "source_difference": difference(picture, source),
        "variant_difference": min((difference(picture, other) for other in others), default=None),
    }


def face_scores(source: dict[str, Any], found: np.ndarray) -> dict[str, float | str]:
    """Return the scores of a found face.

    Args:
        source: row of the landmarks table.
        found: `(478, 3)` landmarks on the generated picture.
    """
    errors = landmark_errors(np.asarray(source["landmarks_px"], np.float64), found)
    changes = measure_changes(source["measures"], measure_all(found))
    worst = max(changes, key=lambda name: abs(changes[name]))
    return {
        **{f"{region}_error": error for region, error in errors.items()},
        **{f"{name}_change": change for name, change in changes.items()},
        "measure_difference": abs(changes[worst]),
        "worst_measure": worst,
    }


def faults(scores: dict[str, Any], limits: Quality) -> list[str]:
    """Return everything that is wrong with a picture, in words; empty when it passes.

    Args:
        scores: of `look_scores`, and of `face_scores` when a face was found.
        limits: the gate's settings.
    """
    found: list[str] = []

    def above(name: str, limit: float, words: str) -> None:
        if scores[name] is not None and scores[name] > limit:
            found.append(f"{words} {scores[name]:.3f} > {limit:g}")

    def below(name: str, limit: float, words: str) -> None:
        if scores[name] is not None and scores[name] < limit:
            found.append(f"{words} {scores[name]:.3f} < {limit:g}")

    if scores.get("landmark_error") is None:
        found.append("no face found")
    else:
        above("landmark_error", limits.max_landmark_error, "landmark error")
        for region in ("eyes", "brows", "mouth"):
            above(f"{region}_error", limits.max_region_error, f"{region} error")
        above(
            "measure_difference",
            limits.max_measure_difference,
            f"{scores['worst_measure']} differs by",
        )
    below("sharpness", limits.min_sharpness, "sharpness")
    below("brightness", limits.min_brightness, "brightness")
    above("brightness", limits.max_brightness, "brightness")
    below("contrast", limits.min_contrast, "contrast")
    below("source_difference", limits.min_difference, "differs from its source by")
    below("variant_difference", limits.min_difference, "differs from another variant by")
    return found
