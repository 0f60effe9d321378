"""What a picture of another level is judged against: its frame's looks, given the same units.

The mesh's network shows only a share of what a face does: two thirds of a brow's lowering, hardly
anything of brows drawn together, cheeks or the nose's wings. So what the edit changes is expected
at these shares. What the mesh does not follow is left to the second witness.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet.augmentation.edit.expressions import edited
from aacsfnet.augmentation.gate.resemblance import Seen, seen
from aacsfnet.faces.action_units import estimated_pspi
from aacsfnet.facs import PSPI_UNITS
from aacsfnet.landmark_sets import LEFT_EYE, RIGHT_EYE
from aacsfnet.tables import PAIN_MEASURES

#: Share of an edit's change of each measure that the mesh shows on right pictures, about alike on
#: rendered faces, generated ones and photographs (`python -m benchmarks.editing`).
FOLLOWED = {
    "brow_height": 0.65,
    "brow_distance": 0.05,
    "lid_opening": 0.65,
    "lower_lid_height": 0.55,
    "cheek_raise": 0.1,
    "nose_wrinkle": 0.1,
    "upper_lip_raise": 0.75,
}
#: Likewise of the landmarks' move along the face and across it.
_ALONG, _ACROSS = 0.7, 0.1
#: The units that move each measure, to name what failed.
MOVED_BY = {
    "brow_height": "au4",
    "brow_distance": "au4",
    "lid_opening": "au7 or au43",
    "lower_lid_height": "au6 or au7",
    "cheek_raise": "au6",
    "nose_wrinkle": "au9",
    "upper_lip_raise": "au9 or au10",
}
#: Units of which the mesh alone says next to nothing.
UNSEEN = ("au6", "au9")


def asked_change(row: Mapping[str, Any]) -> dict[str, float]:
    """Return how much more of each unit than its frame a planned picture shall show.

    Args:
        row: with `kind`, `units` and `source_units`; only the kind "level" asks for any.
    """
    if row["kind"] != "level":
        return dict.fromkeys(PSPI_UNITS, 0.0)
    units, now = row["units"], row["source_units"]
    return {unit: float(units[unit] or 0.0) - float(now[unit] or 0.0) for unit in PSPI_UNITS}


def expected(
    looks: NDArray[np.floating], row: Mapping[str, Any], usual: Mapping[str, float] | None
) -> Seen:
    """Return what looks at a right picture say.

    Args:
        looks: `(n, 478, 3)`, meshes found on the frame, pixels.
        row: of the plan: `kind`, `units`, `source_units`.
        usual: the person's usual measures, see `action_units.usual_face`.
    """
    source = seen(looks, usual)
    if row["kind"] != "level":
        return source
    asked = np.stack([edited(look, row["units"], row["source_units"]) for look in looks])
    target = seen(asked, usual)
    measures = {
        name: source.measures[name]
        + FOLLOWED[name] * (target.measures[name] - source.measures[name])
        for name in PAIN_MEASURES
    }
    pspi = None
    if usual is not None and source.pspi is not None:
        pspi = estimated_pspi(measures, usual)
    moved = target.points - source.points
    right, left = (source.points[list(eye)].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
    axis = (left - right) / np.linalg.norm(left - right)
    across = (moved @ axis)[:, None] * axis
    points = source.points + _ALONG * (moved - across) + _ACROSS * across
    return Seen(points, measures, target.corners, pspi)
