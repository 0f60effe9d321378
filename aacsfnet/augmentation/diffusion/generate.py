"""The generate stage: the pictures of the plan, each with the recipe it was made by."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aacsfnet import tables
from aacsfnet.augmentation.diffusion import provenance
from aacsfnet.augmentation.diffusion.recipe import strength_of
from aacsfnet.augmentation.diffusion.unfinished import Unfinished
from aacsfnet.config import Config, Generate
from aacsfnet.made import from_tables
from aacsfnet.software import versions
from aacsfnet.tables import KINDS

if TYPE_CHECKING:
    from aacsfnet.augmentation.diffusion.generation import Generator
    from aacsfnet.augmentation.diffusion.model_files import ModelFiles
    from aacsfnet.augmentation.diffusion.recipe import Recipe
    from aacsfnet.augmentation.diffusion.safety import SafetyChecker
    from aacsfnet.augmentation.diffusion.sources import StoredTask
    from aacsfnet.augmentation.diffusion.tasks import Result

log = logging.getLogger(__name__)

_REPORT_SECONDS = 15
#: Tokens of a chunk of a prompt, without those that start and end it.
_CHUNK = 75
#: What a recipe says of one picture, besides what became of it.
_OF_THE_PLAN = (
    *("kind", "variant", "label", "units", "source_units", "strength"),
    *("prompt", "negative_prompt", "tokens", "seed"),
)

Row = dict[str, Any]


def generate(
    config: Config, crop: Path, landmarks: Path, depth: Path, prompts: Path, output: Path
) -> None:
    """Write the pictures of one shard. A killed job resumes after its finished batches.

    Args:
        config: `generate` is used.
        crop: table of face crops.
        landmarks: table of their landmarks.
        depth: table of the depth maps of the pictures to make.
        prompts: table of the pictures to make.
        output: table to write.

    Raises:
        ModelFileError: the model folder is missing, incomplete or damaged.
        SettingsError: a setting that the kind of model would ignore.
        WorkError: crops and depth maps do not fit together, or memory is too small for one picture.
    """
    plan = list(tables.read(prompts).iter_rows(named=True))
    # Kind by kind, since the pictures of a batch have one strength.
    wanted = [
        row | {"strength": strength_of(config.generate, kind)}
        for kind in KINDS
        for row in plan
        if row["kind"] == kind and row["status"] == "ok"
    ]
    made = _make(config.generate, wanted, (crop, landmarks, depth), output) if wanted else {}
    rows = [made.get(row["image_id"]) or _row(row) for row in plan]
    notes = from_tables(
        config, "generate", crop=crop, landmarks=landmarks, depth=depth, prompts=prompts
    )
    tables.write(output, tables.frame("generate", rows), "generate", notes)
    Unfinished(output, "").clear()


def most_chunks(plan: list[Row]) -> dict[str, int]:
    """Return how many chunks the longest prompt of each subject has.

    That length enters the last bits of the subject's pictures, so nobody else's may count.
    """
    found: dict[str, int] = {}
    for row in plan:
        chunks = -(-(row["tokens"] - 2) // _CHUNK)
        found[row["subject"]] = max(found.get(row["subject"], 1), chunks)
    return found


def _row(row: Row) -> Row:
    return tables.carry(row, "generate") | {
        "source_frame_id": row["frame_id"],
        "variant": row["variant"],
        "seed": row["seed"],
    }


def _make(
    settings: Generate, wanted: list[Row], tables: tuple[Path, Path, Path], output: Path
) -> dict[str, Row]:
    """Return the finished rows by image id; `tables` are those of crop, landmarks and depth."""
    from aacsfnet import devices
    from aacsfnet.augmentation.diffusion.model_files import RENDERED_ONLY, find_model
    from aacsfnet.augmentation.diffusion.pipelines import compiles
    from aacsfnet.augmentation.diffusion.recipe import recipe_of
    from aacsfnet.augmentation.diffusion.safety import SafetyChecker

    chunks = most_chunks(wanted)
    wanted = sorted(wanted, key=lambda row: chunks[row["subject"]])
    files = find_model(settings)
    if settings.model == "bundled":
        log.info(RENDERED_ONLY)
    recipe = recipe_of(settings, files.kind)
    checker = SafetyChecker(settings.safety_checker) if settings.safety_checker else None
    with devices.lease() as device:
        dtype = devices.precision(device)
        compiled = compiles(settings.compile, device, len(wanted))
        facts = _facts(settings, files, recipe) | {
            "compiled": compiled,
            "device": devices.name(device),
            **devices.sums(device),
        }
        if checker is not None:
            facts["safety_checker"] = checker.facts
        key = provenance.recipe_text({"facts": facts, "dtype": str(dtype), "plan": wanted})
        unfinished = Unfinished(output, key)
        rows = unfinished.rows()
        if rows:
            log.info("resuming after %d finished pictures", len(rows))
        left = wanted[len(rows) :]
        if left:
            generator = _generator(settings, files, recipe, (device, dtype, compiled))
            tasks = _tasks(left, tables, files.landmarks_controlnet is not None)
            for length in sorted(set(chunks.values())):
                own = [row for row in wanted if chunks[row["subject"]] == length]
                generator.encode_texts(
                    {row[text] for row in own for text in ("prompt", "negative_prompt")}
                )
                part = [row for row in left if chunks[row["subject"]] == length]
                start = len(rows) - (len(wanted) - len(left))
                job = _Job(generator, facts, checker and checker.to(device), unfinished, len(rows))
                rows += job.run(part, tasks[start : start + len(part)])
    return {row["image_id"]: row for row in rows}


def _facts(settings: Generate, files: "ModelFiles", recipe: "Recipe") -> Row:
    """Return what a recipe says of every picture of a shard: each value as it is in force."""
    from aacsfnet.augmentation.diffusion.model_files import describe, scheduler_of

    about = dict(describe(files))
    lora = about.pop("lora", None)
    return {
        "model": about,
        "pipeline": files.kind,
        "preset": settings.preset,
        **asdict(recipe) | {"scheduler": scheduler_of(files, recipe.scheduler)},
        "lora": lora and lora | {"scale": settings.lora_scale},
        "versions": versions("aacsfnet", "diffusers", "torch", "transformers"),
    }


def _generator(
    settings: Generate, files: "ModelFiles", recipe: "Recipe", how: "tuple[Any, Any, bool]"
) -> "Generator":
    from aacsfnet.augmentation.diffusion.generation import Generator
    from aacsfnet.augmentation.diffusion.pipelines import compile_networks, load_pipeline

    device, dtype, compiled = how
    pipeline = load_pipeline(files, recipe, device, dtype, settings.lora_scale)
    if compiled:
        log.info("compiling the networks; the first batch takes a minute or two")
        compile_networks(pipeline)
    return Generator(pipeline, recipe)


def _tasks(wanted: list[Row], tables: tuple[Path, Path, Path], drawn: bool) -> "list[StoredTask]":
    from aacsfnet.augmentation.diffusion.sources import Sources, StoredTask

    sources = Sources(wanted, *tables, drawn=drawn)
    return [StoredTask(row, sources) for row in wanted]


@dataclass
class _Job:
    """The work on one shard."""

    generator: "Generator"
    facts: Row
    checker: "SafetyChecker | None"
    unfinished: Unfinished
    already: int  # pictures finished by an earlier job

    def run(self, wanted: list[Row], tasks: "list[StoredTask]") -> list[Row]:
        """Return the rows; a thread finishes and stores a batch while the next one is drawn."""
        start = told = time.monotonic()
        with ThreadPoolExecutor(1) as finisher:
            stored, first = [], 0
            for drawn in self.generator.generate(tasks):
                part = slice(first, first + len(drawn))
                stored.append(finisher.submit(self._finish, wanted[part], tasks[part], drawn, part))
                first += len(drawn)
                now = time.monotonic()
                if now - told >= _REPORT_SECONDS or first == len(tasks):
                    told = now
                    _tell(first, len(tasks), now - start)
            return [row for future in stored for row in future.result()]

    def _scores(self, batch: "list[Result]") -> list[float | None]:
        """Return each picture's score by the safety checker, None where there is none."""
        pictures = [result.picture for result in batch if result.picture is not None]
        scores = iter(self.checker.scores(pictures) if self.checker else ())
        return [next(scores, None) if result.picture is not None else None for result in batch]

    def _finish(
        self, plan: list[Row], tasks: "list[StoredTask]", drawn: "list[Result]", part: slice
    ) -> list[Row]:
        batch = [_complete(task, result) for task, result in zip(tasks, drawn, strict=True)]
        done = [
            _finished(row, result, self.facts) | {"safety_score": score}
            for row, result, score in zip(plan, batch, self._scores(batch), strict=True)
        ]
        self.unfinished.add(self.already + part.start, done)
        return done


def _tell(done: int, total: int, seconds: float) -> None:
    rate = done / max(seconds, 1e-9)
    log.info(
        "%d of %d pictures, %.1f a second, %.0f s to go", done, total, rate, (total - done) / rate
    )


def _complete(task: "StoredTask", result: "Result") -> "Result":
    """Return a result with its picture finished, see `edit.start.finished_of`."""
    if result.picture is None:
        return result
    return replace(result, picture=task.finished(result.picture))


def _finished(row: Row, result: "Result", facts: dict[str, Any]) -> Row:
    about = {key: row[key] for key in _OF_THE_PLAN}
    about |= {"source": row["frame_id"], "batch": result.batch, "precision": result.precision}
    recipe = provenance.recipe_text(facts | about)
    if result.picture is None:
        return _row(row) | {"status": "failed", "reason": result.fault, "recipe": recipe}
    image = tables.encode_png(result.picture, tables.png_name(row["image_id"]))
    image["bytes"] = provenance.mark_synthetic(image["bytes"], provenance.recipe_hash(recipe))  # type: ignore[arg-type]
    return _row(row) | {"image": image, "recipe": recipe}
