"""An archive like UNBC-McMaster's through index, doctor, crop and landmarks.

    python -m benchmarks.archive make look crop landmarks --folder /tmp/archive
    python -m benchmarks.archive make look crop landmarks --folder /tmp/small --small

Steps: `make` writes the archive (rendered faces, hard links, label files, oddities), `look`
compares the index and the doctor's findings with what was written, `crop` and `landmarks` run every
shard in a process of its own on one core, as the workflow does; they go on where they were stopped.
Results of the whole archive lie in benchmarks/results/archive-<date>.json.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.config import Config, validate
from aacsfnet.datasets import open_dataset
from aacsfnet.software import commit, versions
from benchmarks.archive.oddities import plant
from benchmarks.archive.plan import SMALL, WHOLE, frames_of, histogram
from benchmarks.archive.tree import Tree
from benchmarks.archive.truth import differences, misjudged, truth_of

RESULTS = Path(__file__).parent.parent / "results"
NOTE = (
    "rendered faces; few distinct renderings, hard-linked under other names as films that run "
    "forwards and backwards, so decoding is real and the disk's cache is warm"
)


#: Runs a command and tells its peak memory in MiB.
MEASURED = """
import sys
from aacsfnet.cli import main
from aacsfnet.times import peak_mib
try:
    main(sys.argv[1:])
finally:
    sys.stderr.write(f"\\n{peak_mib()}\\n")
"""


def make(folder: Path, small: bool) -> dict[str, Any]:
    """Write the archive and the truth about it."""
    started = time.perf_counter()
    size = SMALL if small else WHOLE
    frames = frames_of(size)
    made = histogram([frame.label for frame in frames])
    subjects = list(dict.fromkeys(frame.subject for frame in frames))
    tree = Tree(folder / "archive", size, set(subjects[::2]))
    tree.write(frames, folder / "stills")
    planted = plant(tree, frames, not small)
    truth_of(planted).write_parquet(folder / "truth.parquet")
    (folder / "remarks.json").write_text(json.dumps(planted.remarks))
    return {
        "seconds": time.perf_counter() - started,
        "subjects": len(subjects),
        "sequences": len({(frame.subject, frame.sequence) for frame in frames}),
        "frames": len(frames),
        "distinct renderings": len({frame.still for frame in frames}),
        "frames by PSPI as the faces show it": made,
        "planted": planted.counts,
        "remarks": planted.remarks,
    }


def config_of(folder: Path) -> Config:
    """Return the settings of a run over the archive."""
    index = {"unbc": {"root": str(folder / "archive")}}
    merge = {"folds": 3, "validation_subjects": 1}
    results = str(folder / "results")
    return validate({"dataset": "unbc", "index": index, "merge": merge, "results": results})


def look(folder: Path) -> dict[str, Any]:
    """Index the archive by the command, ask the doctor, and compare both with the truth."""
    from aacsfnet.doctor import diagnose

    config = config_of(folder)
    output = folder / "index.parquet"
    spent = measured("index", config, "--output", str(output))
    truth, rows = pl.read_parquet(folder / "truth.parquet"), tables.read(output)
    wall, cpu = time.perf_counter(), time.process_time()
    findings = diagnose(config)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    remarks = json.loads((folder / "remarks.json").read_text())
    return {
        "index": spent,
        "rows": len(rows),
        "rows of the index that differ": differences(truth, rows),
        "counts of the doctor that differ": misjudged(truth, remarks, findings),
        "AAM landmarks that differ": wrong_landmarks(config, rows, folder),
        "doctor": {
            "wall_seconds": wall,
            "cpu_seconds": cpu,
            "errors": [f.message for f in findings if f.level == "error"],
        },
    }


def wrong_landmarks(config: Config, rows: pl.DataFrame, folder: Path) -> int:
    """Return how many frames' AAM landmarks are known where they should not be, or otherwise."""
    truth = pl.read_parquet(folder / "truth.parquet")
    lost = {"no_aam_file", "bad_aam"}
    known = pl.Series([not lost & set(notes) for notes in truth["notes"].to_list()])
    points = open_dataset(config).aam_landmarks(rows)  # type: ignore[attr-defined]
    found = pl.Series(~(points != points).any(axis=(1, 2)))
    with_picture = pl.Series(rows["path"] != "")
    return int(((known & with_picture) != found).sum())


def faces(folder: Path, stage: str, minutes: float) -> dict[str, Any]:
    """Run a stage over every shard; return time, memory and counts by status."""
    config = config_of(folder)
    index = folder / "index.parquet"
    shards = tables.read(index, ["shard"])["shard"].unique(maintain_order=True).to_list()
    notes = folder / f"{stage}.jsonl"
    done = {}
    if notes.exists():
        done = {row["shard"]: row for row in map(json.loads, notes.read_text().splitlines())}
    until = time.perf_counter() + 60 * minutes
    for shard in shards:
        if shard in done or time.perf_counter() > until:
            continue
        output = folder / stage / f"{shard}.parquet"
        source = {
            "crop": ("--index", str(index), "--shard", shard),
            "landmarks": ("--crop", str(folder / "crop" / f"{shard}.parquet")),
        }[stage]
        done[shard] = {"shard": shard} | measured(stage, config, *source, "--output", str(output))
        with notes.open("a") as file:
            file.write(json.dumps(done[shard]) + "\n")
    return summary(folder, stage, [done[shard] for shard in shards if shard in done], len(shards))


