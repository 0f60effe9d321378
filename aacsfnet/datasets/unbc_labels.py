"""The text files of the UNBC-McMaster archive: PSPI, FACS, AAM landmarks and sequence labels."""

import math

import numpy as np

from aacsfnet.datasets.numerals import plain_number
from aacsfnet.facs import ACTION_UNITS

#: Points of the archive's active appearance model.
AAM_POINTS = 66


def parse_scalar(data: bytes) -> tuple[float | None, str]:
    r"""Return a file's one number, or None, and what is wrong with it, or "".

    >>> parse_scalar(b"   3.0000000e+00\n")
    (3.0, '')
    >>> parse_scalar(b"")
    (None, 'is empty')
    """
    words = _text(data).split()
    if not words:
        return None, "is empty"
    value = plain_number(words[0]) if len(words) == 1 else None
    if value is None or math.isnan(value):
        return None, f"holds {' '.join(words)[:40]!r}, expected one number"
    return value, ""


def parse_facs(data: bytes) -> tuple[dict[str, float], list[str]]:
    r"""Return the action units of a frame by name, and notes; those not listed are 0.

    Rows are "AU intensity x x". AU43 (eyes closed) has no intensity: listed means 1. A unit
    whose intensity cannot be read is left out: unknown, not 0.

    >>> units, notes = parse_facs(b"4 2 0 0\n43\n")
    >>> units["au4"], units["au43"], units["au6"], notes
    (2.0, 1.0, 0.0, ['au43_without_intensity'])
    """
    units = dict.fromkeys(ACTION_UNITS, 0.0)
    unknown: set[str] = set()
    notes: dict[str, None] = {}
    lines = [line.split() for line in _text(data).splitlines() if line.strip()]
    if not lines:
        notes["facs_empty"] = None
    for words in lines:
        number = plain_number(words[0])
        intensity = plain_number(words[1]) if len(words) > 1 else None
        if number is None or not number.is_integer():
            notes["bad_facs"] = None
            unknown |= set(ACTION_UNITS)
            continue
        unit = f"au{int(number)}"
        if unit not in units:
            notes["other_action_unit"] = None
        elif unit == "au43":
            if intensity is None or not intensity > 0:
                notes["au43_without_intensity"] = None
            units[unit] = 1.0
        elif intensity is None or not 0 <= intensity <= 5:
            notes["bad_facs"] = None
            unknown.add(unit)
        else:
            units[unit] = max(units[unit], intensity)
    return {unit: value for unit, value in units.items() if unit not in unknown}, list(notes)


def parse_aam(data: bytes) -> np.ndarray | None:
    """Return the landmarks of a frame, `(66, 2)` x and y in frame pixels; None: damaged."""
    try:
        values = np.array(_text(data).split(), dtype=np.float64)
    except ValueError:
        return None
    if values.size != 2 * AAM_POINTS or not np.isfinite(values).all():
        return None
    return values.reshape(AAM_POINTS, 2)


def _text(data: bytes) -> str:
    return data.decode("utf-8-sig", errors="replace")
