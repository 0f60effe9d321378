"""Which regions of a face are seen, and what may not be told of a face where one is covered.

Behind a hand, sunglasses or a scarf the mesh invents lids and lips. Each region of
`aacsfnet.tables.REGIONS` has a score: the share of it that is seen, 0 to 1; of brows and eyes that
of the worse side, since their measures take both. What rests on a region below
`landmarks.min_visibility` is left out of everything that is made of it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from aacsfnet.faces.alignment import crop_matrix, placement_of
from aacsfnet.faces.sampling import sample
from aacsfnet.landmark_sets import FACE_PARTS
from aacsfnet.tables import REGIONS

#: Weights that the package carries, trained by `tools/visibility`; see README.md there.
WEIGHTS = Path(__file__).with_name("visibility") / "model.onnx"
#: The parts that the network tells, in its order: names of `landmark_sets.FACE_PARTS`.
PARTS = ("right_brow", "left_brow", "right_eye", "left_eye", "nose", "mouth")
#: Where the right side's parts stand in a mirror image.
_MIRRORED = [1, 0, 3, 2, 4, 5]
#: Those of each region.
_OF_REGION = {"brows": (0, 1), "eyes": (2, 3), "nose": (4,), "mouth": (5,)}
#: Where less of a face is seen (`Visible.face`), there is none.
LEAST_SEEN = 0.2
#: Pixels along a side of what the network sees, and the margin of that: share of the face's height.
SIDE, MARGIN = 64, 0.06

#: The regions that each measure of `aacsfnet.tables.MEASURES` is taken on.
RESTS_ON = {
    **dict.fromkeys(("brow_height_right", "brow_height_left", "brow_height"), ("brows", "eyes")),
    "brow_distance": ("brows",),
    **dict.fromkeys(("lid_opening_right", "lid_opening_left", "lid_opening"), ("eyes",)),
    "lower_lid_height": ("eyes",),
    "cheek_raise": ("eyes", "nose"),  # what covers the nose covers the cheeks beside it
    "nose_wrinkle": ("eyes", "nose"),
    "upper_lip_raise": ("nose", "mouth"),
    **dict.fromkeys(("mouth_opening", "mouth_width", "mouth_corner_pull"), ("mouth",)),
    "asymmetry": REGIONS,
}
#: The region on which each action unit is seen.
SEEN_ON = {
    "au4": "brows",
    **dict.fromkeys(("au6", "au7", "au43"), "eyes"),
    "au9": "nose",
    **dict.fromkeys(("au10", "au12", "au20", "au25", "au26"), "mouth"),
}


def view_of(
    picture: NDArray[np.uint8], landmarks_px: NDArray[np.floating], side: int = SIDE
) -> NDArray[np.uint8]:
    """Return the face as the network sees it, levelled and filling a square `(side, side, 3)`.

    Args:
        picture: `(H, W, 3)` uint8 RGB, a frame or a crop.
        landmarks_px: `(478, 3)` in its pixels.
        side: pixels; a larger side shows more round it at the same scale.
    """
    placement = placement_of(np.asarray(landmarks_px, np.float64))
    placement[2] *= side / SIDE
    return sample(picture, crop_matrix(placement, side, MARGIN), side, quick=True)


def both_ways(view: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a view `(H, W, 3)` and its mirror image as the network takes them: `(2, 3, H, W)`.

    Their mean is 0 and their deviation 1, over pixels and colours.
    """
    means, spreads = cv2.meanStdDev(view)
    mean = float(means.mean())
    spread = math.sqrt(max(float((spreads**2 + means**2).mean()) - mean**2, 0.0))
    views = [view, cv2.flip(view, 1)]
    return np.asarray(cv2.dnn.blobFromImages(views, 1 / max(spread, 1.0), mean=(mean,) * 3))


@dataclass(frozen=True)
class Visible:
    """How much of a face is seen.

    Attributes:
        parts: `(6,)`, the share of each of `PARTS` that is seen, 0 to 1.
    """

    parts: NDArray[np.float64]

    @property
    def regions(self) -> dict[str, float]:
        """The score of each of `aacsfnet.tables.REGIONS`, of a pair that of the worse side."""
        return {name: float(self.parts[list(own)].min()) for name, own in _OF_REGION.items()}

    @property
    def face(self) -> float:
        """How much of a face there is at all: the mean over all parts."""
        return float(self.parts.mean())


def look_at(picture: NDArray[np.uint8], points: NDArray[np.floating]) -> Visible:
    """Return how much is seen of a face whose mesh was found on a picture.

    The mean with the mirror image: on bare photographs a third of the false alarms of one look.

    Args:
        picture: `(H, W, 3)` uint8 RGB, a frame or a crop.
        points: `(478, 3)` in its pixels. What lies outside the picture is not seen.
    """
    own, mirrored = _logits(both_ways(view_of(picture, points))).astype(np.float64)
    logits = (own + mirrored[_MIRRORED]) / 2
    shares = 1 / (1 + np.exp(-logits))
    height, width = picture.shape[:2]
    last_xy = np.array([width, height]) - 0.5
    inside = ((points[:, :2] >= -0.5) & (points[:, :2] <= last_xy)).all(axis=1)
    if not inside.all():
        shares *= [inside[list(FACE_PARTS[name])].mean() for name in PARTS]
    return Visible(shares)


def _logits(views: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what the network gives for a face and its mirror image `(2, 3, 64, 64)`: `(2, 6)`."""
    network, lock = _network()
    with lock:
        network.setInput(views)
        return np.asarray(network.forward(), np.float32)


@cache
def _network() -> tuple[Any, Lock]:
    """Return the network, and what whoever asks it must hold: it takes one input at a time."""
    # By OpenCV, so that finding faces needs no learning library.
    return cv2.dnn.readNetFromONNX(str(WEIGHTS)), Lock()


def visible_of(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the score of each region in a row of the landmarks table; None: not judged."""
    return {region: row[f"visible_{region}"] for region in REGIONS}


def covered(visible: Mapping[str, float | None], least: float) -> tuple[str, ...]:
    """Return the regions that are seen less than what counts, in the order of `REGIONS`.

    Args:
        visible: share of each region that is seen; None, or left out, is not judged.
        least: `landmarks.min_visibility`.

    >>> covered({"brows": 0.9, "eyes": 0.2, "nose": None, "mouth": 0.4}, 0.5)
    ('eyes', 'mouth')
    """
    scores = {region: visible.get(region) for region in REGIONS}
    return tuple(name for name, score in scores.items() if score is not None and score < least)


def hidden_measures(regions: Iterable[str]) -> frozenset[str]:
    """Return the measures that rest on one of these regions.

    >>> sorted(hidden_measures(["nose"]))
    ['asymmetry', 'cheek_raise', 'nose_wrinkle', 'upper_lip_raise']
    """
    if not (hidden := set(regions)):
        return frozenset()  # as of most faces
    return frozenset(name for name, needed in RESTS_ON.items() if hidden.intersection(needed))


def hidden_units(regions: Iterable[str]) -> frozenset[str]:
    """Return the action units that are seen on one of these regions.

    >>> sorted(hidden_units(["eyes"]))
    ['au43', 'au6', 'au7']
    """
    hidden = set(regions)
    return frozenset(unit for unit, region in SEEN_ON.items() if region in hidden)
