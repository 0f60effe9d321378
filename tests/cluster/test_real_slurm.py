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
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.runs import ROOT, Run
from tests.cluster.slurm import Cluster, missing

pytestmark = pytest.mark.slow


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
