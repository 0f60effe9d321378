"""The steps of Dockerfile and apptainer.def, in a plain Debian root instead of an image."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETTINGS = '{"index": {"demo": {"subjects": 4, "frames": 2, "picture_size": 96}}}'


@pytest.mark.slow
def test_the_steps_make_of_plain_debian_what_runs_a_stage(tmp_path):
    if os.getuid() or not shutil.which("debootstrap"):
        pytest.skip("needs root and debootstrap (of Debian) to make a root folder")
    root = tmp_path / "root"
    subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(root)], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        target = root / "opt" / "aacsfnet" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    for name in ("resolv.conf", "pip.conf", "hosts"):  # how this machine reaches the indexes
        if Path("/etc", name).is_file():
            shutil.copy(Path("/etc", name), root / "etc" / name)

    def inside(*command):
        environment = {"PATH": "/opt/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        environment |= {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
        done = subprocess.run(
            ["chroot", str(root), *command], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    inside("sh", "/opt/aacsfnet/containers/steps.sh")
    inside("aacsfnet", "index", "--config", SETTINGS, "--output", "/tmp/index.parquet")
    assert (root / "tmp" / "index.parquet").stat().st_size > 1000
