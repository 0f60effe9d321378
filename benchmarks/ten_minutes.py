"""A rendered film of ten minutes, scored by `aacsfnet predict`, against all that is known of it.

    python -m benchmarks.ten_minutes --model results/demo/experiments/full/seed-1/fold-0

Variable frame rate; one person in pain and at rest, seven stretches without a face, a turned head,
a covered mouth, and a second person who crosses before the first, there and back. Stated: whether
there is a row for each frame and face, with the stream's time; whether each frame without a face
has its reason; how often a number of `face` stands for two people; on which share of each part is
abstained; and how far scores are from the known PSPI. Needs `ffprobe`. Writes
benchmarks/results/ten-minutes-<date>.json.
"""

import argparse
import csv
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

from aacsfnet.evaluation.metrics import ccc, mae
from aacsfnet.inference.predict import predict
from aacsfnet.rendering.canvas import Occluded
from aacsfnet.rendering.occluders import occlude, seen_shares
from aacsfnet.rendering.render import Lens, Rendering, background, render
from aacsfnet.rendering.sequences import frames_of, person_of
from benchmarks.faceless_pictures import faceless
from benchmarks.films import probed
from benchmarks.records import record

SEED, SIZE = 23, (256, 384)  # height, width
#: What is shown, for how many seconds; what follows the colon says how.
PARTS = (
    *(("plain", 70), ("no face: wall", 5), ("turned: -45", 25), ("plain", 55)),
    *(("no face: letters", 6), ("covered: mask", 25), ("plain", 50), ("no face: black", 4)),
    *(("two people", 60), ("no face: texture", 5), ("plain", 60), ("turned: 50", 25)),
    *(("no face: pattern", 6), ("plain", 55), ("covered: hand", 25), ("no face: cloth", 5)),
    *(("covered: scarf", 20), ("plain", 50), ("no face: animal", 4), ("plain", 45)),
)
#: Frames of a part that are rendered; they are shown there and back again.
RENDERED = 48
#: Milliseconds between frames, in turn: a phone's in changing light.
STEPS = (40, 40, 41, 39, 50, 66, 40, 33, 34, 100, 60, 40, 150, 80)
#: A face of which the other person hides more than this is covered by somebody.
_HIDDEN = 0.05


class Seen(NamedTuple):
    """A face.

    Attributes:
        number: of the person.
        middle: `(2,)` x, y, pixels.
        pspi: its level.
        hidden: which share of it somebody else hides.
    """

    number: int
    middle: np.ndarray
    pspi: float
    hidden: float = 0.0


class Shown(NamedTuple):
    """A picture `(H, W, 3)` uint8 RGB, the part of the film that it belongs to, and its faces."""

    part: str
    picture: np.ndarray
    people: tuple[Seen, ...] = ()


def shown_in(place: int, part: str, count: int) -> Iterator[Shown]:
    """Yield `count` frames of a part, of which few are rendered."""
    kind, _, how = part.partition(": ")
    if kind == "no face":
        made = [Shown(part, _empty(how, place))]
    elif kind == "two people":
        made = list(_crossing(part, place, count))
    else:
        made = list(_alone(part, kind, how, place))
    there_and_back = cycle([*made, *made[-2:0:-1]])
    for _ in range(count):
        yield next(there_and_back)


def _empty(how: str, place: int) -> np.ndarray:
    """Return a picture without a face."""
    if how == "black":
        return np.zeros((*SIZE, 3), np.uint8)
    if how == "wall":
        return background(Lens(scene_seed=place, background="room"), *SIZE)
    picture = faceless(how, np.random.default_rng(place))
    return cv2.resize(picture, SIZE[::-1], interpolation=cv2.INTER_AREA)


