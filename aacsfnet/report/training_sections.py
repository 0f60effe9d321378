"""The report's sections on what networks were trained on, how they began and how they learned."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.cohort.selection import has_label
from aacsfnet.evaluation.results import Results, read_json
from aacsfnet.report import figures

Section = dict[str, Any]


def merged_section(results: Results) -> Section | None:
    """Return how many pictures there are to train on and how subjects are dealt into folds."""
    merged = results.merged()
    if not merged.splits.is_file():
        return None
    index = tables.read(merged.index, ["synthetic", "status", "pool", "row"])
    used = index.filter(has_label())
    splits = tables.read(merged.splits)
    folds = (
        splits.group_by("fold", "role")
        .len()
        .pivot("role", index="fold", values="len")
        .sort("fold")
        .fill_null(0)
    )
    return {
        "real": int((~used["synthetic"]).sum()),
        "synthetic": int(used["synthetic"].sum()),
        "pool": int(used["pool"].sum()),
        "unlabelled": int(index["row"].is_not_null().sum()) - len(used),
        "folds": folds.to_dicts(),
    }


def training_section(results: Results, seeds: Iterable[int]) -> Section:
    """Return the learning curves of every experiment, one line a fold and seed."""
    experiments = []
    for number, experiment in enumerate(results.experiments):
        runs = results.runs(experiment, seeds)
        histories = {
            f"seed {seed}, fold {fold}": pl.read_csv(trained.history, infer_schema=False)
            for seed, fold, trained in runs
            if trained.history.is_file()
        }
        histories = {name: history for name, history in histories.items() if len(history)}
        if not histories:
            continue
        abouts = [read_json(trained.description) or {} for _, _, trained in runs]
        seconds = [about["seconds"] for about in abouts if "seconds" in about]
        experiments.append(
            {
                "name": experiment,
                "runs": len(histories),
                "epochs": max(len(history) for history in histories.values()),
                "minutes": sum(seconds) / 60 if seconds else None,
                "start": f"{_start(abouts)} {_pretraining(abouts)}".strip(),
                "figure": figures.learning_curves(f"training-{number}", _panels(histories)),
            }
        )
    return {"experiments": experiments}


def _start(abouts: list[dict[str, Any]]) -> str:
    """Return how the backbones were initialised, in words; empty where it is not told."""
    starts = {about["training"].get("pretrained") for about in abouts if "training" in about}
    if not starts:
        return ""
    if starts == {None}:
        return "The backbone was initialised with random weights."
    if starts == {"bundled"}:
        return (
            "The backbone was initialised with weights that the package carries: pretrained on"
            " rendered faces of other people, from the geometry of the face, without any pain"
            " label. They flatter rendered faces; they say nothing of real ones."
        )
    if starts == {"bundled_network"}:
        return (
            "Every part of the network but the head was initialised with weights that the package"
            " carries, as far as its sizes are theirs: pretrained on rendered faces of other"
            " people, from the geometry of the face, without any pain label. They flatter rendered"
            " faces; they say nothing of real ones."
        )
    if starts == {"package"}:
        origin = next(about["weights_from"] for about in abouts if about.get("weights_from"))
        return (
            "The backbone was initialised with weights from ImageNet, photographs of a thousand"
            f" kinds of things, out of the package {origin['package']} ({origin['licence']});"
            " all else with random weights. The networks' config.json names version and SHA-256."
        )
    if len(starts) > 1:
        return "Experiments start from different weights; the settings name them."
    return "The backbone was initialised with the weights in a file that the settings name."


def _pretraining(abouts: list[dict[str, Any]]) -> str:
    """Return what the networks learned before a label was used, in words; else empty."""
    steps = {about["pretraining"]["steps"] for about in abouts if about.get("pretraining")}
    if not steps:
        return ""
    words = (
        "Before any label was used, all its parts learned the facial measures and the pose of the"
        f" training people's pictures, {' or '.join(map(str, sorted(steps)))} steps."
    )
    if any(about.get("pretraining", {}).get("unlabelled") for about in abouts):
        words += " Their frames without a label were among these pictures, and served nothing else."
    return words


def _panels(histories: dict[str, pl.DataFrame]) -> dict[str, figures.Series]:
    """Return the curves worth a panel: the training loss, then validation error and correlation."""
    titles = {
        "train_loss": "training loss",
        "validation_mae": "validation MAE",
        "validation_pcc": "validation PCC",
    }
    panels: dict[str, figures.Series] = {}
    for column, title in titles.items():
        series = {
            name: tuple(
                history[key].cast(pl.Float64, strict=False).fill_null(np.nan).to_list()
                for key in ("epoch", column)
            )
            for name, history in histories.items()
            if {"epoch", column} <= set(history.columns)
        }
        if series:
            panels[title] = series  # type: ignore[assignment]
    return panels
