"""One face in a picture, by both detectors and the mesh, under a policy for several people."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from aacsfnet.config import Crop
from aacsfnet.faces.alignment import placement_of
from aacsfnet.faces.detection import SURE, Face, FaceFinder, Level, choose
from aacsfnet.faces.mesh import Mesh, look, look_until_settled, square_of_face
from aacsfnet.faces.networks import FaceMesh, Networks
from aacsfnet.faces.plausible import implausible
from aacsfnet.faces.visibility import LEAST_SEEN, Visible, look_at
from aacsfnet.tables import Fault

#: A face that moved or grew by more than this share of its square between frames is sought anew.
_STEP = 0.15
#: What is seen of a face that is followed is looked at again at each so many frames; in between the
#: last look stands, so what comes before the face or leaves it is told two frames late at most.
_LOOK_AGAIN = 3
#: A glance may overlook a face up to this many times the height of those that it should see.
_GLANCED = 1.5


@dataclass(frozen=True)
class Located:
    """The face to crop.

    Attributes:
        mesh: its points in picture pixels.
        placement: `(4,)`, see `aacsfnet.faces.alignment`.
        faces: how many were found.
        confidence: the detector's score of this one; None where it was followed.
        visible: how much of it is seen.
        since: for how many frames `visible` has stood.
    """

    mesh: Mesh
    placement: np.ndarray
    faces: int
    confidence: float | None
    visible: Visible
    since: int = 0

    def seen_as(self, visible: Visible) -> "Located | None":
        """Return it with what is seen of it now; None where that is too little for a face."""
        return replace(self, visible=visible) if visible.face >= LEAST_SEEN else None


class _Candidate(NamedTuple):
    """What a detector and the mesh agree on.

    Attributes:
        doubt: why it is no face after all, in words; empty where nothing speaks against it.
    """

    face: Face
    mesh: Mesh
    visible: Visible
    doubt: str

    @property
    def sure(self) -> bool:
        return not self.doubt and self.face.score >= SURE


class FaceLocator(Networks):
    """Finds the face of a picture; holds the networks, so make one and use it for many.

    A face is what a detector and the mesh agree on, and of which something is seen. The search goes
    on (`FaceFinder.searches`) until one is sure (`SURE`); failing that, unsure ones of the whole
    picture count, if their mesh can be a face's (`aacsfnet.faces.plausible`).
    """

    def __init__(self, settings: Crop) -> None:
        self._settings = settings
        self._finder = FaceFinder(settings.min_confidence, settings.min_face)
        self._mesh = FaceMesh()
        self._held = (self._finder, self._mesh)

    def first(self, picture: np.ndarray) -> Level:
        """Return what the detectors see at first when `locate` is to search a picture."""
        return self._finder.first(picture, everyone=self._settings.people != "largest")

    def first_of_all(self, picture: np.ndarray) -> Level:
        """Return what the detectors see at first when `locate_all` is to search a picture."""
        return self._finder.first(picture, everyone=True)

    def glance(self, picture: np.ndarray) -> Level:
        """Return what the detectors see of a picture at a glance, for `are_known`.

        At all of it, not at tiles: a fifth of the time of `first_of_all`.
        """
        return self._finder.glance(picture)

    def locate(self, picture: np.ndarray, first: Level | None = None) -> Located | Fault:
        """Return the face to crop, or why there is none.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
            first: what `first` says of it, where that is known already.
        """
        settings = self._settings
        everyone = settings.people != "largest"
        confirmed, doubtful = self._confirmed(picture, first, everyone=everyone)
        if not confirmed:
            if doubtful:
                seen = max(doubtful, key=lambda it: it.face.score)
                return Fault("doubtful_face", f"what looks like a face is none: {seen.doubt}")
            return Fault("no_face", "neither detector found a face at any scale")
        placements = [placement_of(it.mesh.points) for it in confirmed]
        chosen = choose(placements, settings.people, (picture.shape[1], picture.shape[0]))
        if chosen is None:
            return Fault("several_faces", f"{len(confirmed)} faces and crop.people is refuse")
        it, placement = confirmed[chosen], placements[chosen]
        if placement[2] < settings.min_face:
            found = f"the face is {placement[2]:.0f} pixels high"
            return Fault("small_face", f"{found}; crop.min_face is {settings.min_face}")
        return Located(it.mesh, placement, len(confirmed), it.face.score, it.visible)

    def locate_all(self, picture: np.ndarray, first: Level | None = None) -> list[Located]:
        """Return all faces of at least `min_face`, largest first, whatever `people` says.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
            first: what `first_of_all` says of it, where that is known already.
        """
        confirmed, _ = self._confirmed(picture, first, everyone=True)
        found = [
            Located(
                it.mesh, placement_of(it.mesh.points), len(confirmed), it.face.score, it.visible
            )
            for it in confirmed
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
        elsewhere or sees another size has lost it; so has one that sees too little of it.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
            last: of the frame before.
        """
        now = self.follow_mesh(picture, last)
        if now is None or now.since:
            return now
        return now.seen_as(look_at(picture, now.mesh.points))

    def follow_mesh(self, picture: np.ndarray, last: Located) -> Located | None:
        """Return what `follow` does, but with what was seen of the face before.

        Where its `since` is 0 that has stood long enough: `look_at` it again, `Located.seen_as`.

        Args:
            picture: `(H, W, 3)` uint8 RGB.
            last: of the frame before.
        """
        square = last.mesh.square
        mesh = look(self._mesh, picture, square)
        if mesh.presence < max(SURE, self._settings.min_presence):
            return None
        now = mesh.square
        moved = math.dist(now.center_xy, square.center_xy) / square.side
        if moved > _STEP or abs(math.log(now.side / square.side)) > _STEP:
            return None
        since = (last.since + 1) % _LOOK_AGAIN
        return Located(mesh, placement_of(mesh.points), last.faces, None, last.visible, since)

    @staticmethod
    def are_known(glance: Level, known: Sequence[Located]) -> bool:
        """Return whether the detectors see the faces that are known, and no other.

        A known face that is too small for a glance passes.

        Args:
            glance: what `glance` says of a picture.
            known: its faces, followed from the frame before.
        """
        faces, _, sees = glance
        placements = [each.placement for each in known]
        met = [
            [np.hypot(*(place[:2] - face.center_xy)) < place[2] / 2 for place in placements]
            for face in faces
        ]
        return all(map(any, met)) and all(
            place[2] < sees * _GLANCED or any(row[at] for row in met)
            for at, place in enumerate(placements)
        )

    def _confirmed(
        self, picture: np.ndarray, first: Level | None, *, everyone: bool
    ) -> tuple[list[_Candidate], list[_Candidate]]:
        """Return the faces that detector and mesh agree on, and what looked like one; maybe none.

        The search ends where a sure face is so large that no larger one was overlooked.
        """
        sure: list[_Candidate] = []
        unsure: list[_Candidate] = []
        doubtful: list[_Candidate] = []
        for level in self._finder.searches(picture, first, everyone=everyone):
            found: list[_Candidate] = []
            for face in level.faces:
                if any(face.repeats(it.face) for it in sure):
                    continue
                if (it := self._confirm(picture, face)) is None:
                    continue
                if not any(it.face.repeats(other.face) for other in (*sure, *found)):
                    (doubtful if it.doubt else sure if it.sure else found).append(it)
            if sure and (everyone or max(it.face.side for it in sure) >= level.sees):
                break
            # Among hundreds of tiles some always look a little like a face.
            if level.whole and not unsure:
                unsure = found
        return sure or unsure, doubtful

    def _confirm(self, picture: np.ndarray, face: Face) -> _Candidate | None:
        """Return a face that the mesh agrees on, with that mesh and what speaks against it."""
        near = face.score < SURE
        found = self._look(picture, face, near)
        if found is not None and found.doubt and not near:
            # Perhaps it is on its side: a closer look takes the right one of four turns.
            return self._look(picture, face, True) or found
        return found

    def _look(self, picture: np.ndarray, face: Face, near: bool) -> _Candidate | None:
        if near:
            closer = self._finder.closer(picture, face)
            if closer is None:
                return None
            face = closer
        mesh = look_until_settled(self._mesh, picture, square_of_face(face))
        if mesh.presence < self._settings.min_presence:
            return None
        away = np.linalg.norm(mesh.points[:, :2].mean(axis=0) - face.center_xy)
        if away >= face.side / 2:
            return None
        visible = look_at(picture, mesh.points)
        doubt = ""
        if visible.face < LEAST_SEEN:
            doubt = f"{visible.face:.0%} of brows, eyes, nose and mouth are seen"
        elif face.score < SURE:
            doubt = implausible(self._mesh, picture, face, mesh)
        return _Candidate(face, mesh, visible, doubt)