def summary(folder: Path, stage: str, runs: list[dict[str, Any]], shards: int) -> dict[str, Any]:
    """Return what a stage's runs took, and what became of the frames."""
    rows = pl.concat(
        tables.read(folder / stage / f"{run['shard']}.parquet", ["frame_id", "status"])
        for run in runs
    )
    truth = pl.read_parquet(folder / "truth.parquet").select("frame_id", "cropped")
    both = rows.join(truth, on="frame_id", how="left")
    known = both.filter(pl.col("cropped") != "ok")
    peaks = [run["peak_mib"] for run in runs]
    decoded = len(both.filter(pl.col("cropped") == "ok"))
    full = [p for p, run in zip(peaks, runs, strict=True) if run["frames"] == 512]
    return {
        "shards": f"{len(runs)} of {shards}",
        "frames": len(rows),
        "status": dict(rows["status"].value_counts(sort=True).iter_rows()),
        "frames that cannot be read, with another status than planted": len(
            known.filter(pl.col("status") != pl.col("cropped"))
        ),
        "frames that can": decoded,
        "with a face": len(both.filter(pl.col("status") == "ok", pl.col("cropped") == "ok")),
        "peak_mib": {
            "first": peaks[0],
            "last": peaks[-1],
            "last / first": peaks[-1] / peaks[0],
            "last full shard / first full shard": full[-1] / full[0] if full else None,
            "least": min(peaks),
            "most": max(peaks),
            "most / least": max(peaks) / min(peaks),
            "most / least among full shards": max(full) / min(full) if full else None,
            "by shard": [round(peak) for peak in peaks],
        },
        "wall_seconds": sum(run["wall_seconds"] for run in runs),
        "cpu_seconds": sum(run["cpu_seconds"] for run in runs),
        "frames a CPU second, start of each process included": len(rows)
        / sum(run["cpu_seconds"] for run in runs),
        "cpu_ms a frame, and cpu_seconds to start (line through all shards)": by_frame(runs),
    }


def by_frame(runs: list[dict[str, Any]]) -> list[float]:
    """Return the CPU time that one more frame takes, ms, and that of a process without any, s."""
    line = np.polyfit([run["frames"] for run in runs], [run["cpu_seconds"] for run in runs], 1)
    return [float(1000 * line[0]), float(line[1])]


def measured(stage: str, config: Config, *arguments: str) -> dict[str, Any]:
    """Run a stage's command on one core; return its seconds and peak memory."""
    settings = json.dumps(config.model_dump(mode="json", exclude={"experiments"}))
    command = [sys.executable, "-c", MEASURED, stage, "--config", settings, *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
    os.setpriority(os.PRIO_PROCESS, process.pid, 5)
    assert process.stderr is not None
    words = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command[2:4])} ended with {process.returncode}: {words[-2000:]}")
    output = Path(arguments[-1])
    return {
        "frames": len(tables.read(output, ["frame_id"])),
        "wall_seconds": time.perf_counter() - started,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": float(words.splitlines()[-1]),
    }


def main() -> None:
    """Take the steps asked for, and keep their results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("steps", nargs="+", choices=["make", "look", "crop", "landmarks"])
    parser.add_argument("--folder", type=Path, required=True, help="for the archive and tables")
    parser.add_argument("--small", action="store_true", help="3 subjects of 4 sequences")
    parser.add_argument("--minutes", type=float, default=600, help="for each of crop, landmarks")
    given = parser.parse_args()
    steps = {
        "make": lambda: make(given.folder, given.small),
        "look": lambda: look(given.folder),
        "crop": lambda: faces(given.folder, "crop", given.minutes),
        "landmarks": lambda: faces(given.folder, "landmarks", given.minutes),
    }
    for step in given.steps:
        found = steps[step]()
        print(step, json.dumps(found, indent=2, default=float), flush=True)
        (given.folder / f"{step}.json").write_text(json.dumps(found, default=float))
    if not given.small:
        keep(given.folder)


def keep(folder: Path) -> None:
    """Write the results of all steps taken so far."""
    files = {step: folder / f"{step}.json" for step in ("make", "look", "crop", "landmarks")}
    report = {
        "what": "archive",
        "how": NOTE,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "versions": versions("mediapipe", "numpy", "opencv-python-headless")
        | {"python": platform.python_version()},
        "commit": commit(),
        "result": {s: json.loads(file.read_text()) for s, file in files.items() if file.exists()},
    }
    path = RESULTS / f"archive-{report['date'][:10]}.json"
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(path)


if __name__ == "__main__":
    main()
