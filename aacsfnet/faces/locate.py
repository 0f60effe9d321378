"""One face in a picture, by both detectors and the mesh, under a policy for several people."""

from dataclasses import dataclass

import numpy as np

from aacsfnet.config import Crop
from aacsfnet.faces.alignment import placement_of
from aacsfnet.faces.detection import SURE, Face, FaceFinder, choose
from aacsfnet.faces.mesh import Mesh, look, look_until_settled, square_of_face, square_of_points
from aacsfnet.faces.networks import FaceMesh, Networks
from aacsfnet.tables import Fault

#: A face that moved or grew by more than this share of its square between frames is sought anew.
_STEP = 0.15


@dataclass(frozen=True)
class Located:
    """The face to crop.

    Attributes:
        mesh: its points in picture pixels.
        placement: `(4,)`, see `aacsfnet.faces.alignment`.
        faces: how many were found.
        confidence: the detector's score of this one; None where it was followed.
    """

    mesh: Mesh
    placement: np.ndarray
    faces: int
    confidence: float | None


class FaceLocator(Networks):
    """Finds the face of a picture; holds the networks, so make one and use it for many.

    A face is what a detector and the mesh agree on. The search goes on (`FaceFinder.searches`)
    until one is sure (`SURE`); failing that, unsure ones of the whole picture count.
    """

    def __init__(self, settings: Crop) -> None:
        self._settings = settings
        self._finder = FaceFinder(settings.min_confidence, settings.min_face)
        self._mesh = FaceMesh()
        self._held = (self._finder, self._mesh)

    def locate(self, picture: np.ndarray) -> Located | Fault:
        """Return the face to crop, or why there is none.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
        """
        settings = self._settings
        confirmed = self._confirmed(picture, everyone=settings.people != "largest")
        if not confirmed:
            return Fault("no_face", "neither detector found a face at any scale")
        faces = [face for face, _ in confirmed]
        chosen = choose(faces, settings.people, (picture.shape[1], picture.shape[0]))
        if chosen is None:
            return Fault("several_faces", f"{len(faces)} faces and crop.people is refuse")
        mesh = next(mesh for face, mesh in confirmed if face is chosen)
        placement = placement_of(mesh.points)
        if placement[2] < settings.min_face:
            found = f"the face is {placement[2]:.0f} pixels high"
            return Fault("small_face", f"{found}; crop.min_face is {settings.min_face}")
        return Located(mesh, placement, len(faces), chosen.score)

    def locate_all(self, picture: np.ndarray) -> list[Located]:
        """Return all faces of at least `min_face`, largest first, whatever `people` says.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
        """
        confirmed = self._confirmed(picture, everyone=True)
        found = [
            Located(mesh, placement_of(mesh.points), len(confirmed), face.score)
            for face, mesh in confirmed
        ]
        kept: list[Located] = []
        for one in sorted(found, key=lambda one: -one.placement[2]):
            # Two detections that the mesh brings to one place are one face.
            apart = (np.hypot(*(one.placement - other.placement)[:2]) for other in kept)
            if one.placement[2] >= self._settings.min_face and all(
                away > one.placement[2] / 2 for away in apart
            ):
                kept.append(one)
        return kept

    def follow(self, picture: np.ndarray, last: Located) -> Located | None:
        """Return the face that was found on the frame before, or None where it must be sought.

        One look at the place where it was, by the mesh alone. A look that is not sure, lands
        elsewhere or sees another size has lost it.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
            last: of the frame before.
        """
        square = square_of_points(last.mesh.points)
        mesh = look(self._mesh, picture, square)
        if mesh.presence < max(SURE, self._settings.min_presence):
            return None
        now = square_of_points(mesh.points)
        moved = float(np.linalg.norm(now.center_xy - square.center_xy)) / square.side
        if moved > _STEP or abs(np.log(now.side / square.side)) > _STEP:
            return None
        return Located(mesh, placement_of(mesh.points), last.faces, None)

    def _confirmed(self, picture: np.ndarray, *, everyone: bool) -> list[tuple[Face, Mesh]]:
        """Return the faces that detector and mesh agree on, with their meshes; maybe none."""
        unsure: list[tuple[Face, Mesh]] = []
        for level in self._finder.searches(picture, everyone=everyone):
            confirmed = [pair for face in level.faces if (pair := self._confirm(picture, face))]
            if sure := [pair for pair in confirmed if pair[0].score >= SURE]:
                return sure
            # Among hundreds of tiles some always look a little like a face.
            if level.whole and not unsure:
                unsure = confirmed
        return unsure

    def _confirm(self, picture: np.ndarray, face: Face) -> tuple[Face, Mesh] | None:
        """Return a face that the mesh agrees on, with that mesh."""
        if face.score < SURE:
            closer = self._finder.closer(picture, face)
            if closer is None:
                return None
            face = closer
        mesh = look_until_settled(self._mesh, picture, square_of_face(face))
        if mesh.presence < self._settings.min_presence:
            return None
        away = np.linalg.norm(mesh.points[:, :2].mean(axis=0) - face.center_xy)
        return (face, mesh) if away < face.side / 2 else None
