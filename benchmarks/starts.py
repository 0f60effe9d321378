"""What part of the demo's job time is starting processes: Python itself, and loading libraries.

    python -m benchmarks.starts [--cores 2] [--alone]

The demo's workflow runs into a temporary folder. A hook tells how long imports take in each job's
process. Its start is these; Python's own start, where it is not a fork; and all that its command
takes beyond what the job itself tells: shell, waiting for the worker and its imports, the end.
`--alone` runs it without a worker.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aacsfnet import worker
from benchmarks.records import record

ROOT = Path(__file__).parent.parent
#: Run by each Python of the workflow at its start. Outermost imports of jobs are timed.
HOOK = """
import importlib._bootstrap as bootstrap, os, pathlib, time
words = pathlib.Path("/proc/self/cmdline").read_bytes().split(b"\\0")[:3]
def hook(worker, load=bootstrap._find_and_load, depth=[0]):
    def timed(name, import_):
        depth[0] += 1
        began = time.perf_counter()
        try:
            return load(name, import_)
        finally:
            depth[0] -= 1
            if not depth[0] and os.getpid() != worker:
                with open(f"{os.environ['IMPORTS']}/{os.getpid()}", "a") as file:
                    file.write(f"{time.perf_counter() - began}\\n")
    bootstrap._find_and_load = timed
if b"aacsfnet.worker" in words:
    hook(os.getpid())
elif b"aacsfnet" in words and not os.environ.get("AACSFNET_WORKER"):
    hook(None)
"""


def bare_start(times: int = 20) -> float:
    """Return the median seconds of starting Python to do nothing."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def told_by_snakemake(folder: Path) -> list[float]:
    """Return the seconds of each job by Snakemake's own records."""
    found = {}
    for path in (folder / ".snakemake" / "metadata").rglob("*"):
        if path.is_file():
            told = json.loads(path.read_text())
            found[told["rule"], *told["log"]] = told["endtime"] - told["starttime"]
    return list(found.values())


def told_by_jobs(results: Path) -> list[float]:
    """Return the seconds that each job tells of itself."""
    lines = [path.read_text().splitlines()[1] for path in results.rglob("benchmarks/**/*.tsv")]
    return [float(line.split("\t")[0]) for line in lines]


def starts(folder: Path, cores: int, alone: bool) -> dict[str, float]:
    """Run the demo's workflow into a folder; return what its jobs took, and their starts."""
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(HOOK)
    (folder / "imports").mkdir()
    environment = os.environ | {
        "PYTHONPATH": f"{folder / 'hook'}{os.pathsep}{ROOT}",
        "IMPORTS": str(folder / "imports"),
    }
    environment.pop(worker.VARIABLE, None)
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--directory", str(folder), "--configfile", str(ROOT / "config.yaml")),
        *("--cores", str(cores)),
    ]
    began = time.monotonic()
    with (folder / "said").open("w") as said:
        more = {worker.VARIABLE: ""} if alone else {}
        subprocess.run(command, env=environment | more, check=True, stdout=said, stderr=said)
    wall = time.monotonic() - began
    jobs, own = told_by_snakemake(folder), told_by_jobs(folder / "results" / "demo")
    lines = [path.read_text().split() for path in (folder / "imports").iterdir()]
    imports = sum(float(line) for of_process in lines for line in of_process)
    python = bare_start() * len(own) if alone else 0.0
    start = sum(jobs) - sum(own) + imports + python
    return {
        "wall_s": wall,
        "jobs": len(own),
        "jobs_s": sum(jobs),
        "start_s": start,
        "of_which_imports_in_jobs_s": imports,
        "share": start / sum(jobs),
    }


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help="without a worker")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="aacsfnet-starts-") as name:
        found = starts(Path(name), given.cores, given.alone)
    what = "starts alone" if given.alone else "starts"
    record(what, found, time.monotonic() - began, cores=given.cores)


if __name__ == "__main__":
    main()
