"""Runs of the workflow, small ones of 31 jobs, through a Slurm of one host or on this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.cluster.slurm import ACCOUNT, Cluster
from tests.tiny_demo import TINY

ROOT = Path(__file__).parent.parent.parent
SETTINGS = TINY | {
    "index": {
        "packed_frames": 0,  # a shard a person: 31 jobs
        "demo": {"subjects": 4, "sequences": 1, "frames": 4, "picture_size": 192},
    },
    "generate": {"steps": 2, "batch": 4},
    "experiments": {"full": {}},
}
#: After this a run counts as one that waits for ever.
HANGS_S = 1500


class Run:
    """A run of the workflow in a folder of its own, by a profile or on this machine."""

    def __init__(self, folder: Path, cluster: Cluster | None = None, account: str = "") -> None:
        self.folder, self.cluster = folder, cluster
        self.results = folder / "results" / "demo"
        folder.mkdir(exist_ok=True)
        (folder / "study.yaml").write_text(yaml.safe_dump(SETTINGS))
        self.options = ["--cores", "2"]
        if cluster is not None:
            profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
            account = account or (ACCOUNT if cluster.accounting else "")
            profile["default-resources"].pop("slurm_account")
            if account:
                profile["default-resources"]["slurm_account"] = f"'{account}'"
            profile["set-threads"] = dict.fromkeys(profile["set-threads"], 1)  # as the local run
            (folder / "profile").mkdir(exist_ok=True)
            (folder / "profile" / "config.yaml").write_text(yaml.safe_dump(profile))
            self.options = ["--workflow-profile", str(folder / "profile")]

    def start(self, *options: str) -> None:
        """Start it, and let its output go to a file."""
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
        command += [
            "--directory",
            str(self.folder),
            "--configfile",
            str(self.folder / "study.yaml"),
        ]
        with (self.folder / "output").open("a") as output:
            self.process = subprocess.Popen(
                [*command, *self.options, *options],
                env=os.environ | (self.cluster.variables if self.cluster else {}),
                stdout=output,
                stderr=output,
            )

    @property
    def output(self) -> str:
        """What it has said so far."""
        return (self.folder / "output").read_text()

    def end(self) -> int:
        """Wait for its end and return its status; a run that hangs fails the test."""
        try:
            return self.process.wait(HANGS_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it hangs:\n{self.output[-4000:]}") from None

    def until(self, true: Callable[[], object]) -> None:
        """Wait until something is so; a run that has ended first fails the test."""
        while not true():
            assert self.process.poll() is None, self.output[-4000:]
            time.sleep(0.2)

    def tables(self, *folders: str) -> dict[str, bytes]:
        """Return what every table in some of its folders of results holds."""
        paths = [path for each in folders for path in (self.results / each).rglob("*.parquet")]
        return {str(path.relative_to(self.results)): path.read_bytes() for path in paths}
