"""Nothing but `fetch-models` uses the network: a whole run with every way out shut."""

import json
import os
import shutil
import subprocess
import sys

import pytest

#: Put before every Python process of a run: notes and refuses whatever leaves the machine.
GUARD = """
import os, socket

def refuse(what, address):
    with open(os.environ["ATTEMPTS"], "a") as notes:
        notes.write(f"{what} {address!r} by {os.getpid()}\\n")
    raise OSError(101, f"the network is shut: {what} {address!r}")

connect = socket.socket.connect

def guarded(self, address):
    if self.family != socket.AF_UNIX:
        refuse("connect", address)
    return connect(self, address)

socket.socket.connect = socket.socket.connect_ex = guarded
socket.getaddrinfo = lambda host, *more, **keys: refuse("look up", host)
"""


@pytest.fixture
def shut(tmp_path):
    """Return a command's prefix and environment in which no network is to be had."""
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(GUARD)
    environment = os.environ | {
        "PYTHONPATH": str(guard),
        "ATTEMPTS": str(tmp_path / "attempts.txt"),
    }
    # A namespace of its own has no network device at all, where the kernel allows one.
    bare = ["unshare", "--map-root-user", "--net"]
    works = (
        shutil.which("unshare")
        and not subprocess.run([*bare, "true"], capture_output=True, check=False).returncode
    )
    return bare if works else [], environment


def run(shut, *command, **more):
    prefix, environment = shut
    done = subprocess.run(
        [*prefix, *command], env=environment, capture_output=True, text=True, **more
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_guard_sees_an_attempt(shut, tmp_path):
    code = "import urllib.request as u; u.urlopen('http://example.com')"
    tried = f"try:\n    {code}\nexcept OSError:\n    print('no')"
    assert run(shut, sys.executable, "-c", tried).strip() == "no"
    assert "look up 'example.com'" in (tmp_path / "attempts.txt").read_text()


def test_onnxruntime_reports_nothing_and_keeps_no_identity(tmp_path):
    pytest.importorskip("onnxruntime")

    def kept(first, seconds):
        home = tmp_path / first.split()[-1]
        home.mkdir()
        code = f"""{first}
import onnxruntime, pathlib, time
end = time.monotonic() + {seconds}
while not (found := list(pathlib.Path.home().rglob("deviceid"))) and time.monotonic() < end:
    time.sleep(0.1)
print(len(found))"""
        # Nothing but HOME: onnxruntime is silent by itself where CI or the like is set.
        return run(([], {"HOME": str(home)}), sys.executable, "-c", code).strip()

    assert kept("import os", 60) == "1"  # by itself it keeps one, from a thread of its own
    assert kept("import aacsfnet", 2) == "0"


@pytest.mark.slow
def test_every_stage_and_tool_runs_without_a_network(shut, study, tiny, tmp_path):
    demo = study(tiny)
    run(shut, *demo.command())
    results = demo.results
    metrics = json.loads((results / "experiments/full/metrics.json").read_text())
    assert metrics["frames"] == 4 * 8
    assert (results / "report.html").stat().st_size > 10_000

    def tool(*arguments):
        command = (sys.executable, "-m", "aacsfnet", *map(str, arguments))
        return run(shut, *command, cwd=demo.folder)

    config = demo.folder / "study.yaml"
    crops = sorted((results / "crop").glob("*.parquet"))
    tool("doctor", "--config", config)
    tool("audit", "--config", config, "--results", results)
    tool("calibrate", "--config", config, "--results", results)
    tool("export", crops[0], tmp_path / "pictures")
    assert list((tmp_path / "pictures").iterdir())
    assert not (tmp_path / "attempts.txt").exists()
