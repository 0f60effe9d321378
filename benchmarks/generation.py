"""Generation measured: speed, and whether depth steers and the label survives.

    python -m benchmarks.generation speed --pictures 64
    python -m benchmarks.generation faces --faces 96
    python -m benchmarks.generation kept --results results/demo
    python -m benchmarks.generation depth

Each writes benchmarks/results/generation-<what>-<date>.json with machine, versions and commit.
Faces are rendered ones of people that neither the miniature's training nor the demo shows.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from aacsfnet import devices
from aacsfnet.augmentation.depth.mesh import mesh_depth
from aacsfnet.augmentation.diffusion.generation import Generator
from aacsfnet.augmentation.diffusion.model_files import describe, find_model
from aacsfnet.augmentation.diffusion.pipelines import load_pipeline
from aacsfnet.augmentation.diffusion.recipe import recipe_of
from aacsfnet.augmentation.diffusion.tasks import Task
from aacsfnet.augmentation.gate.resemblance import landmark_errors
from aacsfnet.config import Generate, Prompts, Quality
from benchmarks.gate import judged, kept_in, on_like_pairs
from benchmarks.observer import load_or_train
from benchmarks.records import record
from tools.miniature.data import make

#: Numbers of faces that training never used: it took those from 0 on. The gate's settings were
#: chosen on those from 900,000 on, so these are other people again.
FIRST_FACE = 950_000
STRENGTHS = (0.3, 0.5, 0.7, 1.0)


def generator_of(settings: Generate) -> Generator:
    """Return the bundled generator on the device that is free."""
    files = find_model(settings)
    recipe = recipe_of(settings, files.kind)
    with devices.lease() as device:
        pipeline = load_pipeline(files, recipe, device, devices.precision(device))
    return Generator(pipeline, recipe)


def held_out(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Return crops, 16-bit depth maps, landmarks, prompts and numbers of people never met."""
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), count, FIRST_FACE)
        name = f"{FIRST_FACE:06d}"
        images, depths, points, people = (
            np.load(Path(folder) / f"{kind}-{name}.npy")
            for kind in ("images", "depths", "points", "people")
        )
        prompts = json.loads((Path(folder) / f"prompts-{name}.json").read_text())
    return images, depths.astype(np.uint16) * 257, points.astype(float), prompts, people


def speed(pictures: int, processes: int) -> dict:
    """Pictures a second with the default settings, the model loaded and texts encoded apart.

    Each process has one thread and a share of the pictures, as the workflow runs shards.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        parts = pool.map(one_speed, [pictures // processes] * processes, chunksize=1)
        pool.close()
        pool.join()
    seconds = max(part["end"] for part in parts) - min(part["start"] for part in parts)
    made = sum(part["pictures"] for part in parts)
    return {
        "settings": Generate().model_dump(),
        "processes": processes,
        "load_seconds": max(part["load_seconds"] for part in parts),
        "pictures": made,
        "pictures_a_second": made / seconds,
        "processor_seconds_a_picture": sum(part["busy"] for part in parts) / made,
        "load_of_machine": os.getloadavg()[0],  # these processes count too
    }


def one_speed(pictures: int) -> dict:
    """Make pictures in this process; times are those of the machine's clock."""
    settings = Generate()
    start = time.perf_counter()
    generator = generator_of(settings)
    loaded = time.perf_counter() - start
    images, depths, _, prompts, _ = held_out(24)
    tasks = [
        Task(images[i % 24], depths[i % 24], prompts[i % 24], Prompts().negative, i)
        for i in range(pictures)
    ]
    list(generator.generate(tasks[: settings.batch]))  # warms up
    start, busy = time.time(), time.process_time()
    made = sum(len(batch) for batch in generator.generate(tasks))
    return {
        "load_seconds": loaded,
        "pictures": made,
        "start": start,
        "end": time.time(),
        "busy": time.process_time() - busy,
    }


def faces(count: int, observer_file: Path) -> dict:
    """The gate's verdict by strength; with another person's depth map, to see what steers."""
    observer = load_or_train(observer_file)
    images, depths, points, prompts, people = held_out(count)
    other = np.roll(np.arange(count), count // 2)
    apart = [landmark_errors(points[i], points[j])["landmark"] for i, j in enumerate(other)]
    report = {
        "faces": count,
        "gate": Quality().model_dump(),
        "median_distance_of_right_and_wrong": float(np.median(apart)),
        "rendered_pairs": on_like_pairs(observer, count),
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
            results[kind] = judged(made, images, points, people, points[steering], observer)
        report["strengths"][strength] = results
    return report


def depth() -> dict:
    """Milliseconds for a mesh depth map, best of 30."""
    _, _, points, _, _ = held_out(1)
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
    parser.add_argument("what", choices=("speed", "faces", "kept", "depth"))
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--processes", type=int, default=2, help="of one thread each, for speed")
    parser.add_argument("--faces", type=int, default=96)
    parser.add_argument("--results", type=Path, default=Path("results/demo"))
    parser.add_argument(
        "--observer",
        type=Path,
        default=Path(tempfile.gettempdir()) / "aacsfnet-observer.safetensors",
        help="weights of the second observer; trained, in half an hour, where they are missing",
    )
    given = parser.parse_args()
    work = {
        "speed": lambda: speed(given.pictures, given.processes),
        "faces": lambda: faces(given.faces, given.observer),
        "kept": lambda: kept_in(given.results, load_or_train(given.observer)),
        "depth": depth,
    }
    started = time.perf_counter()
    results = work[given.what]()
    seconds = time.perf_counter() - started
    record(f"generation {given.what}", results, seconds, model=describe(find_model(Generate())))


if __name__ == "__main__":
    main()
