"""What produced a report: settings, versions, commit."""

import hashlib
import json
import platform
from typing import Any

import yaml

from aacsfnet.config import Config
from aacsfnet.evaluation.results import Results
from aacsfnet.software import altered, commit, versions

#: Packages whose version can change a figure.
_PACKAGES = (
    "torch", "torchvision", "timm", "lightning", "diffusers", "transformers", "mediapipe",
    "opencv-python-headless", "numpy", "scipy", "polars", "pyarrow", "snakemake",
)  # fmt: skip


def provenance(config: Config, results: Results) -> dict[str, Any]:
    """Return settings with their hash, versions, the commit, and the generator's recipe."""
    settings = config.model_dump(mode="json", exclude={"results"})
    text = json.dumps(settings, sort_keys=True)
    views = results.views("generate").items()
    recipes = {of: view.first_values("generate", "recipe") for of, view in views}
    return {
        "settings": yaml.safe_dump(settings, sort_keys=False, allow_unicode=True),
        "settings_hash": hashlib.sha256(text.encode()).hexdigest()[:16],
        "versions": versions("aacsfnet")
        | {"Python": platform.python_version()}
        | versions(*_PACKAGES),
        "system": f"{platform.system()} {platform.machine()}",
        "commit": (name := commit()) and {"name": name, "altered": altered()},
        "recipes": {of: _pretty(found[0]) for of, found in recipes.items() if found},
    }


def _pretty(recipe: str) -> str:
    try:
        return json.dumps(json.loads(recipe), indent=1, ensure_ascii=False)
    except json.JSONDecodeError:
        return recipe
