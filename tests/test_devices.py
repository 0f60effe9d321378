import os
import queue
import stat
import subprocess
import sys
import tempfile
import threading
from types import SimpleNamespace

import pytest
import torch

from aacsfnet import devices
from aacsfnet.errors import SettingsError


def test_a_cpu_needs_no_lock(tmp_path, monkeypatch):
    monkeypatch.setenv("AACSFNET_DEVICE", "cpu")
    with devices.lease(tmp_path) as device:
        assert device.type == "cpu"
    assert not list(tmp_path.iterdir())


def test_an_unknown_device_is_named(monkeypatch):
    monkeypatch.setenv("AACSFNET_DEVICE", "cuda:99")
    expected = pytest.raises(SettingsError, match="AACSFNET_DEVICE = 'cuda:99': expected auto, cpu")
    with expected, devices.lease():
        pass


@pytest.mark.parametrize(
    ("wanted", "devices_usable"),
    [
        (None, ["cuda:0", "cuda:1"]),
        (" Auto ", ["cuda:0", "cuda:1"]),
        ("cuda", ["cuda:0", "cuda:1"]),
        ("cuda:1", ["cuda:1"]),
        ("cpu", ["cpu"]),
    ],
)
def test_the_variable_decides_which_devices_may_be_used(monkeypatch, wanted, devices_usable):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("AACSFNET_DEVICE", raising=False)
    if wanted:
        monkeypatch.setenv("AACSFNET_DEVICE", wanted)
    assert [str(device) for device in devices.usable()] == devices_usable
    assert devices.has_gpu() == (wanted != "cpu")


HOLD = """
import sys
from pathlib import Path
from aacsfnet import devices
with devices.first_free(sys.argv[2:], Path(sys.argv[1])) as number:
    print(number, flush=True)
    sys.stdin.readline()
"""


class Job:
    """A process that takes a device, says which, and keeps it until it is told to let go."""

    def __init__(self, folder, names, script=HOLD):
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, str(folder), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._said = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self.process.stdout:
            self._said.put(int(line))

    def device(self, timeout=60):
        """Return the device taken; None if the job still waits for one."""
        try:
            return self._said.get(timeout=timeout)
        except queue.Empty:
            return None

    def end(self):
        """Let the job give its device back, and wait for its end."""
        self.process.communicate("\n", timeout=60)


def test_each_job_gets_a_device_of_its_own_and_the_third_waits(tmp_path):
    first, second = Job(tmp_path, ["a", "b"]), Job(tmp_path, ["a", "b"])
    assert {first.device(), second.device()} == {0, 1}
    third = Job(tmp_path, ["a", "b"])
    assert third.device(timeout=3) is None  # both are held
    first.end()
    assert third.device() in (0, 1)
    second.end()
    third.end()


LEASE = """
import sys
from pathlib import Path
from types import SimpleNamespace
import torch
from aacsfnet import devices

uuids = sys.argv[2:]
torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: len(uuids)
torch.cuda.get_device_properties = lambda device: SimpleNamespace(uuid=uuids[device.index])
with devices.lease(Path(sys.argv[1])) as device:
    assert device.type == "cuda"
    print(device.index, flush=True)
    sys.stdin.readline()
"""


def test_as_many_jobs_as_gpus_run_at_once_each_on_its_own(tmp_path, monkeypatch):
    """Folds, seeds and experiments are jobs: on three GPUs three of them train, the fourth waits.

    One job numbers the GPUs otherwise, as CUDA_VISIBLE_DEVICES makes it do: what counts is which
    GPU it is.
    """
    monkeypatch.setenv("AACSFNET_DEVICE", "auto")
    first, second = (Job(tmp_path, ["A", "B", "C"], LEASE) for _ in range(2))
    assert {first.device(), second.device()} == {0, 1}
    third = Job(tmp_path, ["C", "B", "A"], LEASE)
    assert third.device() == 0  # C, which it sees first
    fourth = Job(tmp_path, ["A", "B", "C"], LEASE)
    assert fourth.device(timeout=5) is None
    third.end()
    assert fourth.device() == 2
    for job in (first, second, fourth):
        job.end()


SHARE = """
import sys, time
from pathlib import Path
from aacsfnet import devices
folder, names = Path(sys.argv[1]), sys.argv[2:]
with devices.first_free(names, folder) as number:
    (folder / f"used-{number}").touch()
    working = folder / f"working-{number}"
    working.touch(exist_ok=False)  # fails where another job is on this device
    while len(list(folder.glob("used-*"))) < len(names):
        time.sleep(0.01)
    time.sleep(0.05)
    working.unlink()
print(number, flush=True)
"""


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_eight_jobs_share_the_devices_and_never_two_are_on_one(tmp_path, names):
    """A job lets go only when every device has been used."""
    jobs = [Job(tmp_path, names, SHARE) for _ in range(8)]
    assert {job.device() for job in jobs} == set(range(len(names)))
    for job in jobs:
        job.end()
    assert [job.process.returncode for job in jobs] == [0] * 8


def test_who_waits_is_told_who_has_the_device(tmp_path, caplog, monkeypatch):
    job = Job(tmp_path, ["a"])
    assert job.device() == 0
    caplog.set_level("INFO")
    monkeypatch.setattr(devices, "time", SimpleNamespace(sleep=lambda _: job.end()))
    with devices.first_free(["a"], tmp_path) as number:
        assert number == 0
    words = f"waiting for a free device (a: process {job.process.pid} of user {os.getuid()})"
    assert words in caplog.text


def test_a_killed_job_gives_its_device_back(tmp_path):
    job = Job(tmp_path, ["a"])
    assert job.device() == 0
    job.process.kill()
    job.process.communicate(timeout=60)
    with devices.first_free(["a"], tmp_path) as number:
        assert number == 0


def test_lock_files_serve_every_user_whatever_the_umask(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    before = os.umask(0o077)
    try:
        folder = devices._shared_folder()
        with devices.first_free(["a"], folder):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    assert stat.S_IMODE((folder / "a.lock").stat().st_mode) == 0o666


def test_a_lock_file_that_may_only_be_read_can_be_held(tmp_path, monkeypatch):
    path = tmp_path / "a.lock"
    path.touch()
    opened = os.open

    def forbidden_to_write(path, flags, *mode):
        if flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", forbidden_to_write)
    with devices.first_free(["a", "b"], tmp_path) as number:
        assert number == 0
        other = Job(tmp_path, ["a"])
        assert other.device(timeout=3) is None
    assert other.device() == 0
    other.end()