def _alone(part: str, kind: str, how: str, place: int) -> Iterator[Shown]:
    """Yield the first person, plain, turned by about so many degrees, or covered."""
    drawing = None
    for frame in frames_of(SEED, 0, place, RENDERED):
        pose = frame.pose
        if kind == "turned":
            pose = replace(pose, yaw=float(how) + pose.yaw / 3)
        made = render(person_of(SEED, 0), frame.expression, pose, frame.light, frame.lens, SIZE)
        picture = made.picture
        if kind == "covered":
            drawing = _over_the_mouth(made, how) if drawing is None else drawing
            picture = _covered(made, how, drawing).picture
        yield Shown(part, picture, (Seen(0, _middle(made), frame.pspi),))


def _covered(made: Rendering, how: str, drawing: int) -> Occluded:
    return occlude(made.picture, made.landmarks_px, how, np.random.default_rng(drawing))


def _over_the_mouth(made: Rendering, how: str) -> int:
    """Return the first seed whose drawing hides three quarters of the mouth and not the eyes."""
    for drawing in range(1000):
        seen = seen_shares(_covered(made, how, drawing).hides, made.landmarks_px)
        if seen["mouth"] <= 0.25 and min(seen["right_eye"], seen["left_eye"]) > 0.9:
            return drawing
    raise AssertionError(how)


def _middle(made: Rendering) -> np.ndarray:
    return np.asarray(made.landmarks_px[:468, :2].mean(axis=0))


def _crossing(part: str, place: int, count: int) -> Iterator[Shown]:
    """Yield two people of whom the second passes before the first, to the right and back."""
    moments = min(count, 4 * RENDERED)
    ours, theirs = (frames_of(SEED, who, place, moments) for who in (0, 1))
    for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        away = at / (moments - 1)
        behind = replace(one.pose, face_height=0.38, centre=(0.5, 0.45))
        before = replace(other.pose, face_height=0.42, centre=(0.14 + 0.72 * away, 0.52))
        first = render(person_of(SEED, 0), one.expression, behind, one.light, one.lens, SIZE)
        second = render(person_of(SEED, 1), other.expression, before, one.light, one.lens, SIZE)
        stands = np.isfinite(second.depth)
        picture = np.where(stands[..., None], second.picture, first.picture)
        x, y = np.round(first.landmarks_px[:468, :2]).astype(int).T
        seen = stands[y.clip(0, SIZE[0] - 1), x.clip(0, SIZE[1] - 1)]
        hidden = float(seen.mean())
        faces = Seen(0, _middle(first), one.pspi, hidden), Seen(1, _middle(second), other.pspi)
        yield Shown(part, picture, faces)


def write(path: Path) -> tuple[list[int], list[Shown]]:
    """Write the film; return when each frame is shown, milliseconds, and what is true of it."""
    times: list[int] = []
    truth: list[Shown] = []
    steps, now = cycle(STEPS), 0
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=25, options={"crf": "18"})
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = Fraction(1, 1000)
        end = 0
        for place, (part, seconds) in enumerate(PARTS):
            end += 1000 * seconds
            moments = []
            while now < end:
                moments.append(now)
                now += next(steps)
            shown = shown_in(place, part, len(moments))
            for moment, each in zip(moments, shown, strict=True):
                frame = av.VideoFrame.from_ndarray(each.picture, format="rgb24")
                frame.pts, frame.time_base = moment, Fraction(1, 1000)
                file.mux(stream.encode(frame))
                truth.append(each._replace(picture=np.empty(0)))
            times += moments
        file.mux(stream.encode())
    return times, truth


