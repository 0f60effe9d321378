"""Checksums of a model's files, and the lock file that they are compared with."""

import hashlib
import json
from pathlib import Path

from aacsfnet.errors import ModelFileError

#: Written by `aacsfnet fetch-models` into a model's folder.
LOCK = "model.lock.json"


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
