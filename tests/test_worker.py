"""A run's worker: jobs are forks of it, and nothing that a job's user sees differs."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from aacsfnet import worker
from aacsfnet.jobs import only_writer
from aacsfnet.stages import STAGES
from aacsfnet.worker import protocol, serve
from tests.tiny_demo import TINY

pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open") or any(path.exists() for path in worker._ACCELERATORS),
    reason="workers are for Linux without a GPU",
)


def children(process):
    return list(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


def waited_for(happens, seconds=60):
    end = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


class Run:
    """A process that has started a worker, as Snakemake does."""

    def __init__(self):
        code = "import json, sys; from aacsfnet import worker; print(json.dumps(worker.start()),"
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{code} flush=True); sys.stdin.read()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.jobs = []
        self.environment = os.environ | json.loads(self.process.stdout.readline())
        (self.worker,) = children(self.process.pid)

    def job(self, folder, *more, **environment):
        """Start the index stage."""
        command = [sys.executable, "-m", "aacsfnet", "index", "--config", json.dumps(TINY)]
        job = subprocess.Popen(
            [*command, "--output", "index.parquet", *more],
            env=self.environment | environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.jobs.append(job)
        return job

    def waiting(self, folder):
        """Start one whose output somebody else writes; return it and its fork's number."""
        job = self.job(folder)
        assert job.stdout.readline() == "index: index.parquet\n"
        assert "still writes index.parquet" in job.stdout.readline()
        (fork,) = children(self.worker)
        return job, fork


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv(worker.VARIABLE, raising=False)
    run = Run()
    yield run
    for process in run.jobs:
        with process:
            process.kill()
    run.process.communicate("", timeout=60)
    waited_for(lambda: not Path(f"/proc/{run.worker}").exists())


def test_every_stage_has_its_libraries():
    assert set(serve._LIBRARIES) == set(STAGES)


def test_a_fork_writes_what_the_command_itself_writes(run, tmp_path):
    for name, more in (("forked", {}), ("alone", {worker.VARIABLE: ""})):
        (tmp_path / name).mkdir()
        job = run.job(tmp_path / name, **more)
        assert job.communicate() == ("index: index.parquet\n", "")
        assert job.returncode == 0
    tables = [tmp_path / name / "index.parquet" for name in ("forked", "alone")]
    assert tables[0].read_bytes() == tables[1].read_bytes()


@pytest.mark.parametrize("number", ["0", "many"])
def test_wrong_input_is_told_as_by_the_command_itself(run, tmp_path, number):
    job = run.job(tmp_path, AACSFNET_THREADS=number)
    _, words = job.communicate()
    assert words.startswith(f"aacsfnet: AACSFNET_THREADS = {number!r}: expected")
    assert job.returncode == 2
    job = run.job(tmp_path, "--no-such")
    assert "No such option" in job.communicate()[1]
    assert job.returncode == 2


def test_a_job_ends_with_its_command(run, tmp_path):
    with only_writer(tmp_path / "index.parquet"):
        job, fork = run.waiting(tmp_path)
        job.kill()
        job.communicate()
        waited_for(lambda: fork not in children(run.worker))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_command_ends_by_the_signal_that_ended_its_fork(run, tmp_path, number):
    with only_writer(tmp_path / "index.parquet"):
        job, fork = run.waiting(tmp_path)
        os.kill(fork, number)
        job.communicate(timeout=60)
        assert job.returncode == -number


def test_the_keyboard_ends_a_job_in_its_own_words(run, tmp_path):
    with only_writer(tmp_path / "index.parquet"):
        job, fork = run.waiting(tmp_path)
        for process in (run.worker, fork, job.pid):  # as a terminal does
            os.kill(process, signal.SIGINT)
        assert "aacsfnet: interrupted" in job.communicate(timeout=60)[1]
        assert job.returncode == 130
    assert run.job(tmp_path).wait(timeout=60) == 0


def test_a_worker_that_is_killed_takes_its_jobs_along_and_later_ones_work_alone(run, tmp_path):
    with only_writer(tmp_path / "index.parquet"):
        job, fork = run.waiting(tmp_path)
        os.kill(run.worker, signal.SIGKILL)
        assert "the worker of this run has ended" in job.communicate(timeout=60)[1]
        assert job.returncode == 1
        waited_for(lambda: not Path(f"/proc/{fork}").exists())
    assert run.job(tmp_path).wait(timeout=60) == 0


