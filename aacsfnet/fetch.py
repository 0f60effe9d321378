"""Models from the Hugging Face hub: fetched once, locked by checksum, verified whenever loaded.

This is the only part of the package that uses the network.
"""

import json
from pathlib import Path
from typing import Any

from aacsfnet.errors import InputError, WorkError
from aacsfnet.files import LOCK, digest_of, replacing

#: Settings, vocabularies and weights in safetensors; no pickles, no single-file checkpoints.
WANTED = ("*.json", "*.txt", "*/*.json", "*/*.txt", "*/*.safetensors", "*/*.model")
WANTED_OF_PART = (
    "*.json",
    *("diffusion_pytorch_model*.safetensors", "*/diffusion_pytorch_model*.safetensors"),
    *("model*.safetensors", "pytorch_lora_weights*.safetensors"),
)
UNWANTED = ("*.fp16.*", "*.fp16-*", "*non_ema*", "safety_checker/*", "*.bin", "*.onnx*")


def fetch(repository: str, folder: Path, revision: str = "main") -> dict[str, Any]:
    """Fetch a model into a folder, write its lock file and return what that holds.

    The revision is resolved to a commit first, and that commit is fetched and recorded, so the same
    lock always means the same files.

    Args:
        repository: `owner/name` on the hub.
        folder: for the model; made if it is not there.
        revision: branch, tag or commit.

    Raises:
        InputError: there is no such repository or revision, or access is not granted.
        WorkError: the hub cannot be reached, or what came holds no safetensors weights.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        information = HfApi().model_info(repository, revision=revision)
        names = {file.rfilename for file in information.siblings or ()}
        whole = "model_index.json" in names
        snapshot_download(
            repository,
            revision=information.sha,
            local_dir=folder,
            allow_patterns=list(WANTED if whole else WANTED_OF_PART),
            ignore_patterns=list(UNWANTED),
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise InputError(
            f"{repository} at {revision}: not on the hub, or access is not granted; "
            "look at the name, or log in with `hf auth login`"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise WorkError(f"{repository}: cannot be fetched ({error}); try again") from error
    return write_lock(folder, repository, str(information.sha))


def write_lock(folder: Path, repository: str, commit: str) -> dict[str, Any]:
    """Write the checksums of a folder's settings and weights, and where they came from.

    Raises:
        WorkError: the folder holds no safetensors weights.
    """
    files = {
        file.relative_to(folder).as_posix(): digest_of(file)
        for pattern in ("*.json", "*.txt", "*.model", "*.safetensors")
        for file in sorted(folder.rglob(pattern))
        if file.name != LOCK and ".cache" not in file.parts
    }
    if not any(name.endswith(".safetensors") for name in files):
        raise WorkError(f"{repository} at {commit} has no safetensors weights in diffusers layout")
    lock = {"repository": repository, "commit": commit, "sha256": files}
    with replacing(folder / LOCK) as temporary:
        temporary.write_text(json.dumps(lock, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return lock
