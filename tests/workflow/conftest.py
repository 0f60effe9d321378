"""Whole runs of the workflow in a folder of their own, as a user starts them."""

import copy
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.tiny_demo import TINY

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Run:
    """What a call of Snakemake gave back."""

    status: int
    output: str

    @property
    def jobs(self) -> dict[str, int]:
        """Jobs by rule, as the plan lists them."""
        table = re.findall(r"^ ?(\w[\w ]*?) +(\d+) *$", self.output, re.MULTILINE)
        return {rule.replace(" ", "_"): int(count) for rule, count in table if rule != "total"}


class Study:
    """A folder with one configuration file and its results."""

    def __init__(self, folder: Path, settings: dict) -> None:
        self.folder = folder
        self.results = folder / "results" / settings.get("dataset", "demo")
        self.settings(settings)

    def settings(self, settings: dict) -> None:
        (self.folder / "study.yaml").write_text(yaml.safe_dump(settings))

    def command(self, *options: str) -> list[str]:
        return [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--directory", str(self.folder), "--configfile", str(self.folder / "study.yaml")),
            *("--cores", "2", *options),
        ]

    def snakemake(self, *options: str) -> Run:
        done = subprocess.run(self.command(*options), capture_output=True, text=True)
        return Run(done.returncode, done.stdout + done.stderr)

    def start(self, *options: str) -> subprocess.Popen:
        """Start a run that leads a group of processes, so that all of it can be killed."""
        return subprocess.Popen(
            self.command(*options),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@pytest.fixture
def tiny():
    """Settings of the demo data, small; a copy that a test may change."""
    return copy.deepcopy(TINY)


@pytest.fixture
def study(tmp_path):
    return lambda settings: Study(tmp_path, settings)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run of the tiny demo."""
    study = Study(tmp_path_factory.mktemp("demo"), TINY)
    run = study.snakemake()
    assert run.status == 0, run.output
    return study
