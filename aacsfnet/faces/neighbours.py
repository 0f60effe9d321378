"""What the other frames of a sequence say of a face that was hardly found in one.

In a film's title card, letters turned by 90 degrees look like a face to the detectors, and now and
then a mesh slips onto neck and ear. Such a find stands alone: where frames nearby show a sure face,
it is elsewhere. An unsure face that they agree with stays, and so does one of a sequence without
any sure face, a recording on its side for instance.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from aacsfnet.faces.detection import SURE
from aacsfnet.faces.locate import Located
from aacsfnet.tables import Fault

#: Frames to each side that are asked.
NEAR = 25
#: A sure face has at least this presence of the mesh, and this share of it seen (`Visible.face`).
_SURE_PRESENCE, _SURE_SEEN = 0.9, 0.5
#: Degrees from upright up to which a face counts as sure.
_UPRIGHT = 60.0
#: What a face moves within `NEAR` frames at most: heights, logarithm of the height, degrees.
_MOVES, _GROWS, _TURNS = 1.0, 0.5, 45.0


@dataclass(frozen=True)
class Sighting:
    """A face of a frame.

    Attributes:
        position: of the frame in its sequence.
        placement: `(4,)`, see `aacsfnet.faces.alignment`.
        sure: whether it speaks for itself.
    """

    position: int
    placement: np.ndarray
    sure: bool


def sighting(position: int, located: Located) -> Sighting:
    """Return what a located face says to its neighbours; one that was followed is sure."""
    sure = (
        (located.confidence is None or located.confidence >= SURE)
        and located.mesh.presence >= _SURE_PRESENCE
        and located.visible.face >= _SURE_SEEN
        and abs(np.degrees(located.placement[3])) <= _UPRIGHT
    )
    return Sighting(position, located.placement, bool(sure))


def contradiction(one: Sighting, others: Iterable[Sighting]) -> Fault | None:
    """Return the fault of an unsure face that the sure ones nearby contradict, None where none is.

    Args:
        one: the face.
        others: of other frames of the sequence; those farther than `NEAR` are passed over.
    """
    if one.sure:
        return None
    asked = [it for it in others if it.sure and abs(it.position - one.position) <= NEAR]
    if not asked or any(_agree(one.placement, it.placement) for it in asked):
        return None
    frames = f"the sure faces of {len(asked)} frames within {NEAR} of it lie elsewhere"
    return Fault("doubtful_face", f"an unsure or turned face, and {frames}")


def _agree(one: np.ndarray, other: np.ndarray) -> bool:
    height = min(one[2], other[2])
    turned = np.degrees(abs((one[3] - other[3] + np.pi) % (2 * np.pi) - np.pi))
    return bool(
        np.hypot(*(one - other)[:2]) <= _MOVES * height
        and abs(np.log(one[2] / other[2])) <= _GROWS
        and turned <= _TURNS
    )
