"""Scores of a generated picture against what it shall show, and what is wrong with it by them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from aacsfnet.augmentation.gate.likeness import likeness
from aacsfnet.augmentation.gate.resemblance import (
    MESH_ERROR,
    Seen,
    change,
    difference,
    landmark_errors,
    look_of,
    pose_difference,
    seen,
    shift_of,
)
from aacsfnet.augmentation.gate.targets import MOVED_BY, asked_change, expected
from aacsfnet.augmentation.gate.witness import Witness, agreement
from aacsfnet.config import Quality
from aacsfnet.faces.geometry import measure_all
from aacsfnet.faces.mesh import CropLandmarker
from aacsfnet.faces.visibility import hidden_measures, hidden_units
from aacsfnet.tables import PAIN_MEASURES

Scores = dict[str, Any]
#: How much of a change that is asked of a measure its error may grow by: on right pictures errors
#: grow by 0.04 (brows, upper lip) to 0.13 (lower lid) of it.
_GROWS = 0.1


class Judge:
    """Scores pictures of one person, those of a frame one after the other.

    Args:
        landmarker: finds landmarks.
        usual: the person's usual measures, None when they are not known.
        embed: picture to embedding of length 1; None without a model.
        witness: reads units off pixels; None without one.
    """

    def __init__(
        self,
        landmarker: CropLandmarker,
        usual: dict[str, float] | None,
        embed: Callable[[np.ndarray], np.ndarray] | None = None,
        witness: Witness | None = None,
    ) -> None:
        self._landmarker, self._usual, self._embed = landmarker, usual, embed
        self._witness = witness
        self._frame_id = ""

    def turn_to(
        self, frame_id: str, source: np.ndarray, points: np.ndarray, hidden: Sequence[str] = ()
    ) -> None:
        """Take a frame as the source of the pictures that follow.

        Args:
            frame_id: of the frame; where it is the last one, nothing is done.
            source: its crop `(H, W, 3)` uint8 RGB.
            points: its landmarks `(478, 3)`.
            hidden: covered regions of its face, by which no picture is judged.
        """
        if frame_id == self._frame_id:
            return
        self._frame_id, self._source, self._hidden = frame_id, source, hidden
        self._looks = self._landmarker.looks(source, points)
        self._read = self._witness.read(source, points) if self._witness else None
        self._embedding = self._embed(source) if self._embed else None
        self._others: list[np.ndarray] = []  # pictures of this frame already judged

    def scores(self, picture: np.ndarray, row: Mapping[str, Any]) -> Scores:
        """Return every score of a picture made from the frame that was turned to.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
            row: what it shall show: `kind`, `units`, `source_units`.
        """
        scores = look_scores(picture, self._source, self._others)
        self._others.append(picture)
        scores["faces"] = self._landmarker.count(picture)
        if self._embed is not None:
            scores["identity"] = float(self._embed(picture) @ self._embedding)
        mesh = self._landmarker.find(picture)
        if self._landmarker.accepts(mesh):
            looks = self._landmarker.looks(picture, mesh.points)
            found = seen(looks, self._usual)
            source = seen(self._looks, self._usual)
            wanted = expected(self._looks, row, self._usual)
            scores |= face_scores(source, wanted, found, self._hidden)
            if row["kind"] != "level":
                scores |= {"target_error": None, "missed_measure": None}
            scores |= asdict(likeness(self._source, picture, source.points, found.points))
            if self._witness is not None and self._read is not None:
                read = self._witness.read(picture, mesh.points)
                scores["read_change"] = {unit: read[unit] - self._read[unit] for unit in read}
            measured = measure_all(mesh.points)  # by one look, as a frame's are
            unseen = hidden_measures(self._hidden)
            scores["measures"] = {
                name: None if name in unseen else float(value) for name, value in measured.items()
            }
        return scores


def look_scores(picture: np.ndarray, source: np.ndarray, others: list[np.ndarray]) -> Scores:
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


def face_scores(source: Seen, wanted: Seen, found: Seen, hidden: Sequence[str] = ()) -> Scores:
    """Return the scores of a found face.

    Args:
        source: the face that the picture was made from.
        wanted: what is to be seen on the picture; the source where nothing shall change.
        found: the face on the picture.
        hidden: covered regions of the source; what rests on them is None.
    """
    unseen = hidden_measures(hidden)
    judged = [name for name in PAIN_MEASURES if name not in unseen]
    changes = {
        name: change(wanted.measures[name], found.measures[name], MESH_ERROR[name])
        for name in judged
    }
    asked = {
        name: float((wanted.measures[name] - source.measures[name]).mean())
        for name in PAIN_MEASURES
    }
    off = {name: max(0.0, abs(by) - _GROWS * abs(asked[name])) for name, (by, _) in changes.items()}
    missed = {name: off[name] / MESH_ERROR[name] for name in off}
    possible = {name: off[name] + margin for name, (_, margin) in changes.items()}
    scores: Scores = {
        f"{region}_error": error
        for region, error in landmark_errors(wanted.points, found.points, hidden).items()
    }
    scores |= {f"{name}_change": each for name, (each, _) in changes.items()}
    if judged:
        worst = max(possible, key=lambda name: possible[name])
        scores |= {
            "measure_difference": max(off.values()),
            "possible_difference": possible[worst],
            "worst_measure": worst,
            "target_error": max(missed.values()),
            "missed_measure": max(missed, key=lambda name: missed[name]),
        }
    if "mouth" not in hidden:
        moved = abs(change(wanted.corners, found.corners)[0])
        scores["corner_difference"] = max(0.0, moved - _GROWS * abs(asked["upper_lip_raise"]))
    scores |= {
        "shift": float(np.linalg.norm(shift_of(wanted.points, found.points))),
        "pose_difference": pose_difference(source.points, found.points),
    }
    if not hidden and wanted.pspi is not None and found.pspi is not None:
        by, _ = change(wanted.pspi, found.pspi)
        scores |= {"pspi_change": by, "pspi_difference": abs(by)}
    return scores


def faults(
    scores: Scores,
    limits: Quality,
    bound: float,
    read_bounds: Mapping[str, tuple[float, float]] | None = None,
    hidden: Sequence[str] = (),
) -> list[str]:
    """Return everything that is wrong with a picture, in words; empty when it passes.

    Args:
        scores: of `Judge.scores`, with what the picture shall show: `kind`, `units` and
            `source_units`.
        limits: the gate's settings.
        bound: on the change of measures for this person, see `calibration.bound_of`.
        read_bounds: the witness's, see `Witness.bounds`; None without one.
        hidden: covered regions of the source, by which nothing is judged.
    """
    found: list[str] = []

    def above(name: str, limit: float, words: str) -> None:
        if scores.get(name) is not None and scores[name] > limit:
            found.append(f"{words} {scores[name]:.3f} > {limit:g}")

    def below(name: str, limit: float, words: str) -> None:
        if scores.get(name) is not None and scores[name] < limit:
            found.append(f"{words} {scores[name]:.3f} < {limit:g}")

    if scores.get("landmark_error") is None:
        found.append("no face found")
    else:
        above("landmark_error", limits.max_landmark_error, "landmark error")
        for region in ("eyes", "brows", "mouth"):
            above(f"{region}_error", limits.max_region_error, f"{region} error")
        above("shift", limits.max_shift, "face moved by")
        above("measure_difference", bound, "measures differ by")
        if (worst := scores.get("worst_measure")) is not None:
            may = f"{worst} ({MOVED_BY[worst]}) may differ by"
            above("possible_difference", limits.max_possible_difference, may)
        if (missed := scores.get("missed_measure")) is not None:
            asked = f"{missed} ({MOVED_BY[missed]}) misses its target, in errors of the mesh,"
            above("target_error", limits.max_target_error, f"{asked} by")
        above("corner_difference", limits.max_corner_difference, "mouth's corners moved by")
        above("pspi_difference", limits.max_pspi_difference, "estimated PSPI differs by")
        above("pose_difference", limits.max_pose_difference, "head turned by")
    if scores["faces"] > 1:
        found.append(f"{scores['faces']} faces found")
    if scores["kind"] == "person":
        found += _same_person(scores, limits)
    else:
        if limits.min_identity is not None:
            below("identity", limits.min_identity, "identity")
        above("pixel_distance", limits.max_pixel_distance, "face differs in its pixels by")
        above("shape_distance", limits.max_shape_distance, "face differs in its shape by")
    read = scores.get("read_change")
    if read is not None and read_bounds is not None and scores["kind"] in limits.witness_kinds:
        allowed = {
            name: (limits.max_witness_error * low, limits.max_witness_error * high)
            for name, (low, high) in read_bounds.items()
        }
        found += agreement(asked_change(scores), read, allowed, hidden_units(hidden))
    below("sharpness", limits.min_sharpness, "sharpness")
    below("brightness", limits.min_brightness, "brightness")
    above("brightness", limits.max_brightness, "brightness")
    below("contrast", limits.min_contrast, "contrast")
    below("source_difference", limits.min_difference, "differs from its source by")
    below("variant_difference", limits.min_difference, "differs from another variant by")
    return found


def _same_person(scores: Scores, limits: Quality) -> list[str]:
    """Return whether a picture of somebody else shows the source's person, in words.

    A model of identity decides where there is one, otherwise the two plain distances.
    """
    if limits.max_person_identity is not None:
        identity = scores["identity"]
        far = identity <= limits.max_person_identity
        return [] if far else [f"identity {identity:.3f} > {limits.max_person_identity:g}"]
    pixels, shape = scores.get("pixel_distance"), scores.get("shape_distance")
    if pixels is None or shape is None:  # no face was found, which is told already
        return []
    if pixels > limits.min_person_pixels or shape > limits.min_person_shape:
        return []
    return [
        f"the source's own face: differs in its pixels by {pixels:.3f} <= "
        f"{limits.min_person_pixels:g} and in its shape by {shape:.3f} <= "
        f"{limits.min_person_shape:g}"
    ]
