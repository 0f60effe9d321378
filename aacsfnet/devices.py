"""Which device computes, in which precision, and that one job has a GPU to itself.

`AACSFNET_DEVICE` names the device (`cpu`, `cuda`, `cuda:1`); unset or `auto` takes a GPU when there
is one. Settings never name a device: it belongs to the machine, not to what is computed.
"""

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import lock_descriptor

from aacsfnet.errors import SettingsError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.5


@contextmanager
def lease(folder: Path | None = None, wanted: str | None = None) -> Iterator["torch.device"]:
    """Yield the device to compute on; a GPU belongs to this process until the block ends.

    With several GPUs the first free one is taken; when all are busy this waits. The lease is a lock
    on a file, which the system gives back even when the process is killed.

    Args:
        folder: of the lock files; by default one that all processes of the machine share.
        wanted: as `usable` takes it.

    Raises:
        SettingsError: a device is named that is not there.
    """
    candidates = usable(wanted)
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
        holders = []
        for number, name in enumerate(names):
            with ExitStack() as stack:
                path = folder / f"{name}.lock"
                descriptor = _open_shared(path)
                stack.callback(os.close, descriptor)
                if not lock_descriptor(descriptor, blocking=False):
                    holders.append(os.pread(descriptor, 200, 0).decode(errors="replace"))
                    continue
                _sign(descriptor)
                yield number
                return
        if not told:
            held = (f"{name}: {holder}" for name, holder in zip(names, holders, strict=True))
            log.info("waiting for a free device (%s)", ", ".join(held))
            told = True
        time.sleep(_POLL_SECONDS)


def _sign(descriptor: int) -> None:
    """Write into a lock file who holds it, for those who wait."""
    with suppress(OSError):  # somebody else's file, or a full disk
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} of user {os.getuid()}".encode(), 0)


def _open_shared(path: Path) -> int:
    """Open a lock file that other users of the machine can lock too.

    `filelock.FileLock` opens files by itself, and only those that it may write.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:  # made by a user whose umask forbids writing: locking needs no more
        return os.open(path, os.O_RDONLY)
    with suppress(PermissionError):  # not ours; its maker has done it
        os.fchmod(descriptor, 0o666)
    return descriptor


def _shared_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / "aacsfnet-devices"
    folder.mkdir(exist_ok=True)
    with suppress(PermissionError):  # not ours; its maker has done it
        folder.chmod(0o1777)  # mkdir's own mode would be cut by the umask
    return folder


def _lock_name(device: "torch.device") -> str:
    """Return a name for a GPU that does not depend on how this process numbers them."""
    import torch

    return f"gpu-{torch.cuda.get_device_properties(device).uuid}"


def usable(wanted: str | None = None) -> list["torch.device"]:
    """Return the devices that may be computed on: GPUs, or the CPU alone.

    Args:
        wanted: auto, cpu or a GPU; None: as `AACSFNET_DEVICE` says.

    Raises:
        SettingsError: a device is named that is not there.
    """
    import torch

    source = "AACSFNET_DEVICE" if wanted is None else "device"
    wanted = os.environ.get("AACSFNET_DEVICE", "auto") if wanted is None else wanted
    wanted = wanted.strip().lower() or "auto"
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    gpus = [torch.device("cuda", number) for number in range(count)]
    if wanted == "cpu" or (wanted == "auto" and not gpus):
        return [torch.device("cpu")]
    if wanted in ("auto", "cuda") and gpus:
        return gpus
    named = [gpu for gpu in gpus if str(gpu) == wanted]
    if not named:
        raise SettingsError(
            f"{source} = {wanted!r}: expected auto, cpu or one of this machine's GPUs "
            f"({', '.join(map(str, gpus)) or 'it has none'})"
        )
    return named


def has_gpu() -> bool:
    """Return whether there is a GPU that may be computed on; raises as `usable`."""
    return usable()[0].type == "cuda"


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


def sums(device: "torch.device") -> dict[str, str]:
    """Return what decides, on a CPU, in which order sums are made: threads, instructions."""
    import torch

    if device.type != "cpu":
        return {}
    capability = torch.backends.cpu.get_cpu_capability()
    return {"threads": str(torch.get_num_threads()), "instructions": capability}
