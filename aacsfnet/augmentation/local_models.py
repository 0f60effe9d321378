"""Models of other libraries in local folders: checked before they load, and loaded quietly."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aacsfnet.errors import ModelFileError
from aacsfnet.files import LOCK, check_lock, digest_of, shown

#: File in a model folder that says what it is; no part of its checksum.
CARD = "card.json"


def quieten() -> None:
    """Turn off the progress bars of diffusers and transformers; a log is no place for them."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    of_diffusers.disable_progress_bar()
    of_transformers.disable_progress_bar()


def check_folder(key: str, folder: Path) -> None:
    """Check the folder of a model beside the generator, before a library loads it quietly.

    Args:
        key: the setting that names it.
        folder: the model's.

    Raises:
        ModelFileError: it is missing, or altered since it was fetched.
    """
    quieten()
    if not folder.is_dir():
        raise ModelFileError(f"{key} = '{shown(folder)}': no such folder")
    check_lock(folder, {})


def checksum_of(folder: Path) -> str:
    """Return one checksum for all settings and weights in a folder.

    Raises:
        ModelFileError: a file differs from the folder's lock file.
    """
    return hashlib.sha256(json.dumps(digests_of(folder), sort_keys=True).encode()).hexdigest()


def digests_of(folder: Path) -> dict[str, str]:
    """Return the checksums of a folder's files by name, after a comparison with its lock file."""
    files = [
        file
        for pattern in ("*.json", "*.safetensors")
        for file in sorted(folder.rglob(pattern))
        if file.name not in (CARD, LOCK) and ".cache" not in file.parts
    ]
    with ThreadPoolExecutor() as threads:  # gigabytes, and hashing lets other threads run
        checksums = list(threads.map(digest_of, files))
    names = [file.relative_to(folder).as_posix() for file in files]
    digests = dict(zip(names, checksums, strict=True))
    check_lock(folder, digests)
    if not (folder / LOCK).is_file():  # one of several models that were fetched together
        check_lock(folder.parent, {f"{folder.name}/{name}": d for name, d in digests.items()})
    return digests
