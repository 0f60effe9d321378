"""One command a stage, in flow order; the workflow's jobs call them."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from aacsfnet.cli.app import (
    CropTable,
    DepthTable,
    GenerateTable,
    IndexTable,
    LandmarksTable,
    Output,
    PromptsTable,
    Results,
    Settings,
    shard_stage,
    stage,
)
from aacsfnet.config import load


@stage("aacsfnet index --output results/demo/index.parquet")
def index(output: Output, config: Settings = "config.yaml") -> None:
    """List the frames of the data set, each with its label and what is wrong with it."""
    from aacsfnet.datasets.index import index as run

    run(load(config), output)


@shard_stage
def crop(
    index: IndexTable,
    shard: Annotated[str, Option("--shard", help="Name of the shard in the index.")],
    output: Output,
    config: Settings = "config.yaml",
) -> None:
    """Find the face in each frame, level it and cut it out."""
    from aacsfnet.faces.crop import crop as run

    run(load(config), index, shard, output)


@shard_stage
def landmarks(crop: CropTable, output: Output, config: Settings = "config.yaml") -> None:
    """Find 478 points, the head's pose and the facial measures on each crop."""
    from aacsfnet.faces.landmarks import landmarks as run

    run(load(config), crop, output)


@shard_stage
def prompts(
    index: IndexTable, landmarks: LandmarksTable, output: Output, config: Settings = "config.yaml"
) -> None:
    """Decide which pictures to make, and put each face into words."""
    from aacsfnet.augmentation.prompts.stage import prompts as run

    run(load(config), index, landmarks, output)


@shard_stage
def depth(
    crop: CropTable,
    landmarks: LandmarksTable,
    prompts: PromptsTable,
    output: Output,
    config: Settings = "config.yaml",
) -> None:
    """Draw the depth map that steers each picture's generation, near = white."""
    from aacsfnet.augmentation.depth.stage import depth as run

    run(load(config), crop, landmarks, prompts, output)


@shard_stage
def generate(
    crop: CropTable,
    landmarks: LandmarksTable,
    depth: DepthTable,
    prompts: PromptsTable,
    output: Output,
    config: Settings = "config.yaml",
) -> None:
    """Generate pictures by depth-guided diffusion."""
    from aacsfnet.augmentation.diffusion.generate import generate as run

    run(load(config), crop, landmarks, depth, prompts, output)


@shard_stage
def quality(
    index: IndexTable,
    crop: CropTable,
    landmarks: LandmarksTable,
    generate: GenerateTable,
    output: Output,
    config: Settings = "config.yaml",
) -> None:
    """Accept or reject each generated picture, with reasons."""
    from aacsfnet.augmentation.gate.quality import quality as run

    run(load(config), index, crop, landmarks, generate, output)


@stage(
    "aacsfnet merge --index results/demo/index.parquet --crop results/demo/crop"
    " --landmarks results/demo/landmarks --generate results/demo/generate"
    " --quality results/demo/quality --output results/demo/merge"
)
def merge(
    index: IndexTable,
    crop: Annotated[Path, Option("--crop", help="Folder of the crop tables.")],
    landmarks: Annotated[Path, Option("--landmarks", help="Folder of the landmarks tables.")],
    generate: Annotated[Path, Option("--generate", help="Folder of the generate tables.")],
    quality: Annotated[Path, Option("--quality", help="Folder of the quality tables.")],
    output: Output,
    config: Settings = "config.yaml",
) -> None:
    """Merge real and accepted pictures into one array, and assign subjects to folds."""
    from aacsfnet.cohort.merge import merge as run

    run(load(config), index, crop, landmarks, generate, quality, output)


@stage(
    "aacsfnet train --merge results/demo/merge --fold 0 --seed 1"
    " --output results/demo/experiments/full/seed-1/fold-0"
)
def train(
    merge: Annotated[Path, Option("--merge", help="Folder of the merged data.")],
    fold: Annotated[int, Option("--fold", min=0, help="The fold held out.")],
    seed: Annotated[int, Option("--seed", min=0, help="Seed of weights and data order.")],
    output: Output,
    config: Settings = "config.yaml",
) -> None:
    """Train the network on one fold and predict its held-out subjects."""
    from aacsfnet.training.train import train as run

    run(load(config), merge, fold, seed, output)


@stage(
    "aacsfnet evaluate --index results/demo/index.parquet --merge results/demo/merge"
    " --output results/demo/experiments/full"
    " results/demo/experiments/full/seed-*/fold-*/predictions.parquet"
)
def evaluate(
    predictions: Annotated[list[Path], Argument(help="Predictions of every fold and seed.")],
    output: Output,
    index: Annotated[
        Path | None, Option("--index", help="The index table; without it no groups are compared.")
    ] = None,
    merge: Annotated[
        Path | None,
        Option("--merge", help="Folder of the merged data; without it no geometry baseline."),
    ] = None,
    config: Settings = "config.yaml",
) -> None:
    """Compute an experiment's figures on people it never saw."""
    from aacsfnet.evaluation.evaluate import evaluate as run

    run(load(config), predictions, output, index, merge)


@stage("aacsfnet report --results results/demo --output results/demo/report.html")
def report(results: Results, output: Output, config: Settings = "config.yaml") -> None:
    """Write one page that shows faces, generated pictures and figures."""
    from aacsfnet.report.report import report as run

    run(load(config), results, output)
