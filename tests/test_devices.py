import multiprocessing
import time

import pytest

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


def _hold(folder, names, taken, times, go_on):
    with devices.first_free(names, folder) as number:
        taken.put(number)
        times.put(time.monotonic())
        go_on.wait(20)
    times.put(time.monotonic())


def test_each_job_gets_a_device_of_its_own_and_the_third_waits(tmp_path):
    context = multiprocessing.get_context("spawn")
    taken, times, go_on = context.Queue(), context.Queue(), context.Event()
    jobs = [
        context.Process(target=_hold, args=(tmp_path, ["a", "b"], taken, times, go_on))
        for _ in range(3)
    ]
    for job in jobs:
        job.start()
    try:
        assert {taken.get(timeout=60), taken.get(timeout=60)} == {0, 1}
        time.sleep(1.5)
        assert taken.empty()  # both are held
        go_on.set()
        assert taken.get(timeout=20) in (0, 1)
    finally:
        go_on.set()
        for job in jobs:
            job.join(20)


def test_a_killed_job_gives_its_device_back(tmp_path):
    context = multiprocessing.get_context("spawn")
    taken, times, go_on = context.Queue(), context.Queue(), context.Event()
    job = context.Process(target=_hold, args=(tmp_path, ["a"], taken, times, go_on))
    job.start()
    assert taken.get(timeout=60) == 0
    job.kill()
    job.join(20)
    with devices.first_free(["a"], tmp_path) as number:
        assert number == 0
