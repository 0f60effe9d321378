"""Do the prediction intervals hold what they promise, on people never seen?

    python -m benchmarks.intervals --folder build/intervals --processes 2

Renders 60 people, trains small networks in six folds and evaluates them as the workflow does: each
fold's held-out people are judged by intervals that the other folds' held-out people gave. Then 20
further people, of another seed, are scored by the whole experiment with the intervals that it
stores. States the share of frames held, mean over people, and by level. What is in the folder
already is kept. Writes benchmarks/results/intervals-<date>.json.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.cohort.merge import merge
from aacsfnet.config import Config, validate
from aacsfnet.datasets.index import index
from aacsfnet.evaluation.evaluate import evaluate
from aacsfnet.evaluation.reliability_figures import abstention_figures, interval_figures
from aacsfnet.inference import Predictor
from aacsfnet.layout import Evaluated, Layout, Merged
from aacsfnet.training.train import train
from benchmarks.pays_people import one_thread, shard_tables, spread
from benchmarks.records import record

SEED, STRANGERS_SEED = 11, 12
_NO_PICTURES = {"keep": {"variants": 0}, "level": {"pictures": 0}}


def config_of(folder: Path, people: int, seed: int) -> Config:
    """Return the settings: rendered people, no generated pictures, the bundled start."""
    demo = {"subjects": people, "sequences": 2, "frames": 16, "seed": seed}
    return validate(
        {
            "results": str(folder),
            "index": {"demo": demo},
            "prompts": _NO_PICTURES,
            "merge": {"folds": 6, "validation_subjects": 4},
            "train": {"epochs": 4, "synthetic": False},
            "experiments": {"full": {}},
        }
    )


def faces(config: Config, processes: int) -> Layout:
    """Write the tables of faces that are not there yet."""
    layout = Layout(config)
    if not layout.index.exists():
        index(config, layout.index)
    spread(shard_tables, [(config, shard) for shard in layout.shards()], processes)
    return layout


def merged_of(config: Config, layout: Layout) -> Merged:
    """Return the merged pictures and folds."""
    merged = layout.merged("")
    if not merged.splits.exists():
        parts = [layout.stage("", name) for name in ("crop", "landmarks", "generate", "quality")]
        merge(config, layout.index, *parts, merged.folder)
    return merged


def _trained(work: tuple[Config, Path, int, Path]) -> Path:
    config, merged, fold, output = work
    if not (output / "predictions.parquet").exists():
        train(config, merged, fold, 1, output)
    return output / "predictions.parquet"


def held_out(config: Config, layout: Layout, processes: int) -> dict[str, Any]:
    """Return the figures of an experiment, its networks trained where they are not yet."""
    merged, own = merged_of(config, layout), layout.experiment("full")
    work = [
        (config, merged.folder, fold, layout.trained("full", 1, fold).folder)
        for fold in range(int(config.merge.folds))
    ]
    evaluate(config, spread(_trained, work, processes), own.folder)
    return dict(json.loads(own.metrics.read_text()))


def strangers(config: Config, layout: Layout, experiment: Evaluated) -> pl.DataFrame:
    """Return further people's frames as `aacsfnet.evaluation.held_out.judged` returns them."""
    predictor = Predictor(experiment.folder)
    labels = tables.read(layout.index, ["frame_id", "label"])
    parts = []
    for shard in layout.shards():
        crops = tables.read(layout.table("", "crop", shard)).filter(status="ok")
        landmarks = tables.read(
            layout.table("", "landmarks", shard), ["frame_id", "pose", *tables.VISIBLE]
        ).filter(pl.col("pose").is_not_null())
        crops = crops.drop(tables.VISIBLE).join(landmarks, on="frame_id", maintain_order="left")
        crops = crops.join(labels, on="frame_id", maintain_order="left")
        found = predictor.judge(
            [tables.decode_png(image) for image in crops["image"]],
            crops["pose"].to_numpy()[:, :2],
            crops["to_frame"].to_numpy().reshape(-1, 2, 3),
            crops.select(tables.VISIBLE).cast(pl.Float64).fill_null(np.nan).to_numpy(),
        )
        parts.append(
            crops.select("frame_id", "subject", "label").with_columns(
                **{name: np.asarray(values) for name, values in found._asdict().items()},
                seed=pl.lit(1),
            )
        )
    return pl.concat(parts)


def main() -> None:
    """Do all, print the figures and write them."""
    one_thread()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/intervals"))
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--strangers", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    given, begun = parser.parse_args(), time.monotonic()
    config = config_of(given.folder / "people", given.people, SEED)
    layout = faces(config, given.processes)
    metrics = held_out(config, layout, given.processes)
    others = config_of(given.folder / "strangers", given.strangers, STRANGERS_SEED)
    rows = strangers(others, faces(others, given.processes), layout.experiment("full"))
    settings, label = config.evaluate, Predictor(layout.experiment("full").folder).label
    resampling = settings.bootstrap, settings.confidence
    found = {
        "people": given.people,
        "strangers": given.strangers,
        "held_out": {name: metrics[name] for name in ("intervals", "abstention")},
        "held_out_pcc": metrics["pooled"]["pcc"],
        "of_strangers": {
            "intervals": interval_figures(rows, label, settings.coverage, *resampling),
            "abstention": abstention_figures(rows, label, settings.abstention, *resampling),
        },
    }
    record("intervals", found, time.monotonic() - begun)


if __name__ == "__main__":
    main()
