"""A run in moments: real stages on pictures in which no face is sought, training left out.

Everything up to `merge` is written by the stages themselves, on frames that all have no face, so
that no model is loaded. Networks, figures and the page are files with the note that their stages
write.
"""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

import aacsfnet.augmentation.diffusion.model_files
import aacsfnet.augmentation.gate.quality
import aacsfnet.augmentation.prompts.stage
import aacsfnet.faces.crop
from aacsfnet.config import validate
from aacsfnet.datasets import open_dataset
from aacsfnet.evaluation.group_summary import words_hash
from aacsfnet.made import hash_in, hash_of, made_from, of_report
from aacsfnet.stages import SHARDED
from aacsfnet.workflow import Workflow

Job = tuple[str, str]  # stage, and shard, fold or experiment
SUBJECTS = [f"s{number:02d}" for number in range(25)]
#: Jobs after the shards': five folds.
AFTER = {"merge": 1, "train": 5, "evaluate": 1, "report": 1}
SETTINGS = {
    "dataset": "manifest",
    "landmarks": {"mode": "video"},  # looks at no crop again
    "prompts": {"level": {"pictures": 0}},
    "merge": {"folds": 5, "validation_subjects": 2},
    "experiments": {"full": {}},
}


class Study:
    """A folder with a table of pictures, settings and results.

    Args:
        folder: of everything.
        subjects: of one picture each.
        packed: how many of them share a shard, at most; 0: each has one alone.
    """

    def __init__(self, folder: Path, subjects: list[str], packed: int = 0) -> None:
        self.folder, self.table = folder, folder / "data" / "t.csv"
        self.table.parent.mkdir()
        self.rows = {}
        for number, subject in enumerate(subjects):
            self.add(subject, number % 5, number)
        self.settings = SETTINGS | {"results": str(folder / "results")}
        self.settings["index"] = {"manifest": {"file": str(self.table)}, "packed_frames": packed}
        self.write()

    def add(self, subject: str, label: float, seed: int) -> None:
        """Give a subject one picture of its own."""
        self.picture(subject, seed)
        self.rows[subject] = (f"{subject}.png", subject, label)

    def picture(self, subject: str, seed: int) -> Path:
        """Draw a subject's picture; the same seed gives the same bytes."""
        path = self.table.parent / f"{subject}.png"
        pixels = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), np.uint8)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        return path

    def write(self) -> None:
        """Write table and settings anew."""
        lines = [",".join(map(str, row)) for row in self.rows.values()]
        self.table.write_text("path,subject,label\n" + "\n".join(lines) + "\n")
        (self.folder / "study.yaml").write_text(yaml.safe_dump(self.settings))

    def plan(self, forced: frozenset[str] = frozenset()) -> Workflow:
        """Plan a run as Snakemake does."""
        self.write()
        plan = Workflow(validate(self.settings).model_dump(mode="json"))
        plan.forced = forced
        return plan

    def due(self, forced: frozenset[str] = frozenset()) -> list[Job]:
        """Return the jobs that run again."""
        plan = self.plan(forced)
        return [(stage, name) for stage, name, wild in jobs_of(plan) if plan.why(stage, wild)]

    def counts(self) -> dict[str, int]:
        """Return how many jobs of each stage run again."""
        return dict(Counter(stage for stage, _ in self.due()))

    def run(self) -> None:
        """Run what must."""
        plan = self.plan()
        due = [(stage, wild) for stage, _, wild in jobs_of(plan) if plan.why(stage, wild)]
        plan.hold().close()
        for stage, wild in due:
            work(plan, stage, wild)


