"""Results of a benchmark with what they were measured on: date, machine, versions, commit."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aacsfnet.software import commit, versions

RESULTS = Path(__file__).parent / "results"
_PACKAGES = (
    "diffusers",
    "lightning",
    "mediapipe",
    "numpy",
    "opencv-contrib-python",
    "opencv-python-headless",
    "timm",
    "torch",
)


def record(what: str, found: dict, seconds: float, **about: Any) -> Path:
    """Write a result to benchmarks/results/<what>-<date>.json, print it, return its path.

    Args:
        what: words, joined by hyphens in the file's name.
        found: the figures.
        seconds: that it took.
        about: what else was in force: a gate's bounds, a model, a plan.
    """
    report = {
        "what": what,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "versions": versions(*_PACKAGES) | {"python": platform.python_version()},
        "commit": commit(),
        "seconds": round(seconds),
        **about,
        "result": found,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{what.replace(' ', '-')}-{report['date'][:10]}.json"
    path.write_text(json.dumps(report, indent=2, default=float) + "\n")
    print(json.dumps(found, indent=2, default=float))
    print(path)
    return path
