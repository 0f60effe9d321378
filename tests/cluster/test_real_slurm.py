"""Runs through a real Slurm of one host: whatever happens there, they end, and as a local run does.

Skipped with the reason where Slurm's programs are not installed (Debian: munge, slurm-wlm, and for
accounting slurmdbd and mariadb-server); no service of the machine is touched.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.slurm import ACCOUNT, Cluster, missing
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

pytestmark = pytest.mark.slow


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


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = Run(tmp_path_factory.mktemp("local"))
    run.start()
    assert run.end() == 0, run.output[-4000:]
    return run


def _cluster(accounting: bool) -> Iterator[Cluster]:
    if lacking := missing(accounting):
        pytest.skip(f"no Slurm can be started here: {lacking} not installed")
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    cluster = Cluster(folder, accounting)
    cluster.start()
    yield cluster
    cluster.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def without_accounts() -> Iterator[Cluster]:
    yield from _cluster(False)


@pytest.fixture(scope="module")
def with_accounts() -> Iterator[Cluster]:
    yield from _cluster(True)


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Cluster:
    found: Cluster = request.getfixturevalue(request.param)
    return found


both = pytest.mark.parametrize("cluster", ["without_accounts", "with_accounts"], indirect=True)

ALL = ("", "experiments")
FACES = ("crop", "landmarks")


@pytest.mark.parametrize(
    ("cluster", "words"),
    [("without_accounts", "keeps no accounts"), ("with_accounts", "yours: root, study")],
    indirect=["cluster"],
)
def test_a_wrong_account_ends_the_run_before_the_first_job(cluster, words, tmp_path):
    run = Run(tmp_path, cluster, account="your-account")
    run.start()
    assert run.end() == 1
    assert "'your-account'" in run.output
    assert words in run.output
    assert not (run.results / "index.parquet").exists()


@both
def test_a_cancelled_job_is_tried_again(cluster, local, tmp_path):
    run = Run(tmp_path, cluster)
    run.start("landmarks")
    run.until(lambda: cluster.jobs("RUNNING"))
    cluster.slurm("scancel", *cluster.jobs("RUNNING"))
    assert run.end() == 0, run.output[-4000:]
    assert "SLURM status is: 'CANCELLED'" in run.output
    assert run.tables(*FACES) == local.tables(*FACES)


@both
def test_the_jobs_of_a_lost_node_start_again_when_it_is_back(cluster, local, tmp_path):
    run = Run(tmp_path, cluster)
    run.start("landmarks")
    run.until(lambda: cluster.jobs("RUNNING") and (run.results / "index.parquet").exists())
    lost = cluster.jobs("RUNNING")
    cluster.set_node("down")
    run.until(lambda: set(lost) <= set(cluster.jobs("PENDING")))
    cluster.set_node("resume")
    assert run.end() == 0, run.output[-4000:]
    assert "Trying to restart" not in run.output
    assert run.tables(*FACES) == local.tables(*FACES)


def test_a_job_out_of_memory_says_so_and_gets_more(without_accounts, local, tmp_path):
    run = Run(tmp_path, without_accounts)
    run.start("landmarks", "--set-resources", "index:mem_mb=100 if attempt == 1 else 2000")
    assert run.end() == 0, run.output[-4000:]
    # Slurm says so of the job, or of the step in it, whose log is shown, by either way to watch it.
    words = ("'OUT_OF_MEMORY'", "Out Of Memory", "exceeded memory limit")
    assert any(each in run.output for each in words)
    assert run.tables(*FACES) == local.tables(*FACES)


def test_after_the_controller_was_killed_the_same_command_goes_on(
    without_accounts, local, tmp_path
):
    run = Run(tmp_path, without_accounts)
    run.start("landmarks")
    run.until(lambda: list((run.results / "crop").glob("*.parquet")))
    run.process.send_signal(signal.SIGKILL)
    run.process.wait()
    run.start("landmarks")
    assert run.end() == 0, run.output[-4000:]
    assert run.tables(*FACES) == local.tables(*FACES)


@both
def test_doctor_tries_a_job_in_each_partition(cluster, tmp_path):
    run = Run(tmp_path, cluster)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "aacsfnet",
            "doctor",
            "--config",
            "study.yaml",
            "--profile",
            "profile",
        ],
        cwd=tmp_path,
        env=os.environ | cluster.variables | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for partition in ("cpu", "gpu"):
        assert f"test job in {partition}: ran on {cluster.host}" in done.stdout
    assert not run.results.parent.exists()


@both
def test_a_run_through_slurm_gives_the_tables_of_a_local_one(cluster, local, tmp_path):
    run = Run(tmp_path, cluster)
    run.start()
    assert run.end() == 0, run.output[-4000:]
    assert run.tables(*ALL) == local.tables(*ALL)
    names = ("images.npy", "metrics.json", "model.safetensors")
    for path in (each for name in names for each in local.results.rglob(name)):
        assert (run.results / path.relative_to(local.results)).read_bytes() == path.read_bytes()
