"""The faces of a film: followed from frame to frame where that is allowed, else sought.

Which frames the detectors must look at is known before anything is found, but for faces that are
lost. So they look while the frames before are followed, in a thread of their own. What is seen of
a face that is followed, where that is due, is looked at by yet another thread while the face is
followed to the next frame; where it turns out that too little is seen, both frames are done again.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeGuard

import numpy as np

from aacsfnet.ahead import ahead, close
from aacsfnet.config import Crop
from aacsfnet.faces.crop import REDETECT
from aacsfnet.faces.detection import Level
from aacsfnet.faces.locate import FaceLocator, Located
from aacsfnet.faces.networks import Networks
from aacsfnet.faces.visibility import Visible, look_at
from aacsfnet.tables import Fault

#: Where everybody is wanted, all faces are sought at each frame whose position is a multiple of
#: this. At those of `REDETECT` between them a glance does that finds nobody new and nobody gone, so
#: that a newcomer too small for a glance (a tenth of the picture's longer side) is told that late.
_SEARCH = 100
#: Pictures that wait at most to be followed: a glance takes as long as following two, a search as
#: long as following eight.
_AHEAD = 8


@dataclass(frozen=True)
class Sought:
    """A frame and the faces found in it.

    Attributes:
        at: position in the film, from 0.
        picture: `(H, W, 3)` uint8 RGB, or what is wrong with it.
        found: its faces, or why there is none.
    """

    at: int
    picture: np.ndarray | Fault
    found: list[Located] | Fault


class _Frame(NamedTuple):
    """A frame, with what the detectors are to say of it where they are due."""

    at: int
    picture: np.ndarray | Fault
    level: "Future[Level] | None" = None


class _Unsettled(NamedTuple):
    """A frame whose faces were followed, and what is to be told of how much is seen of each."""

    frame: _Frame
    faces: list[Located]
    looks: "list[Future[Visible]]"


class FilmLocator(Networks):
    """Finds the faces of films, one frame after the other; holds the networks.

    Args:
        settings: how faces are found and followed.
        everyone: all faces of a frame, not only the one that `settings.people` takes.
    """

    def __init__(self, settings: Crop, *, everyone: bool) -> None:
        self._settings, self._everyone = settings, everyone
        self._locator = FaceLocator(settings)
        self._held = (self._locator,)
        self._last: list[Located] = []  # of the frame before, where they may be followed

    def sought(
        self, pictures: Iterable[np.ndarray | Fault], *, alone: bool = False
    ) -> Iterator[Sought]:
        """Yield each frame of a film with its faces.

        Args:
            pictures: `(H, W, 3)` uint8 RGB each, or what is wrong with it; read by another thread,
                few at a time.
            alone: each picture is a film by itself.
        """
        self._last = []
        with (
            ThreadPoolExecutor(1) as detecting,
            ThreadPoolExecutor(1) as looking,
            closing(ahead(self._begun(pictures, detecting, alone=alone), _AHEAD)) as begun,
        ):
            earlier: _Unsettled | None = None
            for frame in begun:
                found = self._found(frame)
                if earlier is not None:
                    before = self._settled(earlier)
                    yield Sought(earlier.frame.at, earlier.frame.picture, before)
                    if not _followed(before):  # so this one cannot be from there
                        found = self._found(frame)
                    elif _followed(found):
                        pairs = zip(found, before, strict=True)
                        found = [replace(now, visible=was.visible) for now, was in pairs]
                        self._last = found
                    earlier = None
                if _followed(found) and not found[0].since:
                    assert isinstance(frame.picture, np.ndarray)
                    looks = [looking.submit(look_at, frame.picture, it.mesh.points) for it in found]
                    earlier = _Unsettled(frame, found, looks)
                else:
                    yield Sought(frame.at, frame.picture, found)
            if earlier is not None:
                yield Sought(earlier.frame.at, earlier.frame.picture, self._settled(earlier))

    def _begun(
        self, pictures: Iterable[np.ndarray | Fault], detecting: ThreadPoolExecutor, *, alone: bool
    ) -> Iterator[_Frame]:
        """Yield the frames of a film."""
        try:
            for number, picture in enumerate(pictures):
                at = 0 if alone else number
                level = None
                if not isinstance(picture, Fault) and (look := self._due(at)) is not None:
                    level = detecting.submit(look, picture)
                yield _Frame(at, picture, level)
        finally:
            close(pictures)

    def _due(self, at: int) -> Callable[[np.ndarray], Level] | None:
        """Return how the detectors look at a frame, whatever is found before; None: not at all."""
        if self._sought_anew(at):
            return self._locator.first_of_all if self._everyone else self._locator.first
        return self._locator.glance if at % REDETECT == 0 else None

    def _sought_anew(self, at: int) -> bool:
        every = _SEARCH if self._everyone else REDETECT
        return self._settings.mode != "video" or at % every == 0

    def _settled(self, earlier: _Unsettled) -> list[Located] | Fault:
        """Return the faces of a frame as they are seen now; sought, if one is seen too little."""
        looked = zip(earlier.faces, earlier.looks, strict=True)
        faces = [face.seen_as(look.result()) for face, look in looked]
        seen = [face for face in faces if face is not None]
        if len(seen) == len(faces):
            return seen
        self._last = []
        return self._found(earlier.frame)

    def _found(self, frame: _Frame) -> list[Located] | Fault:
        """Return the faces of a frame: followed, if that is allowed, else sought.

        What is seen of those that are followed is as before, see `FaceLocator.follow_mesh`.
        """
        at, picture, level = frame
        found = picture if isinstance(picture, Fault) else self._faces(at, picture, level)
        if isinstance(found, Fault):
            self._last = []
        return found

    def _faces(
        self, at: int, picture: np.ndarray, level: "Future[Level] | None"
    ) -> list[Located] | Fault:
        anew = self._sought_anew(at)
        if (
            self._last
            and not anew
            and (followed := self._follow(picture))
            and (level is None or self._locator.are_known(level.result(), followed))
        ):
            self._last = followed
            return followed
        first = level.result() if anew and level else None
        if not self._everyone:
            found = self._locator.locate(picture, first)
            if isinstance(found, Fault):
                return found
            located = [found]
        elif not (located := self._locator.locate_all(picture, first)):
            least = f"of at least {self._settings.min_face} pixels"
            return Fault("no_face", f"neither detector found a face {least} at any scale")
        alone = self._everyone or (located[0].faces == 1 and self._settings.people != "refuse")
        self._last = located if self._settings.mode == "video" and alone else []
        return located

    def _follow(self, picture: np.ndarray) -> list[Located]:
        """Return all faces of the frame before in this one; none where one must be sought."""
        followed: list[Located] = []
        for each in self._last:
            now = self._locator.follow_mesh(picture, each)
            if now is None:
                return []
            for other in followed:  # two that slid onto one face
                apart = np.hypot(*(now.placement - other.placement)[:2])
                if apart < now.placement[2] / 2:
                    return []
            followed.append(now)
        return followed


def _followed(found: list[Located] | Fault) -> TypeGuard[list[Located]]:
    """Return whether there are faces, followed from the frame before: no detector scored them."""
    return not isinstance(found, Fault) and found[0].confidence is None
