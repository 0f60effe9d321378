"""A disk of a few megabytes, where this user may mount one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of `size` bytes in memory at a folder, until the block ends."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system may be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, left: int) -> Path:
    """Fill a folder's file system but for `left` bytes; return the file that does it."""
    ballast = folder / "ballast"
    written = 0
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while more := file.write(bytes(4096)):
            written += more
    os.truncate(ballast, max(0, written // 4096 * 4096 - left))
    return ballast
