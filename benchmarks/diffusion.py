"""How fast generation is on a device, and what each measure gained: one call, one table.

    python -m benchmarks.diffusion              # Stable Diffusion 1.5 with a ControlNet, 512 pixels
    python -m benchmarks.diffusion --small      # the same lines on a tiny network, for a CPU

The networks have the full architecture and random weights, so nothing is fetched. Each row of the
table adds one measure to the row above it. Ten of twenty steps run (strength 0.5), with guidance.
Only numpy, OpenCV, Pillow, torch, diffusers and transformers are needed beside this repository.
Writes benchmarks/results/diffusion-<device>-<date>.json with machine, versions and commit.
"""

import argparse
import io
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import diffusers
import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTextConfig, CLIPTextModel

from aacsfnet.augmentation.diffusion.generation import Generator
from aacsfnet.augmentation.diffusion.pipelines import compile_networks, lay_out
from aacsfnet.augmentation.diffusion.recipe import Recipe
from aacsfnet.augmentation.diffusion.tasks import Task
from aacsfnet.augmentation.local_models import quieten
from aacsfnet.software import commit, versions
from tools.miniature.tokenizer import build_tokenizer

RESULTS = Path(__file__).parent / "results"
PROMPT = "closed eyes, strongly lowered brows, face of a woman, a strong expression of pain"
NEGATIVE = "blurred, deformed"
#: Half of the steps run.
RECIPE = {"strength": 0.5, "steps": 20, "guidance_scale": 6.0, "conditioning_scale": 1.0}
STEPS = 10
FULL = {
    "size": 512,
    "unet": (320, 640, 1280, 1280),
    "hint": (16, 32, 96, 256),
    "vae": (128, 256, 512, 512),
    "text": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12},
    "groups": 32,
    "layers": 2,
}
SMALL = {
    "size": 64,
    "unet": (32, 32, 64, 64),
    "hint": (8, 8, 8, 8),
    "vae": (8, 8, 16, 16),
    "text": {"hidden_size": 96, "intermediate_size": 192, "num_hidden_layers": 2},
    "groups": 8,
    "layers": 1,
}
Row = dict[str, Any]


