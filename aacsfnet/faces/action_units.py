"""Action units and PSPI estimated from a face's measures.

The estimates serve the words of a prompt, where nobody has coded a frame, and the comparison of a
generated picture with its source, no more: they are coarse, and they compare a face with the same
person's usual one, so they need some frames of the person.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet.facs import pspi

#: Frames of a person from which a usual face can be told.
ENOUGH_FRAMES = 5

#: unit -> measure, and its change (interocular distances) when the unit is at its strongest.
_CHANGES = {
    "au4": ("brow_height", -0.12),
    "au6": ("cheek_raise", 0.10),
    "au7": ("lower_lid_height", 0.05),
    "au9": ("nose_wrinkle", 0.10),
    "au10": ("upper_lip_raise", 0.12),
    "au12": ("mouth_corner_pull", 0.18),
    "au20": ("mouth_width", 0.20),
}
_NOISE_SHARE = 0.25  # a smaller share of the strongest change is not told from noise

_CLOSED_LIDS = 0.07
_LIDS_RANGE = (0.04, 0.10)  # AU43 counts fully below and not above, in part between
_PARTED_LIPS, _DROPPED_JAW, _WIDE_MOUTH = 0.05, 0.20, 0.45


def usual_face(measures: list[Mapping[str, float | None]]) -> dict[str, float] | None:
    """Return the median of each measure over one person's frames, or None if they are too few.

    Pain and other expressions are rare enough in recordings that the median is near rest.

    Args:
        measures: of each frame by name; None where what it rests on is covered. One that is known
            in too few frames is NaN in what is returned.
    """
    if len(measures) < ENOUGH_FRAMES:
        return None
    return {name: _usual([face[name] for face in measures]) for name in measures[0]}


def usual_faces(faces: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, float] | None]:
    """Return the usual face of each subject, see `usual_face`.

    Args:
        faces: rows of a landmarks table; measures of those that are "ok" count.
    """
    measures: dict[str, list[Mapping[str, float | None]]] = {}
    for face in faces:
        own = measures.setdefault(face["subject"], [])
        if face["status"] == "ok":
            own.append(face["measures"])
    return {subject: usual_face(own) for subject, own in measures.items()}


def _usual(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if len(known) >= ENOUGH_FRAMES else np.nan


def estimated_units(
    measures: Mapping[str, float | None], usual: Mapping[str, float] | None
) -> dict[str, float]:
    """Return intensities 0-5 (au43: 0 or 1) of the action units that the measures show.

    Args:
        measures: of one face, in interocular distances, by name; None where what it rests on is
            covered: of its units nothing is said.
        usual: the person's, from `usual_face`; without it only lids and mouth are judged.
    """
    units = {}
    if (lids := measures["lid_opening"]) is not None:
        units["au43"] = float(lids < _CLOSED_LIDS)
    if (opening := measures["mouth_opening"]) is not None:
        units["au25"] = 5.0 * _share(opening, _PARTED_LIPS, _WIDE_MOUTH)
        units["au26"] = 5.0 * _share(opening, _DROPPED_JAW, _WIDE_MOUTH)
    if usual is not None:
        for unit, (name, strongest) in _CHANGES.items():
            if (value := measures[name]) is None or np.isnan(usual[name]):
                continue
            share = min((value - usual[name]) / strongest, 1.0)
            units[unit] = 5.0 * share if share >= _NOISE_SHARE else 0.0
    return units


def _share(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)


def estimated_pspi(
    measures: Mapping[str, NDArray[np.floating]], usual: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return PSPI, 0 to 16, as the measures show it, without the threshold that words need.

    Args:
        measures: `(n,)` of each measure of pain, interocular distances.
        usual: the person's, from `usual_face`.
    """
    unit = {}
    for name in ("au4", "au6", "au7", "au9", "au10"):
        measure, strongest = _CHANGES[name]
        unit[name] = 5.0 * np.clip((measures[measure] - usual[measure]) / strongest, 0.0, 1.0)
    low, high = _LIDS_RANGE
    closed = np.clip((high - measures["lid_opening"]) / (high - low), 0.0, 1.0)
    return pspi(unit | {"au43": closed})


def known_or_estimated(
    known: Mapping[str, float | None], estimated: Mapping[str, float]
) -> dict[str, float]:
    """Return the coded intensity of each unit where there is one, else the estimated."""
    merged = dict(estimated)
    merged |= {unit: value for unit, value in known.items() if value is not None}
    return {unit: value for unit, value in merged.items() if not np.isnan(value)}
