"""How far a generated face is from its source: geometry, and the picture as such."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from aacsfnet import landmark_sets as sets
from aacsfnet.faces.action_units import estimated_pspi
from aacsfnet.faces.geometry import eye_distance, level, measure_all
from aacsfnet.faces.pose import pose_of
from aacsfnet.landmark_sets import REGION_POINTS
from aacsfnet.tables import PAIN_MEASURES

#: 95 % quantiles of Student's t with eight degrees of freedom, for nine looks (`faces.mesh.LOOKS`),
#: and of the normal distribution.
_STUDENT, _NORMAL = 1.860, 1.645
#: What is left of the mesh's error when looks are averaged: deviation of small changes from the
#: true ones between two rendered faces of one person and pose, interocular distances. Measured by
#: `python -m benchmarks.generation faces`; the upper lip's 0.018 is rounded up, since the mesh errs
#: more there on generated pictures.
MESH_ERROR = {
    "brow_height": 0.009,
    "brow_distance": 0.022,
    "lid_opening": 0.011,
    "lower_lid_height": 0.005,
    "cheek_raise": 0.013,
    "nose_wrinkle": 0.011,
    "upper_lip_raise": 0.020,
}
#: A change of measures below this is not told from the mesh's error.
SMALLEST_CHANGE = round(_NORMAL * max(MESH_ERROR.values()), 3)
#: Landmarks of each region whose error is given apart; the iris is left out of the whole, since
#: closed lids hide it.
REGIONS: dict[str, tuple[int, ...]] = {
    "landmark": tuple(range(468)),
    "eyes": (*sets.RIGHT_EYE, *sets.LEFT_EYE, *chain(*sets.RIGHT_LIDS, *sets.LEFT_LIDS)),
    "brows": (
        *(*sets.RIGHT_BROW_BOTTOM[1:], *sets.RIGHT_BROW_TOP[1:]),
        *(*sets.LEFT_BROW_BOTTOM[1:], *sets.LEFT_BROW_TOP[1:]),
    ),
    "mouth": sets.LIPS,
}


def shift_of(source: NDArray[np.floating], found: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how far a mesh `(478, 3)` lies right of and below another, `(2,)` eye distances."""
    moved = np.median(found[:468, :2] - source[:468, :2], axis=0)
    return np.asarray(moved / float(eye_distance(source)))


def landmark_errors(
    source: NDArray[np.floating], found: NDArray[np.floating], covered: Iterable[str] = ()
) -> dict[str, float | None]:
    """Return the mean distance of two meshes by region, in the source's interocular distances.

    Distances are taken in the picture's plane: depth found on a picture is a guess. What the whole
    face moved is taken off, since a face a little aside shows what it showed; see `shift_of`.

    Args:
        source: `(478, 3)` in pixels.
        found: `(478, 3)` in pixels of a picture of the same size.
        covered: regions of `aacsfnet.tables.REGIONS` whose points the mesh invents: they have no
            error, and the whole face is taken without them.
    """
    moved = (found - source)[:, :2] / float(eye_distance(source))
    distance = np.linalg.norm(moved - shift_of(source, found), axis=1)
    hidden = set(chain.from_iterable(REGION_POINTS[name] for name in covered))
    errors: dict[str, float | None] = {}
    for name, points in REGIONS.items():
        seen_points = [at for at in points if at not in hidden]
        judged = name not in covered and len(seen_points) > 0
        errors[name] = float(distance[seen_points].mean()) if judged else None
    return errors


def corner_height(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the height of the mouth's corners over halfway from nose to chin, eye distances.

    Rises with AU12 (smile), falls with AU15; a dropping jaw raises it half as much. On rendered
    faces of one pose and light the mesh's error is 0.005, half that of `mouth_corner_pull`, whose
    lips move themselves.

    Args:
        points: meshes `(..., 478, 3)` in pixels. 61, 291 are taken against 2 and 152.
    """
    face = level(points)[..., 1]
    return np.asarray(face[..., [2, 152]].mean(-1) - face[..., list(sets.MOUTH_CORNERS)].mean(-1))


@dataclass(frozen=True)
class Seen:
    """What several looks saw of a face.

    Attributes:
        points: `(478, 3)`, the mean mesh, pixels.
        measures: `(looks,)` of each measure of pain, interocular distances.
        corners: `(looks,)`, see `corner_height`.
        pspi: `(looks,)`, estimated from the measures; None where the person's usual face is not
            known.
    """

    points: NDArray[np.float64]
    measures: dict[str, NDArray[np.float64]]
    corners: NDArray[np.float64]
    pspi: NDArray[np.float64] | None


def seen(looks: NDArray[np.floating], usual: Mapping[str, float] | None) -> Seen:
    """Return what looks `(n, 478, 3)` at a face say.

    Args:
        looks: meshes in pixels.
        usual: the person's usual measures, see `action_units.usual_face`; where one of pain is not
            known, there is no PSPI.
    """
    measured = measure_all(looks)
    known = usual and all(np.isfinite(usual[name]) for name in PAIN_MEASURES)
    return Seen(
        points=looks.mean(axis=0),
        measures={name: measured[name] for name in PAIN_MEASURES},
        corners=corner_height(looks),
        pspi=estimated_pspi(measured, usual) if usual and known else None,
    )


def change(
    source: NDArray[np.floating], found: NDArray[np.floating], error: float = 0.0
) -> tuple[float, float]:
    """Return the mean change, found minus source, and its error margin.

    The looks at both pictures are taken from the same displaced squares, so they are compared pair
    by pair. The true change lies above the found one by more than the margin once in twenty times
    (one-sided): the margin holds the looks' own scatter (Student's t) and an error that they share.

    Args:
        source: `(LOOKS,)`.
        found: `(LOOKS,)`.
        error: standard deviation of what all looks get wrong alike, see `MESH_ERROR`.

    >>> change(np.zeros(9), np.arange(9.0))
    (4.0, 1.69...)
    """
    each = found - source
    scatter = _STUDENT * float(each.std(ddof=1)) / len(each) ** 0.5
    return float(each.mean()), math.hypot(scatter, _NORMAL * error)


def pose_difference(source: NDArray[np.floating], found: NDArray[np.floating]) -> float:
    """Return the largest change of yaw, pitch and roll between two meshes `(478, 3)`, degrees."""
    turned = pose_of(found) - pose_of(source)
    return float(np.abs((turned + 180) % 360 - 180).max())


@dataclass(frozen=True)
class Look:
    """A picture's sharpness (variance of the Laplacian), brightness and contrast (0 to 1)."""

    sharpness: float
    brightness: float
    contrast: float


def look_of(picture: NDArray[np.uint8]) -> Look:
    """Return sharpness, brightness and contrast of a picture `(H, W, 3)` RGB."""
    import cv2

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64) / 255
    return Look(float(cv2.Laplacian(grey, cv2.CV_64F).var()), float(grey.mean()), float(grey.std()))


def difference(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the mean absolute difference of two pictures of one size, 0 to 1."""
    return float(np.abs(first.astype(np.float32) - second.astype(np.float32)).mean() / 255)
