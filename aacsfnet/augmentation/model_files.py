"""The generator's folder: found, checked, described and loaded, with the network off."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aacsfnet.augmentation.bundled import CARD, bundled_model
from aacsfnet.augmentation.locked import LOCK, check_lock, digest_of
from aacsfnet.errors import ModelFileError

if TYPE_CHECKING:
    import torch

_PARTS = ("vae", "text_encoder", "tokenizer", "unet", "scheduler")
_UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def model_folder(model: str, controlnet: str = "") -> Path:
    """Return the folder that `generate.model` names, after a look at what is in it.

    Args:
        model: "bundled", or a folder in diffusers layout.
        controlnet: folder of a ControlNet; empty when it is the model's own subfolder.

    Raises:
        ModelFileError: no folder, a part missing, or a part without safetensors weights.
    """
    if model == "bundled":
        return bundled_model()
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise ModelFileError(
            f"generate.model = {model!r}: no such folder; give a folder in diffusers layout, "
            "or 'bundled'"
        )
    parts = _PARTS if controlnet else (*_PARTS, "controlnet")
    missing = [part for part in parts if not (folder / part).is_dir()]
    if missing or not (folder / "model_index.json").is_file():
        raise ModelFileError(
            f"generate.model = {model!r}: the folder lacks "
            f"{', '.join(missing) or 'model_index.json'}; expected the layout of diffusers' "
            "StableDiffusionControlNetImg2ImgPipeline"
            + ("; a ControlNet elsewhere goes into generate.controlnet" * ("controlnet" in missing))
        )
    for part in ("vae", "text_encoder", "unet"):
        _check_weights(folder / part)
    _check_weights(controlnet_folder(folder, controlnet))
    return folder


def controlnet_folder(folder: Path, controlnet: str) -> Path:
    """Return the ControlNet's folder for a model's folder and `generate.controlnet`."""
    return Path(controlnet).expanduser() if controlnet else folder / "controlnet"


def _check_weights(part: Path) -> None:
    """Raise unless a part of a model has safetensors weights."""
    if not part.is_dir():
        raise ModelFileError(f"generate.controlnet = '{part}': no such folder")
    if any(part.glob("*.safetensors")):
        return
    unsafe = sorted(file.name for file in part.iterdir() if file.suffix in _UNSAFE)
    raise ModelFileError(
        f"{part}: no *.safetensors file"
        + (f" (only {', '.join(unsafe)}, which may run code when loaded)" if unsafe else "")
        + "; save the model with safe_serialization=True"
    )


def load_tokenizer(model: str) -> Any:
    """Return the tokenizer of the model that `generate.model` names; nothing else is looked at.

    Raises:
        ModelFileError: it cannot be read.
    """
    from transformers import CLIPTokenizer

    folder = bundled_model() if model == "bundled" else Path(model).expanduser()
    if not (folder / "tokenizer").is_dir():
        raise ModelFileError(
            f"generate.model = {model!r}: no folder {folder / 'tokenizer'}; give a folder in "
            "diffusers layout, or 'bundled'"
        )
    try:
        return CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{folder / 'tokenizer'}: not a CLIP tokenizer ({error})") from None


def load_pipeline(
    folder: Path, controlnet: Path, device: "torch.device", dtype: "torch.dtype"
) -> Any:
    """Return the ControlNet image-to-image pipeline of a model folder, ready on a device.

    Only safetensors are read and nothing is fetched. The safety checker stays off: it was trained
    on other pictures, blanks faces without a word, and a gate of our own follows.

    Raises:
        ModelFileError: the files are no such pipeline, or are damaged.
    """
    from diffusers import ControlNetModel, StableDiffusionControlNetImg2ImgPipeline

    quieten()
    local: dict[str, Any] = {"dtype": dtype, "local_files_only": True, "use_safetensors": True}
    try:
        pipeline = StableDiffusionControlNetImg2ImgPipeline.from_pretrained(
            folder,
            controlnet=ControlNetModel.from_pretrained(controlnet, **local),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
            **local,
        )
    except Exception as error:  # diffusers, safetensors and torch each raise kinds of their own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelFileError(
            f"{folder}: cannot be loaded as a ControlNet image-to-image pipeline: {lines[0]}"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def quieten() -> None:
    """Turn off the progress bars of diffusers and transformers; a log is no place for them."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    of_diffusers.disable_progress_bar()
    of_transformers.disable_progress_bar()


@cache
def describe(folder: Path, controlnet: Path | None = None) -> dict[str, Any]:
    """Return what a recipe says of a model: its name, whether it was trained, a checksum.

    The checksum is over names and contents of all settings and weights but the card, so a renamed
    or altered part shows.

    Args:
        folder: of the model.
        controlnet: of its ControlNet when that is not a subfolder.

    Raises:
        ModelFileError: a file differs from the folder's lock file.
    """
    card: dict[str, Any] = {}
    if (folder / CARD).is_file():
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    digest = hashlib.sha256()
    elsewhere = controlnet is not None and controlnet.parent != folder
    for root in (folder, controlnet) if elsewhere and controlnet else (folder,):
        digests = {
            file.relative_to(root).as_posix(): digest_of(file)
            for pattern in ("*.json", "*.safetensors")
            for file in sorted(root.rglob(pattern))
            if file.name not in (CARD, LOCK) and ".cache" not in file.parts
        }
        check_lock(root, digests)
        digest.update(json.dumps(digests, sort_keys=True).encode())
    name = card.get("name", folder.name)
    return {
        "name": f"{name} + {controlnet.name}" if elsewhere and controlnet else name,
        "trained": bool(card.get("trained", True)),
        "sha256": digest.hexdigest(),
    }
