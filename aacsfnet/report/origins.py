"""What produced a report: settings, versions, commit."""

import hashlib
import json
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

import aacsfnet
from aacsfnet.config import Config
from aacsfnet.evaluation.results import Results

#: Packages whose version can change a figure.
_PACKAGES = (
    "torch", "torchvision", "timm", "lightning", "diffusers", "transformers", "mediapipe",
    "opencv-python-headless", "numpy", "scipy", "polars", "pyarrow", "snakemake",
)  # fmt: skip


def provenance(config: Config, results: Results) -> dict[str, Any]:
    """Return settings with their hash, versions, the commit, and the generator's recipe."""
    settings = config.model_dump(mode="json", exclude={"results"})
    text = json.dumps(settings, sort_keys=True)
    recipes = results.first_values("generate", "recipe")
    return {
        "settings": yaml.safe_dump(settings, sort_keys=False, allow_unicode=True),
        "settings_hash": hashlib.sha256(text.encode()).hexdigest()[:16],
        "versions": {"aacsfnet": aacsfnet.__version__, "Python": platform.python_version()}
        | {name: version for name in _PACKAGES if (version := _version(name))},
        "system": f"{platform.system()} {platform.machine()}",
        "commit": commit(Path(aacsfnet.__file__).parent),
        "recipe": _pretty(recipes[0]) if recipes else "",
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _pretty(recipe: str) -> str:
    try:
        return json.dumps(json.loads(recipe), indent=1, ensure_ascii=False)
    except json.JSONDecodeError:
        return recipe


def commit(folder: Path) -> dict[str, Any] | None:
    """Return the commit that a folder's code is of and whether it was altered since.

    None where the code is no git checkout, for instance an installed package.
    """
    git = shutil.which("git")
    if git is None:
        return None

    def ask(*arguments: str) -> str | None:
        done = subprocess.run(  # noqa: S603 fixed arguments, no shell
            [git, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"},  # only look: take no lock
        )
        return done.stdout.strip() if done.returncode == 0 else None

    # A package in a virtual environment inside somebody's repository is not that repository's code.
    if ask("ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    name = ask("rev-parse", "HEAD")
    if name is None:
        return None
    return {"name": name, "altered": bool(ask("status", "--porcelain", "--", "."))}
