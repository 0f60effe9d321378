"""Comparisons of networks: the experiments of a file of settings, trained, and their table.

    python -m benchmarks.network run benchmarks/network.yaml
    python -m benchmarks.network table results/network/demo

`run` does what `snakemake --cores 1 --configfile benchmarks/network.yaml` does, in one process of
one thread: the same stages on the same paths, without the start of a process for each of a hundred
short trainings. It goes seed by seed, and what is there already is kept.

`table` writes benchmarks/results/network-<date>.json: of every experiment PCC, MAE and the other
measures with subject-bootstrap intervals, and the paired differences between the reference and it;
its size and the cost of its training; and prints a Markdown table.
"""

import argparse
import json
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import torch

from aacsfnet import tables
from aacsfnet.cohort.merge import merge
from aacsfnet.config import Config, Evaluate
from aacsfnet.config.load import load
from aacsfnet.datasets.index import index
from aacsfnet.evaluation.evaluate import evaluate
from aacsfnet.evaluation.summaries import compare
from aacsfnet.labels import Label
from aacsfnet.layout import Layout
from aacsfnet.models import load_model
from aacsfnet.training.train import train
from benchmarks.pays_people import shard_tables

RESULTS = Path(__file__).parent / "results"


def run(config: Config) -> None:
    """Do every stage from the index to the evaluation of each experiment."""
    layout = Layout(config)
    if not layout.index.exists():
        index(config, layout.index)
    for shard in layout.shards():
        shard_tables((config, shard))
    merged = layout.merged("")
    if not merged.splits.exists():
        parts = [layout.stage("", name) for name in ("crop", "landmarks", "generate", "quality")]
        merge(config, layout.index, *parts, merged.folder)
    folds = tables.read(merged.splits)["fold"].unique().sort().to_list()
    for seed in config.training_seeds:
        for name in layout.experiments:
            for fold in folds:
                one = layout.trained(name, seed, fold)
                if not one.description.exists():
                    own = config.for_experiment(name)
                    train(own, merged.folder, fold, seed, one.folder)
    for name in layout.experiments:
        found = layout.experiment(name)
        predictions = [each.predictions for each in found.trained()]
        evaluate(config.for_experiment(name), predictions, found.folder)


def costs(folder: Path) -> dict[str, Any]:
    """Return the network's size, means over an experiment's runs, and what they ran on."""
    found = [
        json.loads(path.read_text()) for path in sorted(folder.glob("seed-*/fold-*/config.json"))
    ]
    training = found[0]["training"]
    network = load_model(next(folder.glob("seed-*/fold-*")))
    return {
        "parameters": sum(each.numel() for each in network.parameters()),
        "seconds_a_run": round(statistics.mean(each["seconds"] for each in found), 1),
        "peak_memory_mb": max(each["peak_memory_mb"]["host"] for each in found),
        "runs": len(found),
        "epochs": training["epochs"],
        "batch": training["batch"],
        "environment": found[0]["environment"],
    }


def experiment(folder: Path, reference: Path) -> dict[str, Any]:
    """Return an experiment's figures, and how far the reference is from it on the same frames."""
    metrics = json.loads((folder / "metrics.json").read_text())
    label = Label(**metrics["label"])
    settings = Evaluate()
    rows = pl.read_parquet(folder / "predictions.parquet")
    kept = {name: metrics[name] for name in ("pooled", "by_subject", "frames", "subjects", "seeds")}
    if folder != reference:
        other = pl.read_parquet(reference / "predictions.parquet")
        kept[f"{reference.name}_less_this"] = compare(
            other, rows, label, settings.bootstrap, settings.confidence
        )
    return kept | {"baselines": metrics["baselines"]} | costs(folder)


def shown(entry: dict[str, Any], sign: bool = False) -> str:
    """Return a value and its interval as a reader wants them."""
    form = "+.3f" if sign else ".3f"
    return f"{entry['value']:{form}} [{entry['low']:{form}}, {entry['high']:{form}}]"


#: The columns: a view of the figures and a measure.
COLUMNS = {
    "PCC": ("pooled", "pcc"),
    "MAE": ("pooled", "mae"),
    "PCC within people": ("by_subject", "pcc"),
}


def markdown(found: dict[str, dict[str, Any]], reference: str) -> str:
    """Return the table as Markdown."""
    heads = [*COLUMNS, *(f"{reference} less this: {name}" for name in COLUMNS), "seconds a run"]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, one in found.items():
        paired = one.get(f"{reference}_less_this")
        cells = [name, *(shown(one[view][measure]) for view, measure in COLUMNS.values())]
        cells += [
            shown(paired[view][measure], True) if paired else ""
            for view, measure in COLUMNS.values()
        ]
        lines.append(f"| {' | '.join(cells)} | {one['seconds_a_run']:.0f} |")
    return "\n".join(lines)


def table(given: argparse.Namespace) -> None:
    """Write the comparison and print it."""
    experiments = given.settings / "experiments"
    reference = given.reference
    names = [path.parent.name for path in experiments.glob("*/metrics.json")]
    names = sorted(names, key=lambda name: (name != reference, name))
    found = {name: experiment(experiments / name, experiments / reference) for name in names}
    print(markdown(found, reference))
    if given.name:
        path = RESULTS / f"{given.name}-{datetime.now(UTC):%Y-%m-%d}.json"
        date = datetime.now(UTC).isoformat(timespec="seconds")
        path.write_text(json.dumps({"date": date, "experiments": found}, indent=1) + "\n")
        print(path)


def main() -> None:
    """Run or tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("settings", type=Path, help="file of settings, or the results' folder")
    parser.add_argument("--reference", default="full", help="what the others are compared with")
    parser.add_argument("--name", help="of the result's file; without it none is written")
    given = parser.parse_args()
    if given.what == "run":
        torch.set_num_threads(1)
        run(load(given.settings))
    else:
        table(given)


if __name__ == "__main__":
    main()
