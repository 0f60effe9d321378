"""Jobs and their runs, in processes of their own."""

import errno
import os
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from aacsfnet import runs
from aacsfnet.config import validate
from aacsfnet.errors import SettingsError, WorkError
from aacsfnet.files import replacing
from aacsfnet.jobs import is_left_lock, lock_of, only_writer, working_on
from aacsfnet.layout import Layout

WRITE = """
import sys
from pathlib import Path
from aacsfnet.jobs import working_on
with working_on("crop", Path(sys.argv[1])):
    print("begun", flush=True)
    sys.stdin.readline()
"""


class Job:
    """A process that writes an output until it is told to end."""

    def __init__(self, output, **environment):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITE, str(output)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | environment,
            text=True,
        )

    def says(self):
        return self.process.stdout.readline().strip()

    def end(self):
        self.process.communicate("\n", timeout=60)
        return self.process.returncode


def test_of_two_jobs_with_one_output_the_second_waits(tmp_path):
    output = tmp_path / "crop" / "s01.00.parquet"
    first = Job(output)
    assert [first.says(), first.says()] == [f"crop: {output}", "begun"]
    second = Job(output)
    assert second.says() == f"crop: {output}"
    waiting = f"process {first.process.pid} on "
    words = second.says()
    assert words.startswith(waiting)
    assert words.endswith(f"still writes {output}; waiting for its end")
    assert first.end() == 0
    assert second.says() == "begun"
    assert second.end() == 0
    assert not list(output.parent.iterdir())


def test_a_killed_job_lets_go_and_the_next_removes_what_it_left(tmp_path):
    output = tmp_path / "s01.00.parquet"
    first = Job(output)
    assert [first.says(), first.says()][1] == "begun"
    assert not is_left_lock(lock_of(output))
    pid = first.process.pid
    first.process.kill()
    first.process.communicate()
    with replacing(output) as temporary:
        left = temporary.with_name(temporary.name.replace(f"-{os.getpid()}-", f"-{pid}-"))
        left.write_text("half")
    assert is_left_lock(lock_of(output))
    with working_on("crop", output):
        assert not left.exists()
    assert list(tmp_path.iterdir()) == [output]


@pytest.fixture
def layout(tmp_path):
    return Layout(validate({"results": str(tmp_path)}))


#: Holds results, starts a job by a shell as Snakemake does, and waits.
CONTROLLER = """
import os, subprocess, sys
from aacsfnet.config import validate
from aacsfnet.layout import Layout
layout = Layout(validate({"results": sys.argv[1]}))
lock = layout.hold()
os.environ |= layout.run.environment()
command = f"set -e; echo $$; {sys.executable} -c '{sys.argv[2]}' {layout.folder}/a.parquet; true"
subprocess.run(["bash", "-c", command])
"""


def test_a_job_ends_with_the_controller_that_was_killed(layout, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, str(tmp_path), WRITE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as controller:
        said = [controller.stdout.readline().strip() for _ in range(3)]
        assert said[1:] == [f"crop: {layout.folder}/a.parquet", "begun"]
        with pytest.raises(WorkError, match="another run works here"):
            layout.hold()
        controller.kill()
        assert controller.stdout.read() == ""  # which the job holds open until it ends
    with layout.hold(), only_writer(layout.folder / "a.parquet"):
        pass


def test_a_job_on_another_machine_writes_nothing_once_another_run_has_the_results(
    layout, monkeypatch
):
    layout.hold().close()
    elsewhere = replace(layout.run, place="another machine")
    monkeypatch.setenv(runs.VARIABLE, elsewhere.environment()[runs.VARIABLE])
    path = layout.folder / "a.txt"
    with replacing(path) as temporary:
        temporary.write_text("first")
    layout.hold().close()  # another run
    over = pytest.raises(WorkError, match="not written: the run of this job is over")
    with over, replacing(path) as temporary:
        temporary.write_text("second")
    assert path.read_text() == "first"
    with replacing(layout.folder.parent / "elsewhere.txt") as temporary:
        temporary.write_text("not that run's")
    job = Job(path, **elsewhere.environment())
    assert job.end() == 1


def test_a_job_that_starts_after_its_controller_died_does_nothing(layout):
    layout.hold().close()
    job = Job(layout.folder / "a.txt", **replace(layout.run, began="0").environment())
    _, words = job.process.communicate("\n", timeout=60)
    assert job.process.returncode == 1
    assert "the run of this job (process" in words


COUNT = """
import sys
from pathlib import Path
from aacsfnet.jobs import working_on
with working_on("crop", Path(sys.argv[1])):
    import torch
    print(torch.get_num_threads())
"""


@pytest.mark.parametrize("asked", [None, "2"])
def test_the_machine_does_not_decide_how_many_threads_compute(tmp_path, monkeypatch, asked):
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "4")  # as Snakemake does for a rule with four
    if asked:
        monkeypatch.setenv("AACSFNET_THREADS", asked)
    command = [sys.executable, "-c", COUNT, str(tmp_path / "a.parquet")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == (asked or "1")


def test_a_number_of_threads_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("AACSFNET_THREADS", "0")
    refused = pytest.raises(SettingsError, match="AACSFNET_THREADS = '0': expected a number")
    with refused, working_on("crop", tmp_path / "a.parquet"):
        pass


def test_a_thread_that_ends_by_a_full_disk_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    others = []
    monkeypatch.setattr(threading, "excepthook", others.append)
    other = ValueError("other")

    def fail(error):
        raise error

    with working_on("train", tmp_path / "fold-0"):
        for error in (OSError(errno.ENOSPC, "No space left on device"), other):
            thread = threading.Thread(target=fail, args=[error])
            thread.start()
            thread.join()
            if error is not other:
                assert not others
    said = capsys.readouterr().err
    assert said == f"no space left in {tmp_path}: more is needed for train\n"
    assert [each.exc_value for each in others] == [other]
    assert threading.excepthook == others.append