@contextmanager
def serving(folder, before, serves="serve.Worker(listening, os.getppid()).serve()"):
    """Run a worker that something is done to first; yield its name for jobs, and its process."""
    name = f"aacsfnet-test-{folder.name}"
    code = f"""
import os, pkgutil, socket, sys, threading
from aacsfnet.worker import protocol, serve
{before}
listening = socket.socket(socket.AF_UNIX)
listening.bind(protocol.address(sys.argv[1]))
listening.listen()
print(flush=True)
{serves}
"""
    process = subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE)
    process.stdout.readline()
    try:
        yield {worker.VARIABLE: name}, process
    finally:
        process.kill()
        process.communicate()


RAISES = """
def raises(*given):
    raise {}
"""


def test_a_worker_with_threads_is_not_forked(run, tmp_path):
    before = "threading.Thread(target=threading.Event().wait, daemon=True).start()"
    with serving(tmp_path, before) as (named, process):
        assert run.job(tmp_path, **named).wait(timeout=60) == 0
        assert not children(process.pid)


def test_a_worker_that_never_begins_leaves_the_work_to_the_command(run, tmp_path):
    with serving(tmp_path, "", "listening.accept()") as (named, _):
        assert run.job(tmp_path, **named).wait(timeout=60) == 0
    assert (tmp_path / "index.parquet").exists()


@pytest.mark.parametrize("call", ["fork", "pidfd_open"])
def test_a_worker_that_cannot_fork_leaves_the_work_to_the_command(run, tmp_path, call):
    before = RAISES.format("OSError('too many processes')")
    worker_itself = "worker = serve.Worker(listening, os.getppid())"
    serves = f"{worker_itself}; os.{call} = raises; worker.serve()"
    with serving(tmp_path, before, serves) as (named, process):
        assert run.job(tmp_path, **named).wait(timeout=60) == 0
        assert process.poll() is None
        assert not children(process.pid)
    assert (tmp_path / "index.parquet").exists()


def test_a_library_that_fails_does_not_end_the_worker(run, tmp_path):
    before = RAISES.format("RuntimeError('cannot be imported')") + "pkgutil.resolve_name = raises"
    with serving(tmp_path, before) as (named, process):
        run.job(tmp_path, **named).wait(timeout=60)
        assert process.poll() is None


def test_a_command_that_is_gone_when_its_job_has_ended_is_no_matter():
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0aacsfnet-test-gone")
        serving = serve.Worker(listening, os.getpid())
        ours, theirs = socket.socketpair()
        ours.close()
        theirs.close()
        serving._given_up(ours)


def test_files_of_a_broken_request_are_closed():
    before = len(list(Path("/proc/self/fd").iterdir()))
    ours, theirs = socket.socketpair()
    with ours:
        socket.send_fds(theirs, [b"\x09" + bytes(7)], [0, 1, 2])
        theirs.sendall(b"no")
        theirs.close()
        with pytest.raises(ValueError, match="Expecting value"):
            protocol.receive(ours)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_fork_that_cannot_enter_its_folder_says_so_to_the_job(run, tmp_path):
    told, tells = os.pipe()
    kept = os.dup(2)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(protocol.address(run.environment[worker.VARIABLE]))
        os.dup2(tells, 2)
        try:
            request = protocol.Request(["index"], str(tmp_path / "gone"), run.environment)
            protocol.send(connection, request)
        finally:
            os.dup2(kept, 2)
        assert protocol.told(connection) == protocol.BEGUN
        assert protocol.told(connection) == 1
    os.close(tells)
    os.close(kept)
    with os.fdopen(told) as file:
        assert file.read() == f"aacsfnet: {tmp_path / 'gone'}: No such file or directory\n"


def test_there_is_none_where_the_environment_says_so(monkeypatch):
    monkeypatch.setenv(worker.VARIABLE, "")
    assert worker.start() == {}


def test_there_is_none_where_the_kernel_does_not_tell_of_processes(monkeypatch):
    def lacks(process):
        raise OSError("not implemented")

    monkeypatch.delenv(worker.VARIABLE, raising=False)
    monkeypatch.setattr(os, "pidfd_open", lacks)
    assert worker.start() == {}
