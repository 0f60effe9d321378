"""What is written beside a trained network, so that its numbers can be defended."""

import platform
from dataclasses import asdict
from typing import Any

import torch

from aacsfnet import devices, times
from aacsfnet.cohort.selection import shares
from aacsfnet.cohort.splits import ROLES
from aacsfnet.config import Config
from aacsfnet.software import commit, versions
from aacsfnet.training.material import Material


def about(
    config: Config, material: Material, fold: int, seed: int, device: torch.device
) -> dict[str, Any]:
    """Return what `config.json` says beside the network's own settings."""
    sides = {role: shares(getattr(material.chosen, role)) for role in ROLES}
    context = {}
    if config.train.network.context == "sequence":
        context = {"spacing_s": material.spacing_s}
    return {
        "label": asdict(material.label),
        "kept": round(material.kept, 6),
        "faces": config.model_dump(mode="json", include={"crop", "landmarks"}),
        "training": config.train.model_dump(mode="json") | {"fold": fold, "seed": seed} | sides,
        "environment": environment(device),
        "peak_memory_mb": peak_memory_mb(),
        **context,
    }


def precision(device: torch.device) -> str:
    """Return the precision of training, as Lightning names it: one for all parts of a run.

    On a CPU it is fp32 also where the processor knows bf16, so that a result does not depend on the
    processor; what bf16 would gain there stands in docs/explanation/training.md.
    """
    return "bf16-mixed" if devices.precision(device) == torch.bfloat16 else "32-true"


def environment(device: torch.device) -> dict[str, str | None]:
    """Return the versions, device, precision and order of sums that a result depends on."""
    about = {
        "commit": commit(),
        "python": platform.python_version(),
        "device": devices.name(device),
        "precision": precision(device),
        **devices.sums(device),
    }
    return versions("aacsfnet") | about | versions("torch", "timm", "lightning", "numpy")


def peak_memory_mb() -> dict[str, int]:
    """Return the most memory that this process has held, on the host and on the GPU."""
    peak = {"host": round(times.peak_mib())}
    if torch.cuda.is_available():
        peak["device"] = torch.cuda.max_memory_allocated() >> 20
    return peak
