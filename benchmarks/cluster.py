"""How long the 31 jobs of the cluster's tests take through a real Slurm, and without it.

    python -m benchmarks.cluster [--pairs 3]

A Slurm of one host is started in a temporary folder (`tests/cluster/slurm.py` names what must be
installed), and a local run and one through Slurm take turns; both may use all cores of the machine.
A pair's share is Slurm's seconds by those of the local run before it. The tables and networks of
all runs must be equal, byte by byte.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.records import record
from tests.cluster.runs import Run
from tests.cluster.slurm import Cluster, missing

#: Files of a run that do not tell when it was.
COMPARED = ("*.parquet", "images.npy", "metrics.json", "model.safetensors")


def busy_s() -> float:
    """Return the seconds that the machine's processors have worked so far, for anybody."""
    user, nice, system = Path("/proc/stat").read_text().split(maxsplit=4)[1:4]
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")


def timed(run: Run) -> dict[str, float]:
    """Run to the end and return wall seconds, the machine's processor seconds and its load.

    Raises:
        SystemExit: the run failed.
    """
    began, worked = time.monotonic(), busy_s()
    run.start()
    if run.end():
        raise SystemExit(run.output[-4000:])
    return {
        "wall_s": round(time.monotonic() - began, 1),
        "cpu_s_of_machine": round(busy_s() - worked, 1),
        "load": round(os.getloadavg()[0], 1),
    }


def made(run: Run) -> dict[str, bytes]:
    """Return what a run made, by file."""
    paths = (path for each in COMPARED for path in run.results.rglob(each))
    return {str(path.relative_to(run.results)): path.read_bytes() for path in paths}


def pair(folder: Path) -> dict[str, dict[str, float]]:
    """Run here and through a new Slurm, and return what each took.

    Raises:
        SystemExit: a run failed, or the two did not make the same.
    """
    here = Run(folder / "local")
    found = {"local": timed(here)}
    cluster = Cluster(folder / "slurm", accounting=False)
    cluster.start()
    try:
        there = Run(folder / "through-slurm", cluster)
        found["slurm"] = timed(there)
        jobs = cluster.slurm("scontrol", "show", "job", "-o").stdout.splitlines()
    finally:
        cluster.stop()
    if made(here) != made(there):
        raise SystemExit("the two runs made different files")
    found["slurm"] |= {"jobs": there.output.count("Finished jobid"), "jobs of Slurm": len(jobs)}
    return found


def main() -> None:
    """Run the pairs and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    asked = parser.parse_args()
    if lacking := missing():
        raise SystemExit(f"no Slurm can be started here: {lacking} not installed")
    began, pairs = time.monotonic(), []
    for _ in range(asked.pairs):
        folder = Path(tempfile.mkdtemp(prefix="pair-"))
        pairs.append(pair(folder))
        shutil.rmtree(folder)
        print(pairs[-1], flush=True)
    shares = [each["slurm"]["wall_s"] / each["local"]["wall_s"] for each in pairs]
    found = {
        "local, wall_s": statistics.median(each["local"]["wall_s"] for each in pairs),
        "slurm, wall_s": statistics.median(each["slurm"]["wall_s"] for each in pairs),
        "slurm by local": round(statistics.median(shares), 2),
        "pairs": pairs,
    }
    record("cluster slurm", found, time.monotonic() - began)


if __name__ == "__main__":
    main()
