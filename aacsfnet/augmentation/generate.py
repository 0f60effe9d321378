"""The generate stage: the pictures of the plan, each with the recipe it was made by."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aacsfnet import table
from aacsfnet.augmentation import provenance
from aacsfnet.config import Config, Generate

log = logging.getLogger(__name__)

_REPORT_SECONDS = 15


def generate(config: Config, crop: Path, depth: Path, prompts: Path, output: Path) -> None:
    """Write the pictures of one shard.

    Args:
        config: `generate` is used.
        crop: table of face crops.
        depth: table of their depth maps.
        prompts: table of the pictures to make.
        output: table to write.

    Raises:
        SettingsError: settings under which not one step would run.
        ModelFileError: the model folder is missing, incomplete or damaged.
    """
    plan = table.read(prompts).rows(named=True)
    wanted = [row for row in plan if row["status"] == "ok"]
    made = _make(config.generate, wanted, crop, depth) if wanted else {}
    rows = [_row(row) | made.get(row["image_id"], {}) for row in plan]
    table.write(output, table.frame("generate", rows), "generate")


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return table.carry(row, "generate") | {
        "source_frame_id": row["frame_id"],
        "variant": row["variant"],
        "seed": row["seed"],
    }


def _make(
    settings: Generate, wanted: list[dict[str, Any]], crop: Path, depth: Path
) -> dict[str, dict[str, Any]]:
    """Return status, picture and recipe by image id."""
    from aacsfnet import devices
    from aacsfnet.augmentation.generation import Generator, Recipe, Task
    from aacsfnet.augmentation.model_files import describe, load_pipeline, model_folder

    keys = ("strength", "steps", "guidance_scale", "conditioning_scale", "batch")
    recipe = Recipe(**{key: getattr(settings, key) for key in keys})
    folder = model_folder(settings.model)
    crops = dict(table.read(crop, ["frame_id", "image"]).iter_rows())
    depths = dict(table.read(depth, ["frame_id", "image"]).iter_rows())
    tasks = [
        Task(
            image=table.decode_png(crops[row["frame_id"]]),
            depth=table.decode_png(depths[row["frame_id"]]),
            prompt=row["prompt"],
            negative_prompt=row["negative_prompt"],
            seed=row["seed"],
        )
        for row in wanted
    ]
    with devices.lease() as device:
        dtype = devices.precision(device)
        generator = Generator(load_pipeline(folder, device, dtype), recipe)
        facts = {
            "model": describe(folder),
            **{key: getattr(recipe, key) for key in keys},
            "device": device.type,
            "precision": str(dtype).removeprefix("torch."),
            "versions": provenance.versions(),
        }
        progress = _progress(len(tasks))
        made = {}
        for row, result in zip(wanted, generator.generate(tasks), strict=True):
            made[row["image_id"]] = _cells(row, result, facts)
            progress(len(made))
    return made


def _cells(row: dict[str, Any], result: Any, facts: dict[str, Any]) -> dict[str, Any]:
    about = {
        "prompt": row["prompt"],
        "negative_prompt": row["negative_prompt"],
        "tokens": row["tokens"],
        "seed": row["seed"],
        "batch": result.batch,
    }
    recipe = provenance.recipe_text(facts | about)
    if result.picture is None:
        return {"status": "failed", "reason": result.fault, "recipe": recipe}
    name = row["image_id"].replace("/", "_").replace("#", "_") + ".png"
    image = table.encode_png(result.picture, name)
    image["bytes"] = provenance.mark_synthetic(image["bytes"], provenance.recipe_hash(recipe))  # type: ignore[arg-type]
    return {"image": image, "recipe": recipe}


def _progress(total: int) -> Callable[[int], None]:
    """Return a function that logs rate and remaining time now and then."""
    start = told = time.monotonic()

    def report(done: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= _REPORT_SECONDS or done == total:
            told = now
            rate = done / max(now - start, 1e-9)
            log.info(
                "%d of %d pictures, %.1f a second, %.0f s to go",
                done,
                total,
                rate,
                (total - done) / rate,
            )

    return report
