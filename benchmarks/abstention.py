"""Is abstained where a face must not be scored, and only there?

    python -m benchmarks.abstention --model build/intervals/people/demo/experiments/full

Renders films of people that no network was trained on, encodes them and scores them as `aacsfnet
predict` does: in each a third of the frames is as in training, in another the head is turned by 40
to 60 degrees, in the last a hand's colour covers mouth or eyes. States the share of frames with a
face that is abstained on in each part, and of the turned and covered frames how many have no face
at all, which is a reason, too. The model is an experiment as `benchmarks.intervals` trains it.
Writes benchmarks/results/abstention-<date>.json.
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np

from aacsfnet.inference import Predictor
from aacsfnet.landmark_sets import LIPS, REGION_POINTS
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Rendering, render
from aacsfnet.rendering.sequences import frames_of, person_of
from benchmarks.pays_people import one_thread
from benchmarks.records import record

SEED, SIDE, FRAMES = 13, 256, 24
PARTS = ("plain", "turned", "mouth covered", "eyes covered")


def film(number: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the part and the picture of each frame of a person's film."""
    person, random = person_of(SEED, number), np.random.default_rng(number)
    for place, part in enumerate(PARTS):
        for frame in frames_of(SEED, number, place, FRAMES):
            pose = frame.pose
            if part == "turned":
                side = 1 if number % 2 else -1
                pose = replace(pose, yaw=side * random.uniform(40, 60))
            made = render(person, frame.expression, pose, frame.light, frame.lens, SIDE)
            yield part, _covered(made, person, part) if "covered" in part else made.picture


def _covered(made: Rendering, person: Person, part: str) -> np.ndarray:
    """Return a picture whose mouth or eyes lie behind a patch of one colour and some grain."""
    points = made.landmarks_px[list(LIPS if part.startswith("mouth") else REGION_POINTS["eyes"])]
    (left, top), (right, bottom) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    middle = int((left + right) / 2), int((top + bottom) / 2)
    axes = int(0.75 * (right - left)), int(0.6 * (right - left) if "mouth" in part else 22)
    picture = made.picture.copy()
    cv2.ellipse(picture, middle, axes, 0, 0, 360, (70, 90, 130), -1)
    return picture


def write(path: Path, pictures: list[np.ndarray]) -> None:
    """Write a film of 25 frames a second."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"crf": "18"})
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


def judged(predictor: Predictor, people: int, folder: Path) -> dict[str, Counter]:
    """Return how many frames of each part have no face, are abstained on and why, or are scored."""
    counts = {part: Counter() for part in PARTS}
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(people):
        path = folder / f"{number:03d}.mp4"
        made = list(film(number))
        write(path, [picture for _, picture in made])
        seen: dict[int, list[dict]] = {}
        for row in predictor.video(path, people="largest"):
            seen.setdefault(row["frame"], []).append(row)
        for at, (part, _) in enumerate(made):
            row = seen[at][0]
            found = "scored" if row["status"] == "ok" and not row["abstained"] else "abstained"
            counts[part].update([found if row["status"] == "ok" else "no face"])
            counts[part].update(f"why: {why}" for why in (row.get("why") or "").split("; ") if why)
    return counts


def main() -> None:
    """Render, score, print and write."""
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--folder", type=Path, default=Path("build/abstention"))
    given, begun = parser.parse_args(), time.monotonic()
    counts = judged(Predictor(given.model), given.people, given.folder)
    results = {
        part: {
            "frames": given.people * FRAMES,
            "not scored": round(1 - found["scored"] / (given.people * FRAMES), 4),
            **dict(found.most_common()),
        }
        for part, found in counts.items()
    }
    record("abstention", {"people": given.people} | results, time.monotonic() - begun)


if __name__ == "__main__":
    main()
