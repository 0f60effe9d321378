"""The comparison of networks as JSON and as a table, from the results of `network.yaml`.

    snakemake --cores all --configfile benchmarks/network.yaml
    python -m benchmarks.network results/network/demo

Writes benchmarks/results/network-<date>.json: of every experiment PCC, MAE and the other measures
with subject-bootstrap intervals, and the paired differences between it and `full`; its size and the
cost of its training; and prints a Markdown table.
"""

import argparse
import json
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from aacsfnet.config import Evaluate
from aacsfnet.evaluation.summaries import compare
from aacsfnet.labels import Label
from aacsfnet.models import load_model

RESULTS = Path(__file__).parent / "results"
REFERENCE = "full"


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


def experiment(folder: Path, reference: pl.DataFrame) -> dict[str, Any]:
    """Return an experiment's figures, and how much better or worse `full` is on the same frames."""
    metrics = json.loads((folder / "metrics.json").read_text())
    label = Label(**metrics["label"])
    evaluate = Evaluate()
    rows = pl.read_parquet(folder / "predictions.parquet")
    kept = {name: metrics[name] for name in ("pooled", "by_subject", "frames", "subjects", "seeds")}
    if folder.name != REFERENCE:
        kept["full_less_this"] = compare(
            reference, rows, label, evaluate.bootstrap, evaluate.confidence
        )
    return kept | {"baselines": metrics["baselines"]} | costs(folder)


def shown(entry: dict[str, Any], sign: bool = False) -> str:
    """Return a value and its interval as a reader wants them."""
    form = "+.3f" if sign else ".3f"
    return f"{entry['value']:{form}} [{entry['low']:{form}}, {entry['high']:{form}}]"


def table(found: dict[str, dict[str, Any]]) -> str:
    """Return the Markdown table."""
    lines = [
        "| | PCC | MAE | full less this, PCC | full less this, MAE |",
        "|---|---|---|---|---|",
    ]
    for name, one in found.items():
        pooled, paired = one["pooled"], one.get("full_less_this")
        cells = [name, shown(pooled["pcc"]), shown(pooled["mae"])]
        cells += [shown(paired["pooled"][each], True) if paired else "" for each in ("pcc", "mae")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Read, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="the data set's results folder")
    experiments = parser.parse_args().results / "experiments"
    names = [path.parent.name for path in experiments.glob("*/metrics.json")]
    names = sorted(names, key=lambda name: (name != REFERENCE, name != "published", name))
    reference = pl.read_parquet(experiments / REFERENCE / "predictions.parquet")
    found = {name: experiment(experiments / name, reference) for name in names}
    path = RESULTS / f"network-{datetime.now(UTC):%Y-%m-%d}.json"
    date = datetime.now(UTC).isoformat(timespec="seconds")
    path.write_text(json.dumps({"date": date, "experiments": found}, indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    main()
