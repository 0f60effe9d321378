"""A film in, the faces of each frame out, everybody told apart, in constant memory.

Faces are what the crop and landmarks stages give for the same frames with the same settings. A
picture by itself is a film of one frame. A frame waits until its crops can be smoothed, as
`crop.smoothing` says, and, where one face a frame is taken, until the frames near it can contradict
it (`aacsfnet.faces.neighbours`), so it comes out that many frames later.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from aacsfnet.config import Crop, Landmarks
from aacsfnet.faces.crop import REDETECT
from aacsfnet.faces.find import FoundFace, found_face
from aacsfnet.faces.locate import FaceLocator, Located
from aacsfnet.faces.mesh import CropLandmarker
from aacsfnet.faces.neighbours import NEAR, Sighting, contradiction, sighting
from aacsfnet.faces.networks import Networks
from aacsfnet.faces.sequence import Cut, SequenceCropper
from aacsfnet.faces.tracks import Tracks
from aacsfnet.tables import Fault


@dataclass
class SeenFrame:
    """A frame with its faces.

    Attributes:
        at: position in the film, from 0.
        faces: each person's face by number, or why it cannot be used; empty where `fault` is set.
        fault: why the frame has no face.
    """

    at: int
    faces: dict[int, FoundFace | Fault] = field(default_factory=dict)
    fault: Fault | None = None
    waiting: dict[int, Located] = field(default_factory=dict, repr=False)
    sighting: Sighting | None = field(default=None, repr=False)


class FilmExtractor(Networks):
    """Finds the faces of films, one after the other; holds the networks.

    Args:
        settings: how faces are found, followed, smoothed and cut out.
        landmarks: how the landmarks are found.
        everyone: all faces of a frame, not only the one that `settings.people` takes.
    """

    def __init__(self, settings: Crop, landmarks: Landmarks, *, everyone: bool) -> None:
        self._settings, self._landmarks, self._everyone = settings, landmarks, everyone
        self._locator = FaceLocator(settings)
        least = landmarks.min_confidence
        self._landmarker = CropLandmarker(least) if landmarks.mode == "still" else None
        self._held = (self._locator, *([self._landmarker] if self._landmarker else []))
        self._begin()

    def _begin(self) -> None:
        self._at = 0
        self._tracks = Tracks()
        self._last: list[Located] = []  # of the frame before, where they may be followed
        self._croppers: dict[int, SequenceCropper] = {}
        self._seen: dict[int, int] = {}  # by person, the last frame with a face
        self._frames: deque[SeenFrame] = deque()
        self._past: deque[Sighting] = deque()  # of frames that are gone, as far as they are asked

    def add(self, picture: np.ndarray | Fault) -> Iterator[SeenFrame]:
        """Take the next frame, `(H, W, 3)` uint8 RGB; yield those that are complete by now."""
        settings, at = self._settings, self._at
        self._at += 1
        frame = SeenFrame(at)
        self._frames.append(frame)
        located = picture if isinstance(picture, Fault) else self._locate(at, picture)
        if isinstance(located, Fault) or isinstance(picture, Fault):
            frame.fault = located if isinstance(located, Fault) else None
            self._last = []
        else:
            numbers = self._tracks.assign(at, [_box(each) for each in located])
            frame.waiting = dict(zip(numbers, located, strict=True))
            if not self._everyone:
                frame.sighting = sighting(at, located[0])
            for number, each in frame.waiting.items():
                cropper = self._croppers.setdefault(
                    number, SequenceCropper(settings.size, settings.margin, settings.smoothing)
                )
                self._seen[number] = at
                self._keep(number, cropper.add(at, at, picture, each.placement))
        for number in [each for each, seen in self._seen.items() if seen < at - settings.smoothing]:
            self._end(number)
        yield from self._complete(at - (0 if self._everyone else NEAR))

    def finish(self) -> Iterator[SeenFrame]:
        """Yield the frames that still wait; the next one begins another film."""
        for number in list(self._seen):
            self._end(number)
        yield from self._complete(self._at)
        self._begin()

    def _complete(self, last: int) -> Iterator[SeenFrame]:
        """Yield the frames up to a position whose crops are all cut."""
        while self._frames and self._frames[0].at <= last and not self._frames[0].waiting:
            frame = self._frames.popleft()
            if (own := frame.sighting) is not None:
                coming = (it.sighting for it in self._frames if it.sighting is not None)
                if (fault := contradiction(own, [*self._past, *coming])) is not None:
                    frame.faces = dict.fromkeys(frame.faces, fault)
                self._past.append(own)
            while self._past and self._past[0].position < frame.at - NEAR:
                self._past.popleft()
            yield frame

    def _end(self, number: int) -> None:
        del self._seen[number]
        self._keep(number, self._croppers.pop(number).finish())

    def _keep(self, number: int, cuts: Iterable[Cut]) -> None:
        for cut in cuts:
            frame = self._frames[cut.key - self._frames[0].at]
            located = frame.waiting.pop(number)
            frame.faces[number] = found_face(cut, located, self._landmarker, self._landmarks)

    def _locate(self, at: int, picture: np.ndarray) -> list[Located] | Fault:
        """Return the faces of a frame: followed where that is allowed, else sought."""
        if self._last and at % REDETECT and (followed := self._follow(picture)):
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


def _box(located: Located) -> np.ndarray:
    points = located.mesh.points[:, :2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
