"""What the archive holds: people, sequences and a face for every frame, before a file is written.

The histogram of PSPI is met exactly. A film has no cuts: a sequence is a walk over rendered faces
in which neighbours differ by one step of pose or of expression, so few renderings make many
frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Lens, Light, Pose

#: Frames of the real archive at PSPI 0, 1, … 15.
UNBC_HISTOGRAM = (
    *(40029, 2909, 2351, 1412, 802, 242, 270, 53, 79, 32, 67, 76, 48, 22, 1, 5),
)  # fmt: skip
#: Seeds of people start here; the demo data set's are hashes, so nobody is met twice.
FIRST_PERSON = 950_000_000
STRONGEST = (15, 6, 11, 4, 8, 13, 5, 10, 3, 7)


@dataclass(frozen=True)
class Size:
    """How large the archive is, and how many renderings serve it."""

    subjects: int
    sequences: int  # of each subject
    histogram: tuple[int, ...]  # frames at each PSPI
    shortest: int  # sequence, frames
    longest: int
    neutral: int  # renderings of each person without pain
    at_level: int  # and at each level of pain
    picture: tuple[int, int]  # height, width


WHOLE = Size(25, 8, UNBC_HISTOGRAM, 48, 683, neutral=160, at_level=20, picture=(240, 320))
SMALL = Size(
    3, 4, (200, 12, 9, 5, 4, 2, 2, 1, 1, 1, 1, 0, 1, 0, 0, 1), 12, 30, 4, 1, (240, 320)
)  # fmt: skip


@dataclass(frozen=True)
class Still:
    """One rendering: whose, at which PSPI, at which step of the head's movement."""

    subject: int
    level: int
    step: int


@dataclass
class Frame:
    """One frame: which rendering it shows, and what the index must say of it."""

    subject: str
    sequence: str
    name: str
    still: Still
    label: float | None
    units: dict[str, float]
    scores: dict[str, float]
    status: str = "ok"
    cropped: str = "ok"  # status once the picture was decoded
    copy: int = 1  # of several pictures of one frame
    notes: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Return the folders and the name that all the frame's files share."""
        return f"{self.subject}/{self.sequence}/{self.name}"


def frames_of(size: Size) -> list[Frame]:
    """Return the frames in order of subject, sequence and number."""
    random = np.random.default_rng(21)
    lengths = _lengths(size, random)
    strongest = [STRONGEST[s % len(STRONGEST)] for s in range(size.subjects)]
    # The second person never shows pain, as one of the archive's does.
    weight = np.where(np.arange(size.subjects) == 1, 0.0, random.uniform(0.3, 1.6, size.subjects))
    pain = np.zeros((size.subjects, size.sequences, len(size.histogram)), int)
    for level, count in list(enumerate(size.histogram))[1:]:
        share = weight * (np.array(strongest) >= level) * lengths.sum(axis=1)
        for subject, frames in enumerate(_shared(count, share)):
            acting = lengths[subject] * (np.arange(size.sequences) % 4 != 1)
            pain[subject, :, level] = _shared(frames, acting)
    frames = []
    for subject in range(size.subjects):
        for sequence in range(size.sequences):
            frames += _sequence(size, subject, sequence, lengths, pain[subject, sequence])
    return frames


def _lengths(size: Size, random: np.random.Generator) -> np.ndarray:
    """Return the frames of each sequence `(subjects, sequences)`."""
    spread = size.longest - size.shortest
    drawn = size.shortest + spread * random.beta(1.2, 2.6, size.subjects * size.sequences)
    drawn[:2] = size.shortest, size.longest
    lengths = drawn.astype(int)
    while (missing := sum(size.histogram) - lengths.sum()) != 0:
        at = random.integers(2, len(lengths))
        lengths[at] = np.clip(lengths[at] + np.sign(missing), size.shortest, size.longest)
    return np.asarray(lengths.reshape(size.subjects, size.sequences))


def _shared(count: int, weights: np.ndarray) -> np.ndarray:
    """Return whole numbers in proportion to weights that add up to `count`."""
    if not count:
        return np.zeros(len(weights), int)
    exact = count * weights / weights.sum()
    whole = exact.astype(int)
    whole[np.argsort(whole - exact, kind="stable")[: count - whole.sum()]] += 1
    return np.asarray(whole)


