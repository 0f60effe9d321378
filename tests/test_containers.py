"""The steps of Dockerfile and apptainer.def, in a plain Debian root instead of an image."""

import ast
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETTINGS = '{"index": {"demo": {"subjects": 4, "frames": 2, "picture_size": 96}}}'


@contextmanager
def pip_as_here(root):
    """Yield pip's settings as variables, with the files and folders that they name in the root."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    settings = {}
    for key, value in re.findall(r"^[^.=]+\.([a-z-]+)=(.*)$", listed, re.M):
        settings[f"PIP_{key.upper().replace('-', '_')}"] = ast.literal_eval(value)
    bound = []
    try:
        local = re.findall(r"(?:^|\s)(?:file://)?(/\S+)", "\n".join(settings.values()))
        for path in map(Path, local):
            # An index of files names files beside it.
            source = path.parent if path.name == "simple" else path
            target = root / source.relative_to("/")
            if source.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                subprocess.run(["mount", "--bind", str(source), str(target)], check=True)
                bound.append(target)
        if cert := settings.get("PIP_CERT"):
            shutil.copy(cert, root / "etc" / "certificates-of-the-host.crt")
            settings["PIP_CERT"] = "/etc/certificates-of-the-host.crt"
        yield settings
    finally:
        for target in bound:
            subprocess.run(["umount", "--lazy", str(target)], check=True)


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
    for name in ("resolv.conf", "hosts"):
        shutil.copy(Path("/etc", name), root / "etc" / name)
    with pip_as_here(root) as settings:

        def inside(*command):
            environment = {"PATH": "/opt/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
            words = ["chroot", str(root), *command]
            done = subprocess.run(words, env=environment | settings, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

        inside("sh", "/opt/aacsfnet/containers/steps.sh")
        inside("aacsfnet", "index", "--config", SETTINGS, "--output", "/tmp/index.parquet")
    assert (root / "tmp" / "index.parquet").stat().st_size > 1000
