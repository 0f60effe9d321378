"""Generation measured: speed, and whether depth steers and the label survives.

    python -m benchmarks.generation speed --pictures 64
    python -m benchmarks.generation faces --faces 96
    python -m benchmarks.generation depth

Each writes benchmarks/results/generation-<what>-<date>.json with machine, versions and commit.
Faces are rendered ones of people that neither the miniature's training nor the demo shows.
"""

import argparse
import json
import platform
import re
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np

from aacsfnet import devices
from aacsfnet.augmentation.generation import Generator, Recipe, Task
from aacsfnet.augmentation.mesh import mesh_depth
from aacsfnet.augmentation.model_files import describe, load_pipeline, model_folder
from aacsfnet.augmentation.quality import face_scores, faults, look_scores
from aacsfnet.augmentation.resemblance import landmark_errors
from aacsfnet.config import Generate, Prompts, Quality
from aacsfnet.faces.geometry import measure_all
from aacsfnet.faces.mesh import CropLandmarker
from tools.miniature.data import make

RESULTS = Path(__file__).parent / "results"
#: Numbers of faces that training never used: it took those from 0 on.
FIRST_FACE = 900_000
STRENGTHS = (0.3, 0.5, 0.7, 1.0)
#: Measures that AU43, AU4 and AU10 move.
LABEL_MEASURES = {"au43": "lid_opening", "au4": "brow_height", "au10": "upper_lip_raise"}
KEYS = ("strength", "steps", "guidance_scale", "conditioning_scale", "batch")


def generator_of(settings: Generate) -> Generator:
    """Return the bundled generator on the device that is free."""
    folder = model_folder("bundled")
    with devices.lease() as device:
        pipeline = load_pipeline(folder, folder / "controlnet", device, devices.precision(device))
    return Generator(pipeline, Recipe(**{key: getattr(settings, key) for key in KEYS}))


def held_out(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Return crops, 16-bit depth maps, landmarks and prompts of people never seen in training."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), count, FIRST_FACE)
        name = f"{FIRST_FACE:06d}"
        images, depths, points = (
            np.load(Path(folder) / f"{kind}-{name}.npy") for kind in ("images", "depths", "points")
        )
        prompts = json.loads((Path(folder) / f"prompts-{name}.json").read_text())
    return images, depths.astype(np.uint16) * 257, points.astype(float), prompts


def speed(pictures: int) -> dict:
    """Pictures a second with the default settings, the model loaded and texts encoded apart."""
    settings = Generate()
    start = time.perf_counter()
    generator = generator_of(settings)
    loaded = time.perf_counter() - start
    images, depths, _, prompts = held_out(24)
    tasks = [
        Task(images[i % 24], depths[i % 24], prompts[i % 24], Prompts().negative, i)
        for i in range(pictures)
    ]
    list(generator.generate(tasks[: settings.batch]))  # warms up
    start = time.perf_counter()
    made = sum(len(batch) for batch in generator.generate(tasks))
    seconds = time.perf_counter() - start
    return {
        "settings": settings.model_dump(),
        "load_seconds": loaded,
        "pictures": made,
        "pictures_a_second": made / seconds,
    }


def faces(count: int) -> dict:
    """The gate's verdict by strength; with another person's depth map, to see what steers."""
    images, depths, points, prompts = held_out(count)
    other = np.roll(np.arange(count), count // 2)
    apart = [landmark_errors(points[i], points[j])["landmark"] for i, j in enumerate(other)]
    report = {
        "faces": count,
        "gate": Quality().model_dump(),
        "median_distance_of_right_and_wrong": float(np.median(apart)),
        "strengths": {},
    }
    for strength in STRENGTHS:
        generator = generator_of(Generate(strength=strength))
        results = {}
        for kind, steering in (("right_depth", np.arange(count)), ("wrong_depth", other)):
            tasks = [
                Task(images[i], depths[steering[i]], prompts[i], Prompts().negative, i)
                for i in range(count)
            ]
            made = [result.picture for batch in generator.generate(tasks) for result in batch]
            results[kind] = judged(made, images, points, points[steering])
        report["strengths"][strength] = results
    return report


def judged(
    made: list[np.ndarray | None], images: np.ndarray, points: np.ndarray, asked: np.ndarray
) -> dict:
    """Return figures of pictures whose sources have `points` and whose depth shows `asked`."""
    errors, asked_errors, reasons, changes = [], [], [], []
    accepted_errors = []
    with CropLandmarker(0.5) as landmarker:
        for picture, image, source, wanted in zip(made, images, points, asked, strict=True):
            if picture is None:
                reasons.append(["failed"])
                continue
            scores = look_scores(picture, image, [])
            mesh = landmarker.find(picture)
            if landmarker.accepts(mesh):
                row = {"landmarks_px": source, "measures": measure_all(source)}
                scores |= face_scores(row, mesh.points)
                errors.append(scores["landmark_error"])
                asked_errors.append(landmark_errors(wanted, mesh.points)["landmark"])
            found = faults(scores, Quality())
            reasons.append([re.split(r" [\d.]+ | by ", reason)[0] for reason in found])
            if not found:
                accepted_errors.append(scores["landmark_error"])
                changes.append(seen_in_mirror(landmarker, picture, image))
    every = [reason for some in reasons for reason in some]
    bound = Quality().max_measure_difference
    return {
        "found": len(errors),
        "accepted_share": sum(not some for some in reasons) / len(made),
        "median_error_to_source": float(np.median(errors)),
        "median_error_to_depth": float(np.median(asked_errors)),
        "largest_error_of_accepted": max(accepted_errors, default=None),
        "label_kept_share": {
            unit: float(np.mean([abs(change[unit]) <= bound for change in changes]))
            if changes
            else None
            for unit in LABEL_MEASURES
        },
        "reasons": {reason: every.count(reason) for reason in sorted(set(every))},
    }


def seen_in_mirror(
    landmarker: CropLandmarker, picture: np.ndarray, source: np.ndarray
) -> dict[str, float]:
    """Return changes of the label's measures as found on mirror images.

    The gate saw the pictures themselves, so this is another look than the one they were chosen by.
    """
    first, second = (
        measure_all(landmarker.find(np.ascontiguousarray(image[:, ::-1])).points)
        for image in (source, picture)
    )
    return {unit: second[name] - first[name] for unit, name in LABEL_MEASURES.items()}


def depth() -> dict:
    """Milliseconds for a mesh depth map, best of 30."""
    _, _, points, _ = held_out(1)
    times = {}
    for size in (128, 512):
        rounds = []
        for _ in range(30):
            start = time.process_time()
            mesh_depth(points[0] * (size / 128), size, size)
            rounds.append((time.process_time() - start) * 1000)
        times[f"{size}"] = min(rounds)
    return {"milliseconds": times}


def main() -> None:
    """Run what the command line asks for and keep the figures."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("speed", "faces", "depth"))
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--faces", type=int, default=96)
    given = parser.parse_args()
    work = {
        "speed": lambda: speed(given.pictures),
        "faces": lambda: faces(given.faces),
        "depth": depth,
    }
    results = work[given.what]()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    today = datetime.now(UTC).date().isoformat()
    report = {
        "date": today,
        "commit": commit,
        "machine": f"{platform.processor() or platform.machine()}, {platform.system()}",
        "model": describe(model_folder("bundled")),
        "versions": {name: version(name) for name in ("torch", "diffusers", "mediapipe")},
        "results": results,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"generation-{given.what}-{today}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(results, indent=1))
    print(path)


if __name__ == "__main__":
    main()
