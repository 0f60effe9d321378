"""The generate stage: the pictures of the plan, each with the recipe it was made by."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aacsfnet import table
from aacsfnet.augmentation import provenance
from aacsfnet.augmentation.unfinished import Unfinished
from aacsfnet.config import Config, Generate

if TYPE_CHECKING:
    from aacsfnet.augmentation.generation import Generator, Result, Task

log = logging.getLogger(__name__)

_RECIPE_KEYS = ("strength", "steps", "guidance_scale", "conditioning_scale", "batch")
_REPORT_SECONDS = 15

Row = dict[str, Any]


def generate(config: Config, crop: Path, depth: Path, prompts: Path, output: Path) -> None:
    """Write the pictures of one shard. A job that was killed goes on behind its finished batches.

    Args:
        config: `generate` is used.
        crop: table of face crops.
        depth: table of their depth maps.
        prompts: table of the pictures to make.
        output: table to write.

    Raises:
        ModelFileError: the model folder is missing, incomplete or damaged.
        WorkError: crops and depth maps do not fit together, or memory is too small for one picture.
    """
    plan = list(table.read(prompts).iter_rows(named=True))
    wanted = [row for row in plan if row["status"] == "ok"]
    made = _make(config.generate, wanted, crop, depth, output) if wanted else {}
    rows = [made.get(row["image_id"]) or _row(row) for row in plan]
    table.write(output, table.frame("generate", rows), "generate")
    Unfinished(output, "").clear()


def _row(row: Row) -> Row:
    return table.carry(row, "generate") | {
        "source_frame_id": row["frame_id"],
        "variant": row["variant"],
        "seed": row["seed"],
    }


def _make(
    settings: Generate, wanted: list[Row], crop: Path, depth: Path, output: Path
) -> dict[str, Row]:
    """Return the finished rows by image id."""
    from aacsfnet import devices
    from aacsfnet.augmentation.generation import Generator, Recipe
    from aacsfnet.augmentation.model_files import (
        controlnet_folder,
        describe,
        load_pipeline,
        model_folder,
    )

    recipe = Recipe(**{key: getattr(settings, key) for key in _RECIPE_KEYS})
    folder = model_folder(settings.model, settings.controlnet)
    controlnet = controlnet_folder(folder, settings.controlnet)
    with devices.lease() as device:
        dtype = devices.precision(device)
        facts = {
            "model": describe(folder, controlnet),
            **{key: getattr(recipe, key) for key in _RECIPE_KEYS},
            "device": device.type,
            "versions": provenance.versions(),
        }
        key = provenance.recipe_text({"facts": facts, "dtype": str(dtype), "plan": wanted})
        unfinished = Unfinished(output, key)
        rows = unfinished.rows()
        if rows:
            log.info("going on behind %d finished pictures", len(rows))
        left = wanted[len(rows) :]
        if left:
            generator = Generator(load_pipeline(folder, controlnet, device, dtype), recipe)
            texts = ("prompt", "negative_prompt")
            generator.encode_texts({row[text] for row in wanted for text in texts})
            rows += _run(generator, left, _tasks(left, crop, depth), facts, unfinished, len(rows))
    return {row["image_id"]: row for row in rows}


def _tasks(wanted: list[Row], crop: Path, depth: Path) -> "list[Task]":
    from aacsfnet.augmentation.generation import Task

    crops = dict(table.read(crop, ["frame_id", "image"]).iter_rows())
    depths = dict(table.read(depth, ["frame_id", "image"]).iter_rows())
    return [
        Task(
            image=table.decode_png(crops[row["frame_id"]]),
            depth=table.decode_png(depths[row["frame_id"]]),
            prompt=row["prompt"],
            negative_prompt=row["negative_prompt"],
            seed=row["seed"],
        )
        for row in wanted
    ]


def _run(
    generator: "Generator",
    wanted: list[Row],
    tasks: "list[Task]",
    facts: dict[str, Any],
    unfinished: Unfinished,
    already: int,
) -> list[Row]:
    """Return the rows of tasks; a thread encodes and stores a batch while the next one is made."""
    rows: list[Row] = []
    start = told = time.monotonic()

    def finish(first: int, batch: "list[Result]") -> list[Row]:
        plan = wanted[first : first + len(batch)]
        done = [_finished(row, result, facts) for row, result in zip(plan, batch, strict=True)]
        unfinished.add(already + first, done)
        return done

    with ThreadPoolExecutor(1) as encoder:
        stored, first = [], 0
        for batch in generator.generate(tasks):
            stored.append(encoder.submit(finish, first, batch))
            first += len(batch)
            now = time.monotonic()
            if now - told >= _REPORT_SECONDS or first == len(tasks):
                told = now
                _tell(first, len(tasks), now - start)
        for future in stored:
            rows += future.result()
    return rows


def _tell(done: int, total: int, seconds: float) -> None:
    rate = done / max(seconds, 1e-9)
    log.info(
        "%d of %d pictures, %.1f a second, %.0f s to go", done, total, rate, (total - done) / rate
    )


def _finished(row: Row, result: "Result", facts: dict[str, Any]) -> Row:
    about = {
        "source": row["frame_id"],
        "variant": row["variant"],
        "prompt": row["prompt"],
        "negative_prompt": row["negative_prompt"],
        "tokens": row["tokens"],
        "seed": row["seed"],
        "batch": result.batch,
        "precision": result.precision,
    }
    recipe = provenance.recipe_text(facts | about)
    if result.picture is None:
        return _row(row) | {"status": "failed", "reason": result.fault, "recipe": recipe}
    name = row["image_id"].replace("/", "_").replace("#", "_") + ".png"
    image = table.encode_png(result.picture, name)
    image["bytes"] = provenance.mark_synthetic(image["bytes"], provenance.recipe_hash(recipe))  # type: ignore[arg-type]
    return _row(row) | {"image": image, "recipe": recipe}
