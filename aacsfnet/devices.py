"""Which device computes, in which precision, and that one job has a GPU to itself.

`AACSFNET_DEVICE` names the device (`cpu`, `cuda`, `cuda:1`); unset or `auto` takes a GPU when there
is one. Settings never name a device: it belongs to the machine, not to what is computed.
"""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from aacsfnet.errors import SettingsError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5


@contextmanager
def lease(folder: Path | None = None) -> Iterator["torch.device"]:
    """Yield the device to compute on; a GPU belongs to this process until the block ends.

    With several GPUs the first free one is taken; when all are busy this waits. The lease is a lock
    on a file, which the system gives back even when the process is killed.

    Args:
        folder: of the lock files; by default one that all processes of the machine share.

    Raises:
        SettingsError: `AACSFNET_DEVICE` names a device that is not there.
    """
    candidates = _candidates()
    if candidates[0].type != "cuda":
        yield candidates[0]
        return
    names = [_lock_name(device) for device in candidates]
    with first_free(names, folder or _shared_folder()) as number:
        yield candidates[number]


@contextmanager
def first_free(names: list[str], folder: Path) -> Iterator[int]:
    """Yield the number of the first lock that could be taken; wait while all are held."""
    told = False
    while True:
        for number, name in enumerate(names):
            with ExitStack() as stack:
                path = folder / f"{name}.lock"
                handle = stack.enter_context(os.fdopen(_open_shared(path), "w"))
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield number
                return
        if not told:
            log.info("waiting for a free device (%s)", ", ".join(names))
            told = True
        time.sleep(_POLL_SECONDS)


def _open_shared(path: Path) -> int:
    """Open a lock file that other users of the machine can lock too."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:  # made by a user whose umask forbids writing: locking needs no more
        return os.open(path, os.O_RDONLY)
    with suppress(PermissionError):  # not ours; its maker has done it
        os.fchmod(descriptor, 0o666)
    return descriptor


def _shared_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / "aacsfnet-devices"
    folder.mkdir(mode=0o1777, exist_ok=True)
    return folder


def _lock_name(device: "torch.device") -> str:
    """Return a name for a GPU that does not depend on how this process numbers them."""
    import torch

    return f"gpu-{torch.cuda.get_device_properties(device).uuid}"


def _candidates() -> list["torch.device"]:
    import torch

    wanted = os.environ.get("AACSFNET_DEVICE", "auto").strip().lower() or "auto"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = [torch.device("cuda", number) for number in range(count)]
    if wanted == "cpu" or (wanted == "auto" and not gpus):
        return [torch.device("cpu")]
    if wanted in ("auto", "cuda") and gpus:
        return gpus
    named = [gpu for gpu in gpus if str(gpu) == wanted]
    if not named:
        raise SettingsError(
            f"AACSFNET_DEVICE = {wanted!r}: expected auto, cpu or one of this machine's GPUs "
            f"({', '.join(map(str, gpus)) or 'it has none'})"
        )
    return named


def precision(device: "torch.device") -> "torch.dtype":
    """Return the dtype for a diffusion model: bf16 or fp16 on a GPU, fp32 on a CPU."""
    import torch

    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def name(device: "torch.device") -> str:
    """Return what a device is called: "cpu", or the GPU's model."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
