"""The faces of a film: followed from frame to frame where that is allowed, else sought."""

from dataclasses import dataclass

import numpy as np

from aacsfnet.config import Crop
from aacsfnet.faces.crop import REDETECT
from aacsfnet.faces.locate import FaceLocator, Located
from aacsfnet.faces.networks import Networks
from aacsfnet.tables import Fault

#: Where everybody is wanted, all faces are sought at each frame whose position is a multiple of
#: this. At those of `REDETECT` between them a glance does that finds nobody new and nobody gone, so
#: that a newcomer too small for a glance (a tenth of the picture's longer side) is told that late.
_SEARCH = 100


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
        self.begin()

    def begin(self) -> None:
        """Begin another film."""
        self._at = 0
        self._last: list[Located] = []  # of the frame before, where they may be followed

    def locate(self, picture: np.ndarray | Fault) -> Sought:
        """Return the faces of the next frame, `(H, W, 3)` uint8 RGB."""
        at = self._at
        self._at += 1
        found = picture if isinstance(picture, Fault) else self._found(at, picture)
        if isinstance(found, Fault):
            self._last = []
        return Sought(at, picture, found)

    def _found(self, at: int, picture: np.ndarray) -> list[Located] | Fault:
        every = _SEARCH if self._everyone else REDETECT
        if (
            self._last
            and at % every
            and (followed := self._follow(picture))
            and (at % REDETECT or self._locator.as_known(picture, followed))
        ):
            self._last = followed
            return followed
        if not self._everyone:
            found = self._locator.locate(picture)
            if isinstance(found, Fault):
                return found
            located = [found]
        elif not (located := self._locator.locate_all(picture)):
            least = f"of at least {self._settings.min_face} pixels"
            return Fault("no_face", f"neither detector found a face {least} at any scale")
        alone = self._everyone or (located[0].faces == 1 and self._settings.people != "refuse")
        self._last = located if self._settings.mode == "video" and alone else []
        return located

    def _follow(self, picture: np.ndarray) -> list[Located]:
        """Return all faces of the frame before in this one; none where one must be sought."""
        followed: list[Located] = []
        for each in self._last:
            now = self._locator.follow(picture, each)
            if now is None:
                return []
            for other in followed:  # two that slid onto one face
                apart = np.hypot(*(now.placement - other.placement)[:2])
                if apart < now.placement[2] / 2:
                    return []
            followed.append(now)
        return followed
