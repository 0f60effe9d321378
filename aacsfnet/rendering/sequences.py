"""How a rendered person moves: pain that rises and falls, and much that is no pain.

Every value follows from the data set's seed, the subject's and the sequence's number, so any frame
can be made without its neighbours.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from aacsfnet.facs import HIGHEST, pspi
from aacsfnet.rendering.mesh import Array
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Lens, Light, Pose
from aacsfnet.seeds import seed_of

FAINTEST = 0.35  #: an intensity below this is none: coders do not see it, and nothing is drawn
PAIN_UNITS = ("au4", "au6", "au7", "au9", "au10")
BLINK_RATE = 0.03  #: share of frames in which a blink starts


@dataclass(frozen=True)
class Frame:
    """All that `render` needs for one frame, and its label.

    Attributes:
        expression: intensities by action unit, without zeros.
        pose: of the head.
        light: the sequence's.
        lens: the sequence's, with the frame's own noise.
        pspi: 0…16.
    """

    expression: dict[str, float]
    pose: Pose
    light: Light
    lens: Lens
    pspi: float


def person_of(seed: int, subject: int) -> Person:
    """Return a subject of the data set; other uses of `Person` have seeds of another namespace."""
    return Person.from_seed(seed_of("demo", seed, subject))


@lru_cache(maxsize=256)
def frames_of(seed: int, subject: int, sequence: int, frames: int) -> tuple[Frame, ...]:
    """Return the frames of a sequence in order."""
    rng = np.random.default_rng(seed_of("demo", seed, subject, sequence))
    units = _pain(rng, subject, sequence, frames)
    units |= _nuisance(rng, frames)
    blinks = rng.random(frames) < BLINK_RATE
    units["au43"] = np.maximum(units["au43"], blinks)
    for unit, curve in units.items():
        curve[curve < FAINTEST] = 0
        units[unit] = np.round(np.minimum(curve, HIGHEST[unit]), 2)
    poses = _poses(rng, frames)
    light, lens = _light(rng), _lens(rng)
    made = []
    for number in range(frames):
        expression = {unit: float(curve[number]) for unit, curve in units.items() if curve[number]}
        own = replace(lens, noise_seed=seed_of(lens.scene_seed, number))
        made.append(Frame(expression, poses[number], light, own, float(pspi(expression))))
    return tuple(made)


def _envelope(rng: np.random.Generator, frames: int, at: int, slow: float = 1.0) -> Array:
    """Return an episode's course `(frames,)`: onset, apex (1 at frame `at`), offset."""
    rise, hold, fall = np.maximum(
        rng.uniform((0.14, 0.08, 0.22), (0.3, 0.26, 0.46)) * slow * frames, (0.6, 0.3, 0.6)
    )
    away = np.arange(frames) - at
    share = np.where(away < 0, 1 + (away + hold / 2) / rise, 1 - (away - hold / 2) / fall)
    share = np.clip(share, 0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _peak(rng: np.random.Generator, subject: int, sequence: int) -> float:
    """Return the PSPI that the strongest episode of a sequence reaches, 0 for no pain.

    The first sequence always has pain. Its strength is spread evenly over the subjects (steps of
    the golden ratio), and the second subject's is the greatest, so that strong pain occurs in any
    data set, however small.
    """
    if sequence == 0:
        place = (0.37 + 0.618034 * subject) % 1
        return 4.5 + 10.5 * place * float(rng.uniform(0.93, 1))
    if rng.random() < 0.15:
        return 0.0
    return 1.5 + 11.0 * float(rng.beta(1.2, 2.2))


def _pain(rng: np.random.Generator, subject: int, sequence: int, frames: int) -> dict[str, Array]:
    units = {unit: np.zeros(frames) for unit in (*PAIN_UNITS, "au43")}
    peak = _peak(rng, subject, sequence)
    if not peak:
        return units
    episodes = [(peak, int(rng.integers(frames // 4, max(frames // 4 + 1, frames * 3 // 4))))]
    if frames > 40 and rng.random() < 0.5:
        episodes.append((peak * rng.uniform(0.3, 0.9), int(rng.integers(frames))))
    for strength, at in episodes:
        course = _envelope(rng, frames, at)
        closed = strength > 7 and rng.random() < 0.8
        brows, cheeks, lips = _dealt(rng, strength - closed)
        seconds = rng.uniform(0.2, 1.0, 2)
        pairs = [("au6", "au7"), ("au9", "au10")]
        for place, (pair, strongest) in enumerate(zip(pairs, (cheeks, lips), strict=True)):
            first, second = pair if rng.random() < 0.5 else pair[::-1]
            units[first] = np.maximum(units[first], strongest * course)
            units[second] = np.maximum(units[second], strongest * seconds[place] * course)
        units["au4"] = np.maximum(units["au4"], brows * course)
        if closed:
            threshold = rng.uniform(0.6, 0.9)
            units["au43"] = np.maximum(units["au43"], course >= threshold)
    return units


def _dealt(rng: np.random.Generator, total: float) -> tuple[float, float, float]:
    """Return `total` dealt to brows, cheeks and lips, each at most 5."""
    dealt = np.minimum(rng.dirichlet((9, 9, 9)) * total, 5)
    for _ in range(3):
        room = 5 - dealt
        dealt = dealt + room * min(1.0, (total - dealt.sum()) / max(room.sum(), 1e-9))
    brows, cheeks, lips = dealt.tolist()
    return brows, cheeks, lips


def _nuisance(rng: np.random.Generator, frames: int) -> dict[str, Array]:
    """Return movements that are no pain: smiles, raised brows, talking, a stretched mouth."""
    units = {unit: np.zeros(frames) for unit in ("au1", "au2", "au12", "au20", "au25", "au26")}
    kinds = {("au12", "au25"): 0.35, ("au1", "au2"): 0.35, ("au20", "au25"): 0.25}
    for (first, second), chance in kinds.items():
        if rng.random() < chance:
            course = _envelope(rng, frames, int(rng.integers(frames)), 0.8)
            units[first] = np.maximum(units[first], rng.uniform(1.5, 4.5) * course)
            units[second] = np.maximum(units[second], rng.uniform(0.5, 4) * course)
    if rng.random() < 0.4:
        course = _envelope(rng, frames, int(rng.integers(frames)))
        phase = np.arange(frames) * rng.uniform(1.2, 2.4) + rng.uniform(0, 6)
        syllables = 0.5 + 0.5 * np.sin(phase)
        units["au26"] = rng.uniform(1, 3.5) * course * syllables
        units["au25"] = np.maximum(
            units["au25"], rng.uniform(1.5, 3.5) * course * (0.4 + 0.6 * syllables)
        )
    return units


def _drift(rng: np.random.Generator, frames: int, spread: float) -> Array:
    """Return a slow random movement `(frames,)` round a random rest."""
    time = np.arange(frames) / max(frames, 12)
    waves = sum(
        rng.normal(0, 0.6 / order) * np.sin(2 * np.pi * (order * time + rng.random()))
        for order in (0.5, 1, 2, 3)
    )
    return np.asarray(np.clip(rng.normal(0, 0.6) + waves, -2.2, 2.2) * spread)


def _poses(rng: np.random.Generator, frames: int) -> list[Pose]:
    yaw, pitch, roll = (_drift(rng, frames, spread) for spread in (9.0, 4.5, 4.0))
    across, down = 0.5 + _drift(rng, frames, 0.02), 0.5 + _drift(rng, frames, 0.015)
    height = rng.uniform(0.5, 0.62) * (1 + _drift(rng, frames, 0.015))
    # Eyes stay on the camera, more or less.
    look = _drift(rng, frames, 5.0) - 0.6 * yaw
    lift = _drift(rng, frames, 2.5) - 0.6 * pitch
    courses = np.stack([yaw, pitch, roll, height, across, down, look, lift], axis=1)
    return [
        Pose(turn, nod, tilt, size, (x, y), (right, up))
        for turn, nod, tilt, size, x, y, right, up in courses.tolist()
    ]


def _light(rng: np.random.Generator) -> Light:
    warm = rng.normal(0, 0.04)
    strength = rng.uniform(0.42, 0.72)
    return Light(
        direction=(float(rng.uniform(-0.9, 0.9)), float(rng.uniform(0.3, 1.0)), 1.0),
        strength=float(strength),
        ambient=float(rng.uniform(1.0, 1.14) - strength),
        colour=(float(1 + warm), 1.0, float(1 - warm)),
    )


def _lens(rng: np.random.Generator) -> Lens:
    return Lens(
        blur=float(rng.uniform(0, 0.7)),
        noise=float(rng.uniform(0.5, 3.5)),
        scene_seed=int(rng.integers(2**31)),
        background=("room", "wall", "studio")[int(rng.integers(3))],
    )
