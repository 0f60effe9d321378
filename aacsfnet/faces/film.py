"""A film in, the faces of each frame out, everybody told apart, in constant memory.

Faces are what the crop and landmarks stages give for the same frames with the same settings. A
picture by itself is a film of one frame. A frame waits until its crops can be smoothed, as
`crop.smoothing` says, and, where one face a frame is taken, until the frames near it can contradict
it (`aacsfnet.faces.neighbours`), so it comes out that many frames later.

Five threads share the work: one reads the pictures, one looks for faces where that is due, one
follows them from frame to frame, one looks at how much is seen of them, whoever asks for the frames
cuts them out. That one also scores them: a sixth thread costs more than it shares, since each waits
for Python's lock.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from aacsfnet.ahead import ahead
from aacsfnet.config import Crop, Landmarks
from aacsfnet.faces.find import FoundFace, found_faces
from aacsfnet.faces.following import FilmLocator, Sought
from aacsfnet.faces.locate import Located
from aacsfnet.faces.mesh import CropLandmarker
from aacsfnet.faces.neighbours import NEAR, Sighting, contradiction, sighting
from aacsfnet.faces.networks import Networks
from aacsfnet.faces.sampling import bounds
from aacsfnet.faces.sequence import Cut, SequenceCropper
from aacsfnet.faces.tracks import Tracks
from aacsfnet.tables import Fault

#: Frames whose faces were found that wait at most to be cut out. So many are found while whoever
#: asks for them scores a batch of 32 faces.
_AHEAD = 12
#: So many complete frames are described at once: the arithmetic of one takes as long.
_TOGETHER = 16


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
    cut: dict[int, tuple[Cut, Located]] = field(default_factory=dict, repr=False)
    sighting: Sighting | None = field(default=None, repr=False)


class FilmExtractor(Networks):
    """Finds the faces of films, one after the other; holds the networks.

    Args:
        settings: how faces are found, followed, smoothed and cut out.
        landmarks: how the landmarks are found.
        everyone: all faces of a frame, not only the one that `settings.people` takes.
    """

    def __init__(self, settings: Crop, landmarks: Landmarks, *, everyone: bool) -> None:
        self._locator = FilmLocator(settings, everyone=everyone)
        self._cutter = _Cutter(settings, landmarks, everyone=everyone)
        self._held = (self._locator, self._cutter)
        self.start()  # before the threads that share the work

    def frames(
        self, pictures: Iterable[np.ndarray | Fault], *, alone: bool = False
    ) -> Iterator[SeenFrame]:
        """Yield the frames of a film, each as soon as it is complete.

        Args:
            pictures: `(H, W, 3)` uint8 RGB each, or what is wrong with it; read by another thread,
                few at a time.
            alone: each picture is a film by itself.
        """
        self._cutter.begin()
        located = self._locator.sought(pictures, alone=alone)
        with closing(ahead(located, _AHEAD)) as sought:
            for each in sought:
                yield from self._cutter.add(each)
                if alone:
                    yield from self._cutter.finish()
        yield from self._cutter.finish()


class _Cutter(Networks):
    """Tells people apart, cuts their faces out and describes them.

    Args:
        settings, landmarks, everyone: as of `FilmExtractor`.
    """

    def __init__(self, settings: Crop, landmarks: Landmarks, *, everyone: bool) -> None:
        self._settings, self._landmarks, self._everyone = settings, landmarks, everyone
        least = landmarks.min_confidence
        self._landmarker = CropLandmarker(least) if landmarks.mode == "still" else None
        self._held = (self._landmarker,) if self._landmarker else ()
        self.begin()

    def begin(self) -> None:
        """Begin another film."""
        self._tracks = Tracks()
        self._croppers: dict[int, SequenceCropper] = {}
        self._seen: dict[int, int] = {}  # by person, the last frame with a face
        self._frames: deque[SeenFrame] = deque()
        self._ready: list[SeenFrame] = []  # complete, but for what their faces say
        self._past: deque[Sighting] = deque()  # of frames that are gone, as far as they are asked

    def add(self, sought: Sought) -> Iterator[SeenFrame]:
        """Take the next frame; yield those that are complete by now."""
        settings, at, picture, located = self._settings, sought.at, sought.picture, sought.found
        frame = SeenFrame(at)
        self._frames.append(frame)
        if isinstance(located, Fault):
            frame.fault = located
        else:
            assert isinstance(picture, np.ndarray)
            numbers = self._tracks.assign(at, [bounds(each.mesh.points) for each in located])
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
        self._complete(at - (0 if self._everyone else NEAR))
        if len(self._ready) >= _TOGETHER:
            yield from self._described()

    def finish(self) -> Iterator[SeenFrame]:
        """Yield the frames that still wait; the next one begins another film."""
        for number in list(self._seen):
            self._end(number)
        if self._frames:
            self._complete(self._frames[-1].at)
        yield from self._described()
        self.begin()

    def _complete(self, last: int) -> None:
        """Let go the frames up to a position whose crops are all cut."""
        while self._frames and self._frames[0].at <= last and not self._frames[0].waiting:
            frame = self._frames.popleft()
            if (own := frame.sighting) is not None:
                coming = (it.sighting for it in self._frames if it.sighting is not None)
                if (fault := contradiction(own, [*self._past, *coming])) is not None:
                    frame.faces, frame.cut = dict.fromkeys(frame.cut, fault), {}
                self._past.append(own)
            while self._past and self._past[0].position < frame.at - NEAR:
                self._past.popleft()
            self._ready.append(frame)

    def _described(self) -> Iterator[SeenFrame]:
        """Yield the frames that were let go, with their faces."""
        ready, self._ready = self._ready, []
        places = [(frame, number) for frame in ready for number in frame.cut]
        cuts = [frame.cut[number][0] for frame, number in places]
        located = [frame.cut[number][1] for frame, number in places]
        faces = found_faces(cuts, located, self._landmarker, self._landmarks)
        for (frame, number), face in zip(places, faces, strict=True):
            frame.faces[number] = face
        for frame in ready:
            frame.cut = {}
        yield from ready

    def _end(self, number: int) -> None:
        del self._seen[number]
        self._keep(number, self._croppers.pop(number).finish())

    def _keep(self, number: int, cuts: Iterable[Cut]) -> None:
        for cut in cuts:
            frame = self._frames[cut.key - self._frames[0].at]
            frame.cut[number] = cut, frame.waiting.pop(number)
