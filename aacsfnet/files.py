"""Files: written atomically, named safely, known by their checksums."""

import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aacsfnet import runs
from aacsfnet.errors import ModelFileError
from aacsfnet.space import NoSpaceError, lacks_space

#: Written by `aacsfnet fetch-models` into a model's folder.
LOCK = "model.lock.json"
#: Seconds after which a temporary file whose process cannot be asked for counts as left.
_OLD = 24 * 3600


@contextmanager
def replacing(path: Path, size: int = 0) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed onto it when the block ends well.

    A reader never sees half a file; after an error or a kill the old file still stands.

    Args:
        path: of the file.
        size: the bytes that it takes at most, told where there is no room; 0 if not known.

    Raises:
        NoSpaceError: the disk is full.
        WorkError: the run of this job is over.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        runs.check(path)
        temporary.replace(path)
    except Exception as error:
        if isinstance(error, NoSpaceError) or not lacks_space(error):
            raise
        if temporary is not None:
            temporary.unlink(missing_ok=True)  # its room counts as free
        missing = size and size - shutil.disk_usage(path.parent).free
        raise NoSpaceError(path.parent, missing) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _prefix(path: Path) -> str:
    return f".{path.name}.{_host()}-{os.getpid()}-"


def is_left(path: Path) -> bool:
    """Return whether a file is a temporary one of `replacing` whose process is gone.

    Of a process on another machine, or of an unknown one, it is so after a day.
    """
    if not (path.name.startswith(".") and path.name.endswith(".tmp")):
        return False
    owner = re.search(r"\.([A-Za-z0-9_-]*)-([0-9]+)-[^.-]*\.tmp$", path.name)
    if owner is None or owner[1] != _host():
        return time.time() - path.lstat().st_mtime > _OLD
    try:
        os.kill(int(owner[2]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # somebody else's, and alive
        return False
    return False


def _host() -> str:
    return safe_name(socket.gethostname())[:40]


def safe_name(text: str) -> str:
    """Return text as a file name can hold it.

    >>> safe_name("../s01/a 1#2")
    's01-a-1-2'
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")[:100]


def shown(path: Path) -> str:
    """Return a path for a message: a relative one with the place where it was looked for."""
    return f"{path}" if path.is_absolute() else f"{path} ({path.absolute()})"


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def check_lock(folder: Path, digests: dict[str, str]) -> None:
    """Raise when a folder has a lock file and a file differs from it.

    Args:
        folder: of a model.
        digests: of its files as they are, by name within the folder.

    Raises:
        ModelFileError: a file was altered, or one of the lock is missing.
    """
    path = folder / LOCK
    if not path.is_file():
        return
    for name, expected in json.loads(path.read_text(encoding="utf-8"))["sha256"].items():
        found = digests.get(name) or (digest_of(folder / name) if (folder / name).is_file() else "")
        if found != expected:
            what = f"has SHA-256 {found[:12]}…" if found else "is missing"
            raise ModelFileError(
                f"{folder / name} {what}, but {LOCK} says {expected[:12]}…; "
                "fetch the model again with `aacsfnet fetch-models`"
            )