def jobs_of(plan: Workflow) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield stage, name and wildcards of each job in flow order."""
    yield "index", "", {}
    for stage in SHARDED:
        for shard in plan.shards:
            yield stage, shard, {"scope": "", "shard": shard}
    yield "merge", "", {"scope": ""}
    for name in plan.experiments:
        for seed in plan.config.training_seeds:
            for fold in plan.folds(name):
                wild = {"experiment": name, "seed": str(seed), "fold": str(fold)}
                yield "train", str(fold), wild
    for name in plan.experiments:
        yield "evaluate", name, {"experiment": name}
    yield "report", "", {}


def work(plan: Workflow, stage: str, wild: dict[str, str]) -> None:
    """Do one job."""
    from aacsfnet.augmentation.depth.stage import depth
    from aacsfnet.augmentation.diffusion.generate import generate
    from aacsfnet.augmentation.gate.quality import quality
    from aacsfnet.augmentation.prompts.stage import prompts
    from aacsfnet.cohort.merge import merge
    from aacsfnet.datasets.index import index
    from aacsfnet.faces.crop import crop
    from aacsfnet.faces.landmarks import landmarks

    layout, config = plan.layout, plan.config
    if stage == "index":
        index(config, layout.index)
    elif stage == "crop":
        crop(config, layout.index, wild["shard"], plan.result(stage, wild))
    elif stage in SHARDED:
        call, inputs = {
            "landmarks": (landmarks, ("crop",)),
            "prompts": (prompts, ("index", "landmarks")),
            "depth": (depth, ("crop", "landmarks", "prompts")),
            "generate": (generate, ("crop", "landmarks", "depth", "prompts")),
            "quality": (quality, ("index", "crop", "landmarks", "generate")),
        }[stage]
        paths = [
            layout.index if n == "index" else layout.table("", n, wild["shard"]) for n in inputs
        ]
        call(config, *paths, plan.result(stage, wild))
    elif stage == "merge":
        tables = [layout.stage("", n) for n in ("crop", "landmarks", "generate", "quality")]
        merge(config, layout.index, *tables, layout.merged("").folder)
    elif stage == "train":
        found = layout.trained(wild["experiment"], wild["seed"], wild["fold"])
        merged = hash_in(layout.merged("").index)
        note = made_from(config, "train", merge=merged, fold=wild["fold"], seed=wild["seed"])
        found.folder.mkdir(parents=True, exist_ok=True)
        for path in (found.weights, found.features, found.history, found.predictions):
            path.touch()
        found.description.write_text(json.dumps({"made_from": note}))
    elif stage == "evaluate":
        found = layout.experiment(wild["experiment"])
        models = sorted(hash_in(run.description) for run in plan.trained(wild["experiment"]))
        groups = words_hash(open_dataset(config), config.evaluate.groups)
        note = made_from(config, "evaluate", train=hash_of(models), groups=groups)
        found.metrics.write_text(json.dumps({"made_from": note}))
        found.predictions.touch()
        found.reliability.touch()
    else:
        note = json.dumps(of_report(config, layout.index, layout.figures())).replace('"', "&#34;")
        layout.report_files.folder.mkdir(exist_ok=True)
        layout.report.write_text(f'<meta name="aacsfnet-made-from" content="{note}">')


@pytest.fixture(scope="module")
def without_models():
    """Let no stage seek a face or load a model."""

    def no_face(rows, usable, pictures, settings):
        for row, picture in zip(usable["row"], pictures, strict=True):
            assert isinstance(picture, np.ndarray)
            rows[row] |= {"status": "no_face", "reason": "none is sought"}

    class Tokenizer:
        def __call__(self, text, **_):
            return {"input_ids": text.split()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aacsfnet.faces.crop, "_fill", no_face)
        module = aacsfnet.augmentation.diffusion.model_files
        patch.setattr(module, "load_tokenizer", lambda model: Tokenizer())
        patch.setattr(
            aacsfnet.augmentation.prompts.stage, "token_counter", lambda _: lambda text: 1
        )
        module = aacsfnet.augmentation.gate.quality
        patch.setattr(module, "CropLandmarker", lambda _: nullcontext())
        patch.setattr(module, "witness_of", lambda _: None)
        yield