def build(shape: dict[str, Any]) -> Any:
    """Return the pipeline with random weights, on the default device."""
    common = {
        "block_out_channels": shape["unet"],
        "layers_per_block": shape["layers"],
        "cross_attention_dim": shape["text"]["hidden_size"],
        "norm_num_groups": shape["groups"],
    }
    controlnet: Any = diffusers.ControlNetModel(
        conditioning_embedding_out_channels=shape["hint"], **common
    )
    # Zeros are multiplied faster than numbers, so no layer may stay zero.
    zeroed = (*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block)
    for layer in (*zeroed, controlnet.controlnet_cond_embedding.conv_out):
        layer.reset_parameters()
    with torch.device("cpu"):  # a scheduler has numbers, no weights
        scheduler = diffusers.UniPCMultistepScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"
        )
    return diffusers.StableDiffusionControlNetImg2ImgPipeline(
        vae=diffusers.AutoencoderKL(
            block_out_channels=shape["vae"],
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=shape["layers"],
            norm_num_groups=shape["groups"],
            sample_size=shape["size"],
        ),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(vocab_size=49408, num_attention_heads=12, **shape["text"])
        ),
        tokenizer=build_tokenizer(),
        unet=diffusers.UNet2DConditionModel(sample_size=shape["size"] // 8, **common),
        controlnet=controlnet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def teraflop(shape: dict[str, Any]) -> Row:
    """Return the operations of each network's pass for one picture, in 10^12, and of a picture.

    Counted on tensors without storage: multiplications and additions of matrix products,
    convolutions and attention.
    """
    with torch.device("meta"):
        pipeline = build(shape)
        small = shape["size"] // 8
        latents = torch.zeros(1, 4, small, small)
        picture = torch.zeros(1, 3, shape["size"], shape["size"])
        words = torch.zeros(1, 77, shape["text"]["hidden_size"])
        level = torch.zeros(1, dtype=torch.long)
        passes: dict[str, Callable[[], Any]] = {
            "unet": lambda: pipeline.unet(latents, level, words),
            "controlnet": lambda: pipeline.controlnet(latents, level, words, picture),
            "vae_encode": lambda: pipeline.vae.encode(picture),
            "vae_decode": lambda: pipeline.vae.decode(latents),
        }
        counted = {}
        for name, run in passes.items():
            with FlopCounterMode(display=False) as counter, torch.inference_mode():
                run()
            counted[name] = counter.get_total_flops() / 1e12
    steps = 2 * STEPS * (counted["unet"] + counted["controlnet"])  # twice for guidance
    return counted | {"picture": steps + counted["vae_encode"] + counted["vae_decode"]}


def matmul_peak(device: torch.device, side: int) -> Row:
    """Return the rate of a large matrix product, 10^12 operations a second; the best of five."""
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = 0.0
    for _ in range(6):  # the first warms up
        settle(device)
        start = time.perf_counter()
        for _ in range(10):
            left @ right
        settle(device)
        best = max(best, 10 * 2 * side**3 / (time.perf_counter() - start) / 1e12)
    return {"side": side, "dtype": str(dtype), "teraflop_a_second": best}


def settle(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def tasks_of(count: int, size: int, variants: int = 1) -> list[Task]:
    """Return tasks; so many after one another share their source."""
    random = np.random.default_rng(0)
    made = []
    for number in range(count):
        if number % variants == 0:
            image = random.integers(0, 255, (size, size, 3), dtype=np.uint8)
            depth = random.integers(0, 65535, (size, size), dtype=np.uint16)
        made.append(Task(image, depth, f"{PROMPT}, {number % 16}", NEGATIVE, number))
        _ = made[-1].source_key  # the stage's threads compute it beside the device's work
    return made


def encode(picture: np.ndarray) -> int:
    """Return the length of a picture as PNG, as `aacsfnet.tables.encode_png` writes it."""
    done, encoded = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return len(encoded)


def one_call(pipeline: Any, task: Task) -> None:
    """Make one picture as the published script makes it: texts and pictures in, a PNG out."""
    pictures = pipeline(
        prompt=task.prompt,
        negative_prompt=task.negative_prompt,
        image=Image.fromarray(task.image),
        control_image=Image.fromarray((task.depth // 257).astype(np.uint8)).convert("RGB"),
        strength=RECIPE["strength"],
        num_inference_steps=RECIPE["steps"],
        guidance_scale=RECIPE["guidance_scale"],
        controlnet_conditioning_scale=RECIPE["conditioning_scale"],
        generator=torch.Generator("cpu").manual_seed(42),
        output_type="np",
    ).images
    levels = (np.nan_to_num(pictures[0]) * 255).round().astype(np.uint8)
    Image.fromarray(levels).save(io.BytesIO(), format="PNG")


def generate(generator: Generator, tasks: list[Task], in_worker: bool) -> int:
    """Make and encode pictures as the stage does; return how many had a fault."""
    faults = 0
    with ThreadPoolExecutor(1) as worker:
        for batch in generator.generate(tasks):
            faults += sum(bool(result.fault) for result in batch)
            pictures = [result.picture for result in batch if result.picture is not None]
            if in_worker:
                worker.submit(lambda some=pictures: [encode(picture) for picture in some])
            else:
                for picture in pictures:
                    encode(picture)
    return faults


class Ladder:
    """Rows of the table, each measured by as many pictures as the time allows."""

    def __init__(self, device: torch.device, shape: dict[str, Any], seconds: float) -> None:
        self.device, self.shape, self.seconds = device, shape, seconds
        self.work = teraflop(shape)
        self.peak = matmul_peak(device, 8192 if device.type == "cuda" else 512)
        self.rows: list[Row] = []

    def measure(self, name: str, batch: int, run: Callable[[list[Task]], Any], **more: Any) -> None:
        """Add a row: `run` makes the tasks that it is given; it has run once before to warm up."""
        variants = more.pop("variants", 1)
        start = time.perf_counter()
        run(tasks_of(batch, self.shape["size"], variants))
        settle(self.device)
        warm_up = time.perf_counter() - start
        start = time.perf_counter()
        run(tasks_of(batch, self.shape["size"], variants))
        settle(self.device)
        once = time.perf_counter() - start
        count = batch * max(2, min(64, round(self.seconds / once)))
        tasks = tasks_of(count, self.shape["size"], variants)
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        settle(self.device)
        start = time.perf_counter()
        faults = run(tasks)
        settle(self.device)
        rate = count / (time.perf_counter() - start)
        row = {
            "measure": name,
            "batch": batch,
            "pictures": count,
            "pictures_a_second": rate,
            "teraflop_a_second": rate * self.work["picture"],
            "share_of_matmul_peak": rate * self.work["picture"] / self.peak["teraflop_a_second"],
            "times_the_row_above": rate / self.rows[-1]["pictures_a_second"] if self.rows else None,
            "warm_up_seconds": warm_up,
            "faults": faults or 0,
        } | more
        if self.device.type == "cuda":
            row["gigabytes"] = torch.cuda.max_memory_allocated(self.device) / 1e9
        self.rows.append(row)
        print(f"{rate:9.3f} pictures/s  {row['share_of_matmul_peak']:6.1%} of peak  {name}")


def published(folder: Path, device: torch.device, dtype: torch.dtype, size: int) -> Row:
    """Time the published way of working: the pipeline loaded for every picture."""
    loads, calls = [], []
    for task in tasks_of(3, size):
        start = time.perf_counter()
        pipeline = diffusers.StableDiffusionControlNetImg2ImgPipeline.from_pretrained(
            folder, dtype=dtype, local_files_only=True, safety_checker=None
        ).to(device)
        pipeline.set_progress_bar_config(disable=True)
        settle(device)
        loads.append(time.perf_counter() - start)
        start = time.perf_counter()
        one_call(pipeline, task)
        settle(device)
        calls.append(time.perf_counter() - start)
        del pipeline
    load, call = min(loads), min(calls)
    return {
        "load_seconds": load,
        "picture_seconds": call,
        "pictures_a_second": 1 / (load + call),
        "pictures_a_second_without_loading": 1 / call,
    }


def climb(ladder: Ladder, folder: Path, batches: Iterable[int], autotune: bool) -> Row:
    """Measure every row; return what the published way of working took."""
    device, shape = ladder.device, ladder.shape
    half = torch.bfloat16 if device.type == "cuda" else torch.float32
    theirs = torch.float16 if device.type == "cuda" else torch.float32
    with torch.device(device):
        torch.manual_seed(0)
        pipeline = build(shape)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.to(theirs)
    pipeline.save_pretrained(folder, safe_serialization=True)
    as_published = published(folder, device, theirs, shape["size"])
    print(json.dumps(as_published))

    def each(tasks: list[Task]) -> None:
        for task in tasks:
            one_call(pipeline, task)

    ladder.measure(f"loaded once, {theirs}", 1, each)

    def made(batch: int, in_worker: bool) -> Callable[[list[Task]], int]:
        generator = Generator(pipeline, Recipe(batch=batch, **RECIPE))
        return lambda tasks: generate(generator, tasks, in_worker)

    if device.type == "cuda":
        pipeline.to(torch.float32)
        ladder.measure("(beside: float32 throughout)", 1, each)
    pipeline.to(half)
    first, *larger = batches
    ladder.measure(f"{half}, texts encoded once", 1, made(1, False))
    ladder.measure("constant batches", first, made(first, False))
    ladder.measure("PNG in a worker", first, made(first, True))
    lay_out(pipeline)
    ladder.measure("channels last", first, made(first, True))
    pipeline.fuse_qkv_projections()
    ladder.measure("(beside: fused attention projections)", first, made(first, True))
    pipeline.unfuse_qkv_projections()
    compile_networks(pipeline)
    ladder.measure("compiled by torch.compile", first, made(first, True), compiled=True)
    ladder.measure("four variants of a source", first, made(first, True), variants=4, compiled=True)
    for batch in larger:
        ladder.measure("larger batches", batch, made(batch, True), variants=4, compiled=True)
    if autotune:
        torch._dynamo.reset()
        compile_networks(pipeline, mode="max-autotune-no-cudagraphs")
        best = max(ladder.rows, key=lambda row: row["pictures_a_second"])["batch"]
        ladder.measure("(beside: autotuned)", best, made(best, True), variants=4, compiled=True)
    ladder.rows[-1]["kernels"] = kernels(device, made(first, True), tasks_of(first, shape["size"]))
    return as_published


def kernels(device: torch.device, run: Callable[[list[Task]], Any], tasks: list[Task]) -> list[Row]:
    """Return the twelve kernels that one batch spends most time in."""
    from torch.profiler import ProfilerActivity, profile

    run(tasks)
    on_gpu = device.type == "cuda"
    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu
    with profile(activities=kinds) as seen:
        run(tasks)
        settle(device)
    key = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    events = sorted(seen.key_averages(), key=lambda event: getattr(event, key), reverse=True)
    whole = sum(getattr(event, key) for event in events) or 1
    return [
        {"name": event.key[:90], "calls": event.count, "share": getattr(event, key) / whole}
        for event in events[:12]
    ]


def main() -> None:
    """Measure and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--small", action="store_true", help="tiny networks: only shows that it runs"
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--batches", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--autotune", action="store_true", help="max-autotune too: some minutes")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for the figures")
    given = parser.parse_args()
    quieten()
    diffusers.utils.logging.set_verbosity_error()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shape = SMALL if given.small else FULL
    ladder = Ladder(device, shape, given.seconds)
    print(json.dumps({"teraflop": ladder.work, "peak": ladder.peak}))
    with tempfile.TemporaryDirectory() as folder:
        as_published = climb(ladder, Path(folder), given.batches, given.autotune)
    best = max(ladder.rows, key=lambda row: row["pictures_a_second"])
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    today = datetime.now(UTC).date().isoformat()
    report = {
        "what": "tiny networks on this device: shows that each line runs, and no more"
        if given.small
        else "Stable Diffusion 1.5 and a ControlNet, full size, random weights, 512 pixels, 10 "
        "steps with guidance",
        "date": today,
        "commit": commit(),
        "device": name,
        "machine": f"{platform.machine()}, {platform.system()}, {os.cpu_count()} cores",
        "versions": versions("torch", "diffusers", "transformers", "numpy"),
        "recipe": RECIPE | {"effective_steps": STEPS, "scheduler": "unipc"},
        "teraflop": ladder.work,
        "matmul_peak": ladder.peak,
        "published": as_published,
        "rows": ladder.rows,
        "best": {
            "measure": best["measure"],
            "pictures_a_second": best["pictures_a_second"],
            "times_published": best["pictures_a_second"] / as_published["pictures_a_second"],
            "times_published_without_loading": best["pictures_a_second"]
            / as_published["pictures_a_second_without_loading"],
        },
    }
    given.output.mkdir(parents=True, exist_ok=True)
    kind = "-small" if given.small else ""
    path = given.output / f"diffusion-{name.lower().replace(' ', '-')}{kind}-{today}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report["best"], indent=1))
    print(path)


if __name__ == "__main__":
    main()
