"""The report's sections on frames, faces, prompts, generated pictures and the gate."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from aacsfnet import table
from aacsfnet.config import Config
from aacsfnet.datasets.base import Label
from aacsfnet.evaluation import figures
from aacsfnet.evaluation.metrics import level_of
from aacsfnet.evaluation.names import Names
from aacsfnet.evaluation.pictures import data_uri, side_for, thumbnail, with_landmarks
from aacsfnet.evaluation.results import SHARDED, Results, spread

Section = dict[str, Any]

#: The gate's scores as a reader would name them.
SCORES = {
    "landmark_error": "landmark error (eye distances)",
    "measure_difference": "largest change of a measure (eye distances)",
    "sharpness": "sharpness (share of the source's)",
}
_SHORT = {
    "landmark_error": "landmarks",
    "measure_difference": "measures",
    "sharpness": "sharpness",
}
_REASONS_SHOWN = 8


def axis_of(label: Label) -> str:
    """Return the label's name with its range, for axes and captions."""
    return f"{label.name} {label.low:g}–{label.high:g}"


def data_section(results: Results, names: Names, label: Label) -> Section:
    """Return how many frames there are, what befell them, and their labels."""
    index = results.index
    stages = [_status_row("index", index)]
    stages += [
        _status_row(stage, results.columns(stage, ["status"]))
        for stage in SHARDED
        if results.paths(stage)
    ]
    seen = {status for stage in stages for status in stage["others"]}
    labelled = index.filter(pl.col("label").is_between(label.low, label.high))
    levels = level_of(labelled["label"].to_numpy(), label.low, label.high)
    values, counts = np.unique(levels, return_counts=True)
    step = 1.0 if label.high - label.low >= 2 else (label.high - label.low) / 10
    lowest = int(counts[0]) if len(values) and values[0] == label.low else 0
    return {
        "frames": len(index),
        "subjects": index["subject"].n_unique(),
        "sequences": index.select("subject", "sequence").n_unique(),
        "stages": stages,
        "meanings": {status: table.STATUSES[status] for status in table.STATUSES if status in seen},
        "reasons": _reasons(_all_reasons(results), names),
        "notes": _note_counts(index),
        "histogram": figures.histogram(
            "labels", values.tolist(), counts.tolist(), axis_of(label), step
        )
        if len(values)
        else "",
        "lowest_share": lowest / len(labelled) if len(labelled) else None,
        "by_subject": _by_subject(results, names, label),
    }


def _status_row(stage: str, rows: pl.DataFrame) -> Section:
    counts = dict(rows["status"].value_counts().iter_rows())
    return {
        "stage": stage,
        "rows": len(rows),
        "ok": counts.pop("ok", 0),
        "others": dict(sorted(counts.items(), key=lambda item: -item[1])),
        "unit": "pictures" if stage in ("prompts", "generate", "quality") else "frames",
    }


def _all_reasons(results: Results) -> pl.DataFrame:
    """Return status and reason of every frame as the last stage of faces and depth knew it."""
    last = next((stage for stage in ("depth", "landmarks", "crop") if results.paths(stage)), None)
    if last is None:
        return results.index.select("status", "reason")
    return results.columns(last, ["status", "reason"])


def _reasons(rows: pl.DataFrame, names: Names) -> list[Section]:
    """Return the commonest reasons with their counts, like ones together.

    A row can have several reasons, with "; " between them, and counts under each.
    """
    counted: dict[tuple[str, str], int] = {}
    bad = rows.filter(pl.col("status") != "ok").group_by("status", "reason").len()
    for status, reason, count in bad.sort("status", "reason").iter_rows():
        for kind in {names.kind(part) for part in (reason or "").split("; ")}:
            counted[status, kind] = counted.get((status, kind), 0) + count
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [
        {"status": status, "reason": reason, "count": count}
        for (status, reason), count in ranked[:_REASONS_SHOWN]
    ]


def _note_counts(index: pl.DataFrame) -> dict[str, int]:
    """Return how many frames carry each note on an oddity that was evened out."""
    if "notes" not in index.columns:
        return {}
    notes = index["notes"].drop_nulls().explode().drop_nulls()
    return dict(sorted(notes.value_counts().iter_rows()))


def _by_subject(results: Results, names: Names, label: Label) -> list[Section]:
    counts = results.index.group_by("subject").agg(
        pl.len().alias("frames"),
        pl.col("sequence").n_unique().alias("sequences"),
        (pl.col("label") > label.low).mean().alias("above_lowest"),
        pl.col("label").max().alias("highest"),
    )
    tables = {
        "usable": results.columns("depth", ["subject", "status"]),
        "generated": results.columns("generate", ["subject", "status"]),
        "accepted": results.columns("quality", ["subject", "status"]),
    }
    for name, rows in tables.items():
        found = rows.filter(pl.col("status") == "ok").group_by("subject").len(name)
        counts = counts.join(found, on="subject", how="left").with_columns(
            pl.col(name).fill_null(0)
        )
    return [
        {**row, "subject": names.subject(row["subject"])}
        for row in counts.sort("subject").iter_rows(named=True)
    ]


