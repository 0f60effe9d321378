"""The training loop against the published one, on the same network and the same data.

    python -m benchmarks.training speed                      # demo size, CPU or GPU as found
    python -m benchmarks.training speed --size 224 --backbone resnet50     # all figures of a GPU
    python -m benchmarks.training memory --pictures 50000
    python -m benchmarks.training network

Each writes benchmarks/results/training-<what>-<date>.json with machine, versions and commit. The
published loop (`benchmarks/published_loop.py`) has all threads; so has ours, once alone and, on a
CPU, once as the workflow trains: as many folds side by side as there are cores, one thread each.
The floor is the network's forward and backward pass alone, in our layout, on pictures that lie on
the device.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import polars as pl
import torch
from torch.utils.flop_counter import FlopCounterMode

from aacsfnet.cohort.selection import Selection
from aacsfnet.config import NetworkSettings, Train, validate
from aacsfnet.devices import lease
from aacsfnet.labels import Label
from aacsfnet.models import Network, create_model
from aacsfnet.training import fit as fitting
from aacsfnet.training.about import environment, peak_memory_mb, precision
from aacsfnet.training.build import build
from aacsfnet.training.build import network_of as configured
from aacsfnet.training.data import Batches
from aacsfnet.training.material import Material
from benchmarks.published_loop import published

RESULTS = Path(__file__).parent / "results"


def write_array(path: Path, count: int, size: int) -> np.ndarray:
    """Return a mapped array of pictures with some structure, written a block at a time."""
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (count, size, size, 3))
    random = np.random.default_rng(0)
    for start in range(0, count, 500):
        coarse = random.integers(0, 256, (min(500, count - start), 8, 8, 3), np.uint8)
        images[start : start + 500] = coarse.repeat(size // 8, 1).repeat(size // 8, 2)
    images.flush()
    return np.load(path, mmap_mode="r")


class Clock(lightning.Callback):
    """Takes the time from after the first steps to the end of the last."""

    def __init__(self, skip: int) -> None:
        self.skip, self.started, self.seconds = skip, 0.0, 0.0
        self.waiting, self.processor = 0.0, 0.0

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Start after the first steps."""
        if trainer.global_step == self.skip:
            _finish(trainer.strategy.root_device)
            self.started, self.waiting = time.perf_counter(), 0.0
            self.processor = time.process_time()

    def on_train_epoch_end(self, trainer: Any, *_: Any) -> None:
        """Stop."""
        _finish(trainer.strategy.root_device)
        self.seconds = time.perf_counter() - self.started
        self.processor = time.process_time() - self.processor


def floor(
    model: Network, batch: int, size: int, steps: int, device: torch.device, half: bool
) -> dict[str, float]:
    """Return pictures a second of forward and backward pass alone: what no loop can pass."""
    model.to(device, memory_format=torch.channels_last).train()
    pictures = torch.rand(batch, 3, size, size, device=device)
    pictures = pictures.contiguous(memory_format=torch.channels_last)
    started, processor = 0.0, 0.0
    for step in range(steps + 3):
        if step == 3:
            _finish(device)
            started, processor = time.perf_counter(), time.process_time()
        model.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = model.raw(pictures).float().square().mean()
        loss.backward()
    _finish(device)
    done = batch * steps
    return {
        "pictures_a_second": done / (time.perf_counter() - started),
        "pictures_a_processor_second": done / (time.process_time() - processor),
    }


def work(model: Network, size: int) -> float:
    """Return the GFLOP of a picture's forward and backward pass."""
    with FlopCounterMode(display=False) as counter:
        model.raw(torch.rand(2, 3, size, size)).square().mean().backward()
    return counter.get_total_flops() / 2e9


def peak(device: torch.device, kind: torch.dtype) -> float:
    """Return the GFLOP/s of a large matrix product, the most that the device does."""
    side = 8192 if device.type == "cuda" else 1024
    first, second = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    times = []
    for _ in range(12):
        _finish(device)
        started = time.process_time() if device.type == "cpu" else time.perf_counter()
        first @ second
        _finish(device)
        ended = time.process_time() if device.type == "cpu" else time.perf_counter()
        times.append(ended - started)
    return 2 * side**3 / min(times) / 1e9


