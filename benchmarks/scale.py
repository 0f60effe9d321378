"""A million frames of 1,000 people: what planning, index, merge, splits, evaluate and report take.

    python -m benchmarks.scale --folder FOLDER [--people 1000 --frames 1000 --crops 8 --begin]

The frames are links to a few small files, the crops one of a few noisy ovals each, the scores of
networks made up: no face is sought and nothing trained, what is measured reads and writes for real.
What repeats within a page of a table is packed to next to nothing and read at once: with 64 crops
nothing does, and a frame takes 28 kB of disk.
Processor seconds, wall seconds and peak memory are of a process of its own for each step.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.cohort.splits import split
from aacsfnet.config import validate
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.shards import files_of, noted_rows, sources_hash, sources_of
from aacsfnet.layout import Layout
from aacsfnet.made import from_tables, hash_in, made_from
from aacsfnet.stages import SHARDED, STAGES
from aacsfnet.workflow import Workflow
from benchmarks.records import record

ROOT = Path(__file__).parent.parent
CROP, FOLDS = 128, 5
#: Stages whose tables the merge reads.
MERGED = ("crop", "landmarks", "generate", "quality")


def settings(folder: Path) -> dict:
    """Return the settings of a study in a folder."""
    return {
        "dataset": "manifest",
        "results": str(folder / "results"),
        "index": {"manifest": {"file": str(folder / "m.csv"), "root": str(folder / "data")}},
        "prompts": {"level": {"pictures": 0}},
        "merge": {"folds": FOLDS, "validation_subjects": 2},
        "experiments": {"full": {}},
    }


def write_data(folder: Path, people: int, frames: int) -> None:
    """Write the table and, as links to one file a person, its pictures."""
    rng = np.random.default_rng(0)
    lines = ["path,subject,sequence,frame,label,sex\n"]
    for person in range(people):
        own = folder / "data" / f"p{person:04d}"
        own.mkdir(parents=True, exist_ok=True)
        first = own / "s00_000.png"
        if not first.exists():
            noise = rng.integers(0, 255, (16, 16, 3), np.uint8)
            first.write_bytes(cv2.imencode(".png", noise)[1].tobytes())
        labels = np.clip(rng.poisson(0.6, frames), 0, 16)
        for frame in range(frames):
            name = f"s{frame // 100:02d}_{frame % 100:03d}.png"
            if not (own / name).exists():
                (own / name).hardlink_to(first)
            sequence, number = f"s{frame // 100:02d}", frame % 100
            place = f"{own.name}/{name},{own.name},{sequence},{number}"
            lines.append(f"{place},{labels[frame]},{'fm'[person % 2]}\n")
    (folder / "m.csv").write_text("".join(lines))


def crops(count: int) -> list[dict[str, object]]:
    """Return some encoded crops: noisy ovals, as large as crops of faces."""
    y, x = np.mgrid[:CROP, :CROP] / CROP - 0.5
    oval = ((x / 0.32) ** 2 + (y / 0.42) ** 2 < 1)[..., None]
    rng = np.random.default_rng(1)
    noise = (rng.integers(0, 12, (CROP, CROP, 3)) for _ in range(count))
    pictures = [np.where(oval, 180 + each, 90 + each).astype(np.uint8) for each in noise]
    return [tables.encode_png(each, "crop.png") for each in pictures]


def write_shards(folder: Path, pictures: list[dict[str, object]]) -> None:
    """Write the tables from crop to quality with the notes that their stages write."""
    config = validate(settings(folder))
    layout = Layout(config)
    dataset = open_dataset(config)
    index = tables.read(layout.index)
    made = dict.fromkeys(tables.MEASURES, 0.3)
    for (shard,), frames in index.group_by("shard", maintain_order=True):
        face = frames.select("frame_id", "subject", "sequence", "status", "reason")
        count = len(face)
        where = {stage: layout.table("", stage, shard) for stage in SHARDED}
        sources = sources_of(dataset, files_of(dataset, frames))
        rows = noted_rows(layout.index, "frames", shard)
        note = made_from(config, "crop", rows=rows, files=sources_hash(sources))
        values = {
            "image": [pictures[at % len(pictures)] for at in range(count)],
            "to_frame": [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]] * count,
        }
        _write(where["crop"], "crop", face, values, {"made_from": note, "sources": sources})
        values = {"measures": [made] * count, "pose": [[1.0, 2.0, 3.0]] * count}
        values["landmarks_px"] = np.full((count, *tables.POINTS.shape), CROP / 2, np.float32)
        notes = from_tables(config, "landmarks", crop=where["crop"])
        _write(where["landmarks"], "landmarks", face, values, notes)
        plan = face.with_columns(
            pl.lit("not_selected").alias("status"), pl.lit("no picture").alias("reason")
        )
        ids = {"image_id": face["frame_id"] + "#0", "label": frames["label"]}
        labels = {"rows": noted_rows(layout.index, "labels", shard)}
        for stage in SHARDED[2:]:
            inputs = {name: where[name] for name in STAGES[stage].after if name in where}
            taken = labels if stage in ("prompts", "quality") else {}
            notes = from_tables(config, stage, **taken, **inputs)
            _write(where[stage], stage, plan, ids, notes)


def _write(path: Path, stage: str, rows: pl.DataFrame, values: dict, notes: dict) -> None:
    schema = tables.SCHEMAS[stage]
    columns = {
        name: rows[name]
        if name in rows.columns
        else pl.Series(name, values.get(name, [None] * len(rows)), dtype=kind)
        for name, kind in schema.items()
    }
    tables.write(path, pl.DataFrame(columns), stage, notes)


def write_trained(folder: Path) -> None:
    """Write what training leaves: predictions of the held-out people, and what they came from."""
    config = validate(settings(folder))
    layout = Layout(config)
    merged = layout.merged("")
    rows = pl.read_parquet(merged.index).filter(pl.col("row").is_not_null())
    splits = pl.read_parquet(merged.splits)
    rng = np.random.default_rng(2)
    for fold in range(FOLDS):
        trained = layout.trained("full", 1, fold)
        trained.folder.mkdir(parents=True, exist_ok=True)
        tested = splits.filter(pl.col("fold") == fold, pl.col("role") == "test")["subject"]
        own = rows.filter(pl.col("subject").is_in(tested.to_list()))
        names = ["frame_id", "subject", "sequence", "label", "row", "yaw", "pitch"]
        guess = 0.6 * own["label"].to_numpy() + rng.normal(0.4, 0.5, len(own))
        own.select(
            *names,
            pl.Series("prediction", guess),
            pl.lit(0.6).alias("mean_label"),
            pl.lit(fold, pl.Int64).alias("fold"),
            pl.lit(1, pl.Int64).alias("seed"),
        ).write_parquet(trained.predictions)
        for path in (trained.weights, trained.features):
            path.write_bytes(b"made up")
        trained.history.write_text("epoch,train_loss\n1,1.0\n2,0.5\n")
        note = {"merge": hash_in(merged.index), "fold": str(fold), "seed": "1"}
        about = {"format": 1, "name": "aacsfnet", "settings": {}, "parameters": 1, "seconds": 1.0}
        about |= {"made_from": made_from(config, "train", **note)}
        trained.description.write_text(json.dumps(about))


def write_split_seconds(folder: Path) -> None:
    """Deal people into folds of one; write how long that took, and the process's peak memory."""
    merged = Layout(validate(settings(folder))).merged("")
    labels = pl.read_parquet(merged.index, columns=["subject", "label"]).partition_by("subject")
    people = [each["subject"][0] for each in labels]
    began = time.process_time()
    dealt = split(people, [each["label"].to_numpy() for each in labels], "loso", 2, 1)
    took = {"cpu_s": round(time.process_time() - began, 2), "rows": len(dealt)}
    took["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    (folder / "splits.json").write_text(json.dumps(took))


def write_plan(folder: Path) -> None:
    """Write what each run leaves for the next plan."""
    Workflow(settings(folder)).hold().close()


def apart(function: Callable[..., None], *arguments: object) -> None:
    """Run a function in a process of its own: what is measured later starts from a small one.

    The system counts a process's peak memory from that of the one which started it.
    """
    process = get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{function.__name__}: failed")


def measured(folder: Path, *command: str) -> dict[str, float | str]:
    """Run a command and return its processor and wall seconds and its peak memory, MB."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    began = time.monotonic()
    with (folder / "last.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
    words = (folder / "last.log").read_text().strip()
    if status:
        raise SystemExit(f"{command}: {words[-2000:]}")
    return {
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 1),
        "wall_s": round(time.monotonic() - began, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
        "last_line": words.replace(str(folder), "FOLDER").splitlines()[-1][:120] if words else "",
    }


def main() -> None:
    """Make the data, run each step and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=1000, help="of each of them")
    parser.add_argument("--crops", type=int, default=8, help="that differ")
    parser.add_argument("--begin", action="store_true", help="plan and index alone")
    asked = parser.parse_args()
    began, folder = time.monotonic(), asked.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    config = validate(settings(folder))
    layout = Layout(config)
    text = json.dumps(settings(folder))
    (folder / "study.json").write_text(text)
    apart(write_data, folder, asked.people, asked.frames)
    plan = ["-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    plan += ["--configfile", str(folder / "study.json"), "--cores", "2", "-n", "--quiet"]

    def stage(name: str, *options: object) -> dict[str, float | str]:
        return measured(folder, "-m", "aacsfnet", name, "--config", text, *map(str, options))

    found = {"people": asked.people, "frames": asked.frames, "different crops": asked.crops}
    found["plan of nothing yet, jobs counted"] = measured(folder, *plan)
    found["plan of nothing yet"] = measured(folder, *plan, "all")
    found["index"] = stage("index", "--output", layout.index)
    what = f"scale of {asked.people * asked.frames} frames"
    if asked.begin:
        record(what, found, time.monotonic() - began)
        return
    apart(write_shards, folder, crops(asked.crops))
    folders = [(f"--{each}", layout.stage("", each)) for each in SHARDED if each in MERGED]
    options = [each for pair in folders for each in pair]
    merged = layout.merged("")
    found["merge"] = stage("merge", "--index", layout.index, *options, "--output", merged.folder)
    pixels = {
        "pixels": merged.images.stat().st_size,
        "crops": asked.people * asked.frames * CROP**2 * 3,
    }
    for name, size in pixels.items():
        found["merge"][f"mb_of_{name}_per_cpu_s"] = round(size / 1e6 / found["merge"]["cpu_s"])
    apart(write_split_seconds, folder)
    found["splits, leave one out"] = json.loads((folder / "splits.json").read_text())
    apart(write_trained, folder)
    options = ["--index", layout.index, "--merge", merged.folder]
    options += ["--output", layout.experiment("full").folder]
    options += [layout.trained("full", 1, fold).predictions for fold in range(FOLDS)]
    found["evaluate"] = stage("evaluate", *options)
    found["report"] = stage("report", "--results", layout.folder, "--output", layout.report)
    apart(write_plan, folder)
    found["plan of finished results"] = measured(folder, *plan, "all")
    record(what, found, time.monotonic() - began)


if __name__ == "__main__":
    main()