def faces_section(results: Results, names: Names, count: int) -> Section:
    """Return examples of crops with their landmarks and depth maps."""
    usable = results.columns("depth", ["frame_id", "subject", "label", "status"])
    chosen = spread(usable.filter(pl.col("status") == "ok"), count, "frame_id")
    crops = results.rows("crop", chosen, ["subject", "label", "image"])
    landmarks = results.rows("landmarks", chosen, ["landmarks_px"])
    depths = results.rows("depth", chosen, ["image"])
    side = side_for(6 * count)
    examples = []
    for frame in chosen:
        if not (frame in crops and frame in landmarks):
            continue  # a stage was run again alone and its rows are not there yet
        picture = table.decode_png(crops[frame]["image"])
        points = np.asarray(landmarks[frame]["landmarks_px"], np.float64)
        examples.append(
            {
                "subject": names.subject(crops[frame]["subject"]),
                "label": crops[frame]["label"],
                "crop": data_uri(with_landmarks(picture, points, side)),
                "depth": data_uri(thumbnail(table.decode_png(depths[frame]["image"]), side)),
            }
        )
    return {"examples": examples, "side": side}


def prompts_section(results: Results, names: Names, count: int) -> Section:
    """Return examples of prompts with their lengths."""
    rows = results.columns("prompts", ["image_id", "subject", "label", "status", "tokens"])
    planned = rows.filter(pl.col("status") == "ok")
    chosen = spread(planned, count, "image_id")
    found = results.rows("prompts", chosen, ["subject", "label", "prompt", "negative_prompt"])
    tokens = dict(zip(planned["image_id"], planned["tokens"], strict=True))
    examples = [
        {
            "subject": names.subject(found[key]["subject"]),
            "label": found[key]["label"],
            "prompt": names.text(found[key]["prompt"] or ""),
            "tokens": tokens[key],
        }
        for key in chosen
    ]
    examples.sort(key=lambda example: example["label"])
    lengths = planned["tokens"].drop_nulls()
    return {
        "planned": len(planned),
        "examples": examples,
        "negative": sorted({found[key]["negative_prompt"] or "" for key in chosen}),
        "longest": lengths.max(),
        "median": lengths.median(),
    }


def generated_section(results: Results, names: Names, count: int) -> Section:
    """Return examples of generated pictures beside their sources, with the gate's verdicts."""
    columns = ["image_id", "subject", "label", "status"]
    rows = results.columns("quality", columns)
    accepted = spread(rows.filter(pl.col("status") == "ok"), count - count // 2, "image_id")
    refused = spread(rows.filter(pl.col("status") == "rejected"), count - len(accepted), "image_id")
    chosen = accepted + refused
    scores = [name for name in SCORES if name in table.schema_of("quality")]
    verdicts = results.rows(
        "quality", chosen, ["subject", "label", "status", "reason", "frame_id", *scores]
    )
    made = results.rows("generate", chosen, ["image"])
    frames = [verdicts[key]["frame_id"] for key in chosen]
    crops, depths = (results.rows(stage, frames, ["image"]) for stage in ("crop", "depth"))
    side = side_for(6 * count)
    examples = []
    for key, frame in zip(chosen, frames, strict=True):
        if not (key in made and frame in crops and frame in depths):
            continue  # a stage was run again alone and its pictures are not there yet
        verdict = verdicts[key]
        sources = (crops[frame]["image"], depths[frame]["image"], made[key]["image"])
        pictures = [data_uri(thumbnail(table.decode_png(one), side)) for one in sources]
        examples.append(
            {
                "subject": names.subject(verdict["subject"]),
                "label": verdict["label"],
                "accepted": verdict["status"] == "ok",
                "reason": names.text(verdict["reason"] or ""),
                "scores": {
                    _SHORT[name]: verdict[name] for name in scores if verdict[name] is not None
                },
                **dict(zip(("source", "depth", "picture"), pictures, strict=True)),
            }
        )
    return {"examples": examples, "side": side, "made": bool(len(rows.filter(_judged())))}


def _judged() -> pl.Expr:
    return pl.col("status").is_in(["ok", "rejected"])


def gate_section(results: Results, names: Names, label: Label, config: Config) -> Section:
    """Return what the gate let through and why not, by label level, and the generator's state."""
    scores = [name for name in SCORES if name in table.schema_of("quality")]
    rows = results.columns("quality", ["label", "status", "reason", *scores])
    judged = rows.filter(_judged())
    failed = len(rows.filter(pl.col("status") == "failed"))
    levels = level_of(judged["label"].fill_null(label.low).to_numpy(), label.low, label.high)
    by_level = (
        judged.with_columns(pl.Series("level", levels))
        .group_by("level")
        .agg(pl.len().alias("judged"), (pl.col("status") == "ok").sum().alias("accepted"))
        .sort("level")
    )
    distributions = {}
    for name in scores:
        known = judged.filter(pl.col(name).is_finite())
        if len(known):
            kept = known.filter(pl.col("status") == "ok")[name].to_numpy()
            refused = known.filter(pl.col("status") != "ok")[name].to_numpy()
            limits = [getattr(config.quality, f"{end}_{name}", None) for end in ("max", "min")]
            limit = next((value for value in limits if value is not None), None)
            distributions[name] = (kept, refused, limit)
    return {
        "judged": len(judged),
        "accepted": int((judged["status"] == "ok").sum()),
        "failed": failed,
        "by_level": by_level.to_dicts(),
        "reasons": _reasons(rows.filter(pl.col("status").is_in(["rejected", "failed"])), names),
        "figure": figures.score_histograms("scores", distributions, SCORES)
        if distributions
        else "",
        "untrained": _is_untrained(results),
    }


def _is_untrained(results: Results) -> bool:
    """Return whether any recipe says that its model was never trained."""
    for text in results.first_values("generate", "recipe"):
        try:
            recipe = json.loads(text)
        except json.JSONDecodeError:
            continue
        if any(value is False for value in _values_of(recipe, "trained")):
            return True
    return False


def _values_of(node: object, key: str) -> Iterator[object]:
    """Yield every value under a key, however deep it stands."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            if name == key:
                yield value
            yield from _values_of(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from _values_of(value, key)
