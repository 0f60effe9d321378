"""What the folders of a run are like: may they be written, is there room, is their clock right."""

import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from aacsfnet.errors import WorkError
from aacsfnet.space import in_bytes

#: Below this room hardly anything can be written, not even what went wrong.
_SCARCE = 500_000
#: Seconds by which clocks of a cluster's machines may well differ.
_APART = 5


def check_records(folder: Path, snakefile: Path) -> None:
    """Refuse to start where Snakemake could not keep its records, of jobs and of what it says.

    Args:
        folder: in which it was started.
        snakefile: of the workflow, for the advice.

    Raises:
        WorkError: the folder, or what earlier runs wrote in it, may not be written, or there is no
            room.
    """
    records = folder / ".snakemake"
    if folder.is_dir() and not records.is_dir():
        records = folder
    parts = (records, *(records / name for name in ("log", "metadata", "incomplete", "locks")))
    for path in parts:
        if path.is_dir() and not os.access(path, os.W_OK | os.X_OK):
            raise WorkError(
                f"{path} may not be written ({owner(path)}), and Snakemake keeps its records"
                " there; run in a folder of your own:"
                f" snakemake --snakefile {snakefile} --directory FOLDER"
            )
    if words := scarce(folder):
        raise WorkError(f"{words}; make room, then run the same command again")


def own_temporary(name: str) -> Path | None:
    """Return this user's folder of a name among the temporary files; None if it is another's."""
    path = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return None
    return path if path.lstat().st_uid == os.getuid() and not path.is_symlink() else None


def owner(path: Path) -> str:
    """Return in words whom a path, or the nearest folder above it that is there, belongs to."""
    there = next(each for each in (path, *path.absolute().parents) if each.exists())
    number = there.stat().st_uid
    name = str(number)
    with suppress(KeyError):
        name = pwd.getpwuid(number).pw_name
    return f"it belongs to {name}" if number != os.getuid() else "by its mode or file system"


def oddities(lock: Path) -> Iterator[str]:
    """Yield what is odd about the folder of a file that was written just now, a line each."""
    ahead = lock.stat().st_mtime - time.time()
    if abs(ahead) > _APART:
        where = "ahead of" if ahead > 0 else "behind"
        yield (
            f"{lock.parent}: the clock of its file system is {abs(ahead):,.0f} s {where} this"
            " machine's; results do not depend on it, times in logs and tables do"
        )
    if words := scarce(lock.parent):
        yield words


def scarce(folder: Path) -> str:
    """Return a line where a folder has hardly any room left, "" else."""
    free = shutil.disk_usage(folder).free
    return f"no space left in {folder}: {in_bytes(free)} free" if free < _SCARCE else ""