def _one_of_several(
    settings: Train, path: Path, steps: int, device: torch.device
) -> dict[str, float]:
    torch.set_num_threads(1)
    return ours(settings, np.load(path, mmap_mode="r"), steps, device)


def side_by_side(settings: Train, path: Path, steps: int, jobs: int) -> dict[str, float]:
    """Return the pictures a second of several runs together, one thread each, as folds run."""
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        cpu = torch.device("cpu")
        runs = [pool.submit(_one_of_several, settings, path, steps, cpu) for _ in range(jobs)]
        found = [run.result() for run in runs]
    return {
        "pictures_a_second": sum(each["pictures_a_second"] for each in found),
        "pictures_a_processor_second": float(
            np.mean([each["pictures_a_processor_second"] for each in found])
        ),
        "waiting_share": max(each["waiting_share"] for each in found),
    }


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ours(settings: Train, images: np.ndarray, steps: int, device: torch.device) -> dict[str, float]:
    """Return pictures a second of this package's loop, and the share of time spent waiting."""
    random = np.random.default_rng(0)
    rows = random.permutation(len(images))[: settings.batch * (steps + 5)]
    table = pl.DataFrame(
        {
            "row": rows,
            "label": random.integers(0, 5, len(rows)).astype(float),
            "subject": ["a"] * len(rows),
            "synthetic": [False] * len(rows),
            "pool": [False] * len(rows),
        }
    )
    empty = table.head(0)
    label = Label("pspi", 0.0, 16.0, "stand-in")
    material = Material(images, Selection(table, empty, empty, empty), label, 1.0)
    model = build(settings, material, 0)
    clock = Clock(skip=5)
    original_callbacks, original_iterate = fitting._callbacks, Batches.__iter__

    def timed(self: Batches) -> Iterator:
        batches = original_iterate(self)
        while True:
            asked = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            clock.waiting += time.perf_counter() - asked
            yield batch

    fitting._callbacks = lambda *given: [clock]
    Batches.__iter__ = timed
    try:
        with tempfile.TemporaryDirectory() as folder:
            fitting.fit(
                model,
                settings,
                material,
                seed=0,
                state=Path(folder) / "run" / "state",
                events=Path(folder) / "events",
                device=device,
            )
    finally:
        fitting._callbacks, Batches.__iter__ = original_callbacks, original_iterate
    done = len(rows) - 5 * settings.batch
    return {
        "pictures_a_second": done / clock.seconds,
        "pictures_a_processor_second": done / clock.processor,
        "waiting_share": clock.waiting / clock.seconds,
    }


def speed(given: argparse.Namespace) -> dict:
    """All loops in one run, in turn, several times; the median of each."""
    with tempfile.TemporaryDirectory() as folder, lease() as device:
        batch = given.batch or (256 if device.type == "cuda" else 32)
        settings = settings_of(given, batch)
        path = Path(folder) / "images.npy"
        images = write_array(path, given.pictures or batch * (given.steps + 5), given.size)
        found: dict[str, list[dict]] = {"published": [], "ours": []}
        for _ in range(given.rounds):
            rest = given.size, given.steps, device
            found["published"].append(published(network_of(settings, given.size), *rest))
            found["ours"].append(ours(settings, images, given.steps, device))
            if device.type == "cpu":
                rates = side_by_side(settings, path, given.steps, given.jobs)
                found.setdefault("ours, side by side", []).append(rates)
            for half in (False, True):
                network = network_of(settings, given.size)
                rates = floor(network, batch, *rest, half)
                found.setdefault(f"floor, {'bf16' if half else 'fp32'}", []).append(rates)
        kinds = (torch.float32, torch.bfloat16)
        peaks = {str(kind).removeprefix("torch."): peak(device, kind) for kind in kinds}
    medians, best = (
        {
            name: {unit: float(of([each[unit] for each in rounds])) for unit in rounds[0]}
            for name, rounds in found.items()
        }
        for of in (np.median, np.max)
    )
    bare = f"floor, {'bf16' if precision(device) == 'bf16-mixed' else 'fp32'}"
    units = ("pictures_a_second", "pictures_a_processor_second")
    return {
        "size": given.size,
        "backbone": given.backbone,
        "batch": {"published": 32, "ours": batch},
        "device": str(device),
        "jobs side by side": given.jobs,
        "peak_memory_mb": peak_memory_mb(),
        "gflop_a_picture": work(network_of(settings, given.size), given.size),
        # Of one core, or of the GPU.
        "gflop_a_second_of_a_matrix_product": peaks,
        "rounds": found,
        "median": medians,
        # Of the rounds: nearest to what an idle machine would do.
        "best": best,
        "times_faster_than_published": {
            name: {unit: medians[name][unit] / medians["published"][unit] for unit in units}
            for name in medians
            if name != "published"
        },
        "share_of_floor": {unit: medians["ours"][unit] / medians[bare][unit] for unit in units},
    }


