"""The report's sections on frames, faces, prompts and generated pictures."""

from typing import Any

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.evaluation.metrics import level_of
from aacsfnet.evaluation.results import Results, spread
from aacsfnet.labels import Label
from aacsfnet.report import figures
from aacsfnet.report.gate_section import SCORES, SHORT, judged, reasons_table
from aacsfnet.report.names import Names
from aacsfnet.report.pictures import data_uri, side_for, thumbnail, with_landmarks
from aacsfnet.stages import SHARDED

Section = dict[str, Any]


def axis_of(label: Label) -> str:
    """Return the label's name with its range, for axes and captions."""
    return f"{label.name} {label.low:g}–{label.high:g}"


def data_section(results: Results, names: Names, label: Label) -> Section:
    """Return how many frames there are, what befell them, and their labels."""
    index = results.index
    stages = [_status_row("index", "", index)]
    stages += [
        _status_row(stage, of, view.columns(stage, ["status"]))
        for stage in SHARDED
        for of, view in results.views(stage).items()
        if view.paths(stage)
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
        "meanings": {
            status: tables.STATUSES[status] for status in tables.STATUSES if status in seen
        },
        "reasons": {
            of: reasons_table(_all_reasons(view), names)
            for of, view in results.views("landmarks").items()
        },
        "notes": _note_counts(index),
        "histogram": figures.histogram(
            "labels", values.tolist(), counts.tolist(), axis_of(label), step
        )
        if len(values)
        else "",
        "lowest_share": lowest / len(labelled) if len(labelled) else None,
        "by_subject": {
            of: _by_subject(view, names, label) for of, view in results.views("quality").items()
        },
    }


def _status_row(stage: str, of: str, rows: pl.DataFrame) -> Section:
    counts = dict(rows["status"].value_counts().iter_rows())
    return {
        "stage": stage,
        "of": of,
        "rows": len(rows),
        "ok": counts.pop("ok", 0),
        "others": dict(sorted(counts.items(), key=lambda item: -item[1])),
        "unit": "pictures" if "image_id" in tables.SCHEMAS[stage] else "frames",
    }


def _all_reasons(results: Results) -> pl.DataFrame:
    """Return status and reason of every frame as the last stage of faces knew it."""
    last = next((stage for stage in ("landmarks", "crop") if results.paths(stage)), None)
    if last is None:
        return results.index.select("status", "reason")
    return results.columns(last, ["status", "reason"])


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
    counted = {
        "usable": results.columns("landmarks", ["subject", "status"]),
        "generated": results.columns("generate", ["subject", "status"]),
        "accepted": results.columns("quality", ["subject", "status"]),
    }
    for name, rows in counted.items():
        found = rows.filter(pl.col("status") == "ok").group_by("subject").len(name)
        counts = counts.join(found, on="subject", how="left").with_columns(
            pl.col(name).fill_null(0)
        )
    return [
        {**row, "subject": names.subject(row["subject"])}
        for row in counts.sort("subject").iter_rows(named=True)
    ]


def faces_section(results: Results, names: Names, count: int) -> Section:
    """Return examples of crops with their landmarks."""
    found = results.columns("landmarks", ["frame_id", "subject", "status"])
    usable = tables.labelled(found, results.index)
    labels = dict(usable.select("frame_id", "label").iter_rows())
    chosen = spread(usable.filter(pl.col("status") == "ok"), count, "frame_id")
    crops = results.rows("crop", chosen, ["subject", "image"])
    landmarks = results.rows("landmarks", chosen, ["landmarks_px"])
    side = side_for(6 * count)
    examples = []
    for frame in chosen:
        if not (frame in crops and frame in landmarks):
            continue  # a stage was run again alone and its rows are not there yet
        picture = tables.decode_png(crops[frame]["image"])
        points = np.asarray(landmarks[frame]["landmarks_px"], np.float64)
        examples.append(
            {
                "subject": names.subject(crops[frame]["subject"]),
                "label": labels[frame],
                "crop": data_uri(with_landmarks(picture, points, side)),
            }
        )
    return {"examples": examples, "side": side}


def prompts_section(results: Results, names: Names, count: int) -> Section:
    """Return examples of prompts with their lengths."""
    columns = ["image_id", "subject", "label", "status", "tokens", "left_out_tokens", "points"]
    rows = results.columns("prompts", columns)
    planned = rows.filter(pl.col("status") == "ok")
    chosen = spread(planned, count, "image_id")
    found = results.rows(
        "prompts", chosen, ["subject", "label", "kind", "prompt", "negative_prompt"]
    )
    tokens = dict(zip(planned["image_id"], planned["tokens"], strict=True))
    examples = [
        {
            "subject": names.subject(found[key]["subject"]),
            "label": found[key]["label"],
            "kind": found[key]["kind"],
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
        "shortened": int((planned["left_out_tokens"].fill_null(0) > 0).sum()),
        "left_out": int(planned["left_out_tokens"].sum()),
        "points": planned["points"].max(),
        "longest": lengths.max(),
        "median": lengths.median(),
    }


def generated_section(results: Results, names: Names, count: int) -> Section:
    """Return examples of generated pictures beside their sources, with the gate's verdicts."""
    rows = results.columns("quality", ["image_id", "subject", "label", "status", "kind"])
    kinds = [kind for kind in tables.KINDS if len(rows.filter(judged(), kind=kind))]
    chosen = [
        key
        for kind in kinds
        for key in _accepted_and_refused(rows.filter(kind=kind), -(-count // len(kinds)))
    ]
    scores = [name for name in SCORES if name in tables.SCHEMAS["quality"]]
    verdicts = results.rows(
        "quality", chosen, ["subject", "label", "kind", "status", "reason", "frame_id", *scores]
    )
    made = results.rows("generate", chosen, ["image"])
    frames = [verdicts[key]["frame_id"] for key in chosen]
    crops = results.rows("crop", frames, ["image"])
    labels = dict(
        results.index.filter(pl.col("frame_id").is_in(frames))
        .select("frame_id", "label")
        .iter_rows()
    )
    depths = results.rows("depth", chosen, ["image"])
    side = side_for(6 * count)
    examples = []
    for key, frame in zip(chosen, frames, strict=True):
        if not (key in made and frame in crops and key in depths):
            continue  # a stage was run again alone and its pictures are not there yet
        verdict = verdicts[key]
        sources = (crops[frame]["image"], depths[key]["image"], made[key]["image"])
        pictures = [data_uri(thumbnail(tables.decode_png(one), side)) for one in sources]
        examples.append(
            {
                "subject": names.subject(verdict["subject"]),
                "label": verdict["label"],
                "kind": verdict["kind"],
                "source_label": labels.get(frame),
                "accepted": verdict["status"] == "ok",
                "reason": names.text(verdict["reason"] or ""),
                "scores": {
                    SHORT[name]: verdict[name] for name in scores if verdict[name] is not None
                },
                **dict(zip(("source", "depth", "picture"), pictures, strict=True)),
            }
        )
    return {"examples": examples, "side": side, "made": bool(len(rows.filter(judged())))}


def _accepted_and_refused(rows: pl.DataFrame, count: int) -> list[str]:
    """Return ids of about as many accepted as refused pictures, people and labels spread."""
    accepted = spread(rows.filter(pl.col("status") == "ok"), count - count // 2, "image_id")
    refused = spread(rows.filter(pl.col("status") == "rejected"), count - len(accepted), "image_id")
    return accepted + refused