def _sequence(
    size: Size, subject: int, sequence: int, lengths: np.ndarray, pain: np.ndarray
) -> list[Frame]:
    """Return a sequence: calm, rising and falling pain, calm."""
    calm = int(lengths[subject, sequence] - pain.sum())
    assert calm > 0, "more pain than the sequence has room for"
    runs = [(0, calm // 2)]
    runs += [(level, -(-count // 2)) for level, count in enumerate(pain)]
    runs += [(level, count // 2) for level, count in reversed(list(enumerate(pain)))]
    runs += [(0, calm - calm // 2)]
    number = 42 + 53 * subject if subject < 2 else 100 + 7 * subject
    letters = "".join(chr(97 + (5 * subject + 11 * n) % 26) for n in (1, 2))
    person = f"{letters}{number:03d}"
    test, side = sequence % 2 + 1, ("aff", "unaff")[sequence // 2 % 2]
    name = f"{person}t{test}{('aa', 'ae', 'af', 'ai')[sequence // 2 % 4]}{side}"
    scores = {"aff": sequence % 16, "opr": sequence % 6, "sen": 2 * sequence % 16, "vas": 1.5}
    stills = [Still(subject, level, step) for level, n in runs for step in _walk(size, level, n)]
    return [
        Frame(
            f"{number:03d}-{person}",
            name,
            f"{name}{place:03d}",
            still,
            float(still.level),
            units_of(still, size),
            {key: float(value) for key, value in scores.items()},
        )
        for place, still in enumerate(stills, start=1)
    ]


def _walk(size: Size, level: int, frames: int) -> list[int]:
    """Return steps of the head's movement, forwards and backwards, that end where they begin."""
    last = (size.at_level if level else size.neutral) - 1
    if last == 0:
        return [0] * frames
    steps = (at % (2 * last) for at in range(frames))
    return [min(s, 2 * last - s, frames - 1 - at) for at, s in enumerate(steps)]


def units_of(still: Still, size: Size) -> dict[str, float]:
    """Return the action units of a rendering, those that are 0 too; they add up to its level."""
    units = dict.fromkeys(
        ("au4", "au6", "au7", "au9", "au10", "au12", "au20", "au25", "au26", "au43"), 0.0
    )
    random = np.random.default_rng([7, still.subject])
    eyes, other_eyes = random.permutation(["au6", "au7"])
    mouth, other_mouth = random.permutation(["au9", "au10"])
    rise = random.permutation(["au4"] * 5 + [eyes] * 5 + [mouth] * 5 + ["au43"])
    for unit in rise[: still.level]:
        units[str(unit)] += 1
    units[str(other_eyes)] = max(0.0, units[str(eyes)] - 1)
    units[str(other_mouth)] = max(0.0, units[str(mouth)] - 2)
    if not still.level:  # a smile and an open mouth are no pain
        smiling = 2 * still.step // size.neutral
        units |= {"au12": 2.0 * smiling, "au25": float(smiling), "au26": float(smiling)}
    return units


def person_of(subject: int) -> Person:
    """Return the rendered person of a subject."""
    return Person.from_seed(FIRST_PERSON + subject)


def scene_of(still: Still) -> tuple[Pose, Light, Lens]:
    """Return how a rendering's head is held and lit; neighbouring steps differ little."""
    random = np.random.default_rng([8, still.subject])
    yaw, pitch, roll = random.uniform((4, 2, 2), (14, 7, 6))
    phase = still.step / 16
    pose = Pose(
        float(yaw * np.sin(phase)),
        float(pitch * np.sin(0.7 * phase)),
        float(roll * np.sin(0.5 * phase)),
        face_height=float(random.uniform(0.5, 0.68)),
        centre=(0.5 + 0.03 * float(np.sin(0.4 * phase)), 0.5),
    )
    light = Light((float(random.uniform(-0.7, 0.7)), 0.7, 0.9))
    noise_seed = 1000 * still.level + still.step
    return pose, light, Lens(noise=1.5, scene_seed=still.subject, noise_seed=noise_seed)


def histogram(labels: Sequence[float | None]) -> list[int]:
    """Return how many labels there are of 0, 1, … 16; other values are not counted."""
    return [sum(label == level for label in labels) for level in range(17)]