class Compared:
    """Counts what rows say beside what is true.

    Args:
        rows: of the table.
        truth: what each frame shows.
    """

    def __init__(self, rows: list[dict[str, str]], truth: list[Shown]) -> None:
        self.parts: dict[str, Counter] = defaultdict(Counter)
        self.people: dict[str, Counter] = defaultdict(Counter)
        self.scores: list[tuple[float, float]] = []
        by_frame: dict[int, list[dict[str, str]]] = defaultdict(list)
        for row in rows:
            by_frame[int(row["frame"])].append(row)
        self.frames = len(by_frame)
        for at, shown in enumerate(truth):
            if shown.people:
                self._faces(shown, [row for row in by_frame[at] if row["status"] == "ok"])
            else:
                own = by_frame[at]
                said = len(own) == 1 and own[0]["status"] != "ok" and own[0]["reason"] != ""
                status = own[0]["status"] if said else "without its reason"
                self.parts[shown.part].update(["frames", status])

    def _faces(self, shown: Shown, found: list[dict[str, str]]) -> None:
        kind = shown.part.partition(":")[0]
        lacking = dict(enumerate(shown.people))
        for row in found:
            sides = (("box_left", "box_right"), ("box_top", "box_bottom"))
            middle = [(float(row[low]) + float(row[high])) / 2 for low, high in sides]
            nearest = min(
                range(len(shown.people)),
                key=lambda who: float(np.hypot(*(shown.people[who].middle - middle))),
            )
            who = shown.people[nearest]
            self.people[row["face"]].update([who.number])
            told = "abstained" if row["abstained"] == "true" else "scored"
            counts = self.parts[self._part(shown, who)]
            counts.update(["a face too many" if nearest not in lacking else told])
            counts.update(f"why: {why}" for why in row["why"].split("; ") if why)
            lacking.pop(nearest, None)
            if kind == "plain" and told == "scored":
                self.scores.append((float(row["prediction"]), who.pspi))
        for who in shown.people:
            self.parts[self._part(shown, who)].update(["faces"])
        for who in lacking.values():
            self.parts[self._part(shown, who)].update(["not found"])

    def _part(self, shown: Shown, who: Seen) -> str:
        return f"{shown.part}, behind the other" if who.hidden > _HIDDEN else shown.part

    def share(self, kinds: tuple[str, ...], *told: str) -> float:
        """Return which share of the faces in parts of these kinds has been told so."""
        chosen = [found for part, found in self.parts.items() if part.split(":")[0] in kinds]
        return sum(found[name] for found in chosen for name in told) / sum(
            found["faces"] for found in chosen
        )


def measured(model: Path, folder: Path) -> dict:
    """Return the figures."""
    film, table = folder / "film.mp4", folder / "rows.csv"
    times, truth = write(film)
    listed, _ = probed(film)
    predict([film], model, table, mode="video", device="cpu")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = Compared(rows, truth)
    frames = [int(row["frame"]) for row in rows]
    told = np.array([float(row["time_s"]) for row in rows])
    predicted, known = np.array(found.scores).T
    people = {face: dict(who) for face, who in found.people.items()}
    return {
        "frames": {"written": len(times), "ffprobe": len(listed), "in the table": found.frames},
        "times most apart, ms": {
            "from those written": float(np.abs(1e3 * told - np.array(times)[frames]).max()),
            "from ffprobe's": 1e3
            * float(np.abs(told - np.array(listed, np.float64)[frames]).max()),
        },
        "frames without a face but without its reason": sum(
            each["without its reason"] for each in found.parts.values()
        ),
        "numbers of face, and whom they stand for": people,
        "numbers that stand for two people": sum(len(who) > 1 for who in people.values()),
        "turned or covered: abstained or not found": found.share(
            ("turned", "covered"), "abstained", "not found"
        ),
        "turned or covered: abstained where found": 1
        - found.share(("turned", "covered"), "scored")
        / (1 - found.share(("turned", "covered"), "not found")),
        "the rest: abstained": found.share(("plain", "two people"), "abstained"),
        "the rest: not found": found.share(("plain", "two people"), "not found"),
        "plain: MAE": float(mae(predicted, known)),
        "plain: CCC": float(ccc(predicted, known)),
        "parts": {part: dict(each) for part, each in found.parts.items()},
    }


def main() -> None:
    """Render, score, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--folder", type=Path, help="keeps film and table")
    given, begun = parser.parse_args(), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = given.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        found = measured(given.model, folder)
    record("ten minutes", found, time.monotonic() - begun)


if __name__ == "__main__":
    main()
