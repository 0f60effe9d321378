"""Files: written atomically, named safely, known by their checksums."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aacsfnet.errors import ModelFileError

#: Written by `aacsfnet fetch-models` into a model's folder.
LOCK = "model.lock.json"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, renamed onto it when the block ends well.

    A reader never sees half a file; after an error or a kill the old file still stands.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
