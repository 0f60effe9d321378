"""The machine as the doctor sees it: cores, memory, load, GPUs."""

import os
from collections.abc import Iterator

from aacsfnet.doctor.findings import Finding
from aacsfnet.space import in_bytes

_LEAST_MEMORY = 8e9


def look_at_machine() -> Iterator[Finding]:
    """Yield cores, memory and GPUs, and whether somebody else keeps them busy."""
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    message = f"{cores_here()} CPU cores, {in_bytes(memory)} of memory"
    scarce = memory < _LEAST_MEMORY
    advice = "run fewer jobs at once (--cores 1)" if scarce else ""
    yield Finding("warning" if scarce else "ok", "machine", message, advice)
    load = os.getloadavg()[0]
    if load > cores_here():
        message = f"{load:.1f} processes at work on {cores_here()} cores: it is busy"
        yield Finding("note", "machine", message, "the times told here are longer than when idle")
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, whole = torch.cuda.mem_get_info(number)
            name = torch.cuda.get_device_name(number)
            message = f"{name}, {in_bytes(free)} of {in_bytes(whole)} free"
            busy = free < 0.5 * whole
            advice = "others use it: wait, or set CUDA_VISIBLE_DEVICES to another" if busy else ""
            yield Finding("warning" if busy else "ok", f"GPU {number}", message, advice)
    else:
        yield Finding("note", "GPU", "none found", "generate and train will run on the CPU")


def cores_here() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