def settings_of(given: argparse.Namespace, batch: int) -> Train:
    """Return the demo's settings, or from 224 pixels on those of a study."""
    network: Any = {"backbone": given.backbone}
    if given.size >= 224:
        network = NetworkSettings(**network)
    keys = {"network": network, "batch": batch, "epochs": 1, "pretrained": None}
    return validate({"train": keys}).train


def network_of(settings: Train, size: int) -> Network:
    """Return the same network as our loop trains."""
    return configured(settings, size, (0.0, 16.0))


def memory(given: argparse.Namespace) -> dict:
    """What the loader itself holds while it goes over all pictures once."""
    with tempfile.TemporaryDirectory() as folder:
        images = write_array(Path(folder) / "images.npy", given.pictures or 50_000, given.size)
        loader = Batches(images, np.arange(len(images)), np.zeros(len(images)), batch=32, seed=1)
        before = _held()
        most = before
        for number, _ in enumerate(loader):
            if number % 50 == 0:
                most = {name: max(most[name], held) for name, held in _held().items()}
    return {
        "pictures": len(images),
        "size": given.size,
        "array_mb": images.nbytes >> 20,
        "own_mb": most["own"] - before["own"],
        # Pages of the mapped file: the system takes them back when it needs them.
        "mapped_mb": most["mapped"] - before["mapped"],
    }


def _held() -> dict[str, int]:
    lines = Path("/proc/self/status").read_text().splitlines()
    sizes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Rss")}
    return {"own": int(sizes["RssAnon"]) >> 10, "mapped": int(sizes["RssFile"]) >> 10}


def network(_: argparse.Namespace) -> dict:
    """Parameters and multiplications of the full-size network and the published one, at 224."""
    found = {}
    over_positions = {"embedding": "convolution", "fusion": "positions"}
    bare = over_positions | {"attention": ()}
    for title, name, settings in (
        ("aacsfnet", "aacsfnet", {}),
        ("aacsfnet, convolution and positions", "aacsfnet", over_positions),
        ("and without the module", "aacsfnet", bare),
        ("and with regions", "aacsfnet", bare | {"regions": True}),
        ("published", "published", {"batch": 1}),
    ):
        with torch.device("meta"):
            model = create_model(name, **settings).eval()
            with FlopCounterMode(display=False) as counter, torch.no_grad():
                model(torch.empty(1, 3, 224, 224))
        found[title] = {
            "parameters_millions": sum(each.numel() for each in model.parameters()) / 1e6,
            "gflop_a_picture": counter.get_total_flops() / 1e9,
        }
    return found


def main() -> None:
    """Run one benchmark and write its result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("speed", "memory", "network"))
    parser.add_argument("--size", type=int, default=64, help="side of the pictures, pixels")
    parser.add_argument("--backbone", default="test_resnet")
    parser.add_argument("--batch", type=int, help="pictures a step, our loop (CPU 32, GPU 256)")
    parser.add_argument("--steps", type=int, default=40, help="steps timed, each loop")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs side by side, CPU")
    parser.add_argument("--pictures", type=int, help="pictures in the array")
    given = parser.parse_args()
    result = {"speed": speed, "memory": memory, "network": network}[given.what](given)
    with lease() as device:
        result["environment"] = environment(device)
    result |= {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
        "load": os.getloadavg(),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"training-{given.what}-{datetime.now(UTC):%Y-%m-%d}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
