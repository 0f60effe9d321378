"""Whether a mesh can be a face's: what is found in letters and patterns gives itself away.

The detectors are unsure of such finds (0.5 to 0.7), but the mesh network calls many of them a face
with full certainty. What a face passes and they do not: the mesh found on the mirror image is the
mesh's mirror image; its shape is about that of the mean face; eyes, nose and mouth lie where the
detector saw them.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from aacsfnet.faces.detection import Face
from aacsfnet.faces.geometry import eye_distance
from aacsfnet.faces.mesh import Mesh, mirror_difference
from aacsfnet.faces.networks import FaceMesh
from aacsfnet.landmark_sets import LEFT_EYE, LIP_PAIRS, RIGHT_EYE
from aacsfnet.rendering.mesh import FACE, canonical

#: Highest difference from the mirror image's mesh and from the mean face (interocular distances),
#: and of the detector's points (shares of the face's box). Of 222 faces (102 photographs, 120
#: rendered up to yaw 45 and pitch 25 degrees) all but one, which was read on its side, have at most
#: 0.04, 0.11 and 0.17 (`benchmarks/faceless.py` tells what the bounds let through).
MOST = {"mirror image": 0.05, "mean face": 0.14, "detector": 0.25}
#: Mesh points that stand where the detector's first four do: eyes, tip of the nose, mouth.
_DETECTED = (RIGHT_EYE, LEFT_EYE, (1,), LIP_PAIRS[1])


def shape_difference(points: NDArray[np.floating]) -> float:
    """Return how far a mesh is from the mean face, moved, turned and scaled onto it.

    The root mean square over 468 points, in interocular distances (Procrustes; Schönemann 1966).

    Args:
        points: `(478, 3)`, pixels.
    """
    mean, face = _mean_face(), np.asarray(points[:FACE], np.float64)
    face = face - face.mean(axis=0)
    left, strengths, right = np.linalg.svd(face.T @ mean)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    scale = (strengths * sign).sum() / (mean**2).sum()
    rest = face - scale * mean @ (left * sign @ right).T
    return float(np.sqrt((rest**2).sum(axis=1).mean()) / eye_distance(points))


@cache
def _mean_face() -> NDArray[np.float64]:
    points = canonical()[0].astype(np.float64) * (1, -1, -1)  # y down, z away from the viewer
    return np.asarray(points - points.mean(axis=0))


def differences(
    network: FaceMesh, picture: NDArray[np.uint8], face: Face, mesh: Mesh
) -> dict[str, float]:
    """Return what `MOST` bounds of a detected face and the mesh found there."""
    apart = [
        np.linalg.norm(mesh.points[list(own), :2].mean(axis=0) - seen)
        for own, seen in zip(_DETECTED, face.points_xy[:4], strict=True)
    ]
    return {
        "mirror image": mirror_difference(network, picture, mesh.square),
        "mean face": shape_difference(mesh.points),
        "detector": float(max(apart)) / face.side,
    }


def implausible(network: FaceMesh, picture: NDArray[np.uint8], face: Face, mesh: Mesh) -> str:
    """Return in words why a mesh cannot be a face's; empty where it can."""
    found = differences(network, picture, face, mesh)
    return "; ".join(
        f"it is {found[what]:.2f} off the {what}'s, {most:g} is the most"
        for what, most in MOST.items()
        if not found[what] <= most
    )
