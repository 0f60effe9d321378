"""The generator's folder: found, checked, described and loaded, with the network off."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aacsfnet.augmentation.bundled import CARD, bundled_model
from aacsfnet.errors import ModelFileError

if TYPE_CHECKING:
    import torch

_PARTS = ("vae", "text_encoder", "tokenizer", "unet", "controlnet", "scheduler")
_UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def model_folder(model: str) -> Path:
    """Return the folder that `generate.model` names, after a look at what is in it.

    Raises:
        ModelFileError: no folder, a part missing, or a part without safetensors weights.
    """
    if model == "bundled":
        return bundled_model()
    folder = Path(model).expanduser()
    if not folder.is_dir():
        raise ModelFileError(
            f"generate.model = {model!r}: no such folder; give a folder in diffusers layout "
            "with a ControlNet in its subfolder controlnet, or 'bundled'"
        )
    missing = [part for part in _PARTS if not (folder / part).is_dir()]
    if missing or not (folder / "model_index.json").is_file():
        raise ModelFileError(
            f"generate.model = {model!r}: the folder lacks "
            f"{', '.join(missing) or 'model_index.json'}; expected the layout of diffusers' "
            "StableDiffusionControlNetImg2ImgPipeline"
        )
    for part in ("vae", "text_encoder", "unet", "controlnet"):
        if not any((folder / part).glob("*.safetensors")):
            unsafe = [file.name for file in (folder / part).iterdir() if file.suffix in _UNSAFE]
            raise ModelFileError(
                f"{folder / part}: no *.safetensors file"
                + (f" (only {', '.join(unsafe)}, which may run code when loaded)" if unsafe else "")
                + "; save the model with safe_serialization=True"
            )
    return folder


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a model folder.

    Raises:
        ModelFileError: it cannot be read.
    """
    from transformers import CLIPTokenizer

    try:
        return CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{folder / 'tokenizer'}: not a CLIP tokenizer ({error})") from None


def load_pipeline(folder: Path, device: "torch.device", dtype: "torch.dtype") -> Any:
    """Return the ControlNet image-to-image pipeline of a model folder, ready on a device.

    Only safetensors are read and nothing is fetched. The safety checker stays off: it was trained
    on other pictures, blanks faces without a word, and a gate of our own follows.

    Raises:
        ModelFileError: the files are no such pipeline, or are damaged.
    """
    from diffusers import StableDiffusionControlNetImg2ImgPipeline

    quieten()
    try:
        pipeline = StableDiffusionControlNetImg2ImgPipeline.from_pretrained(
            folder,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=True,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    except Exception as error:  # diffusers, safetensors and torch each raise kinds of their own
        first_line = (
            str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        )
        raise ModelFileError(
            f"{folder}: cannot be loaded as a ControlNet image-to-image pipeline: {first_line}"
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
def describe(folder: Path) -> dict[str, Any]:
    """Return what a recipe says of a model: its name, whether it was trained, a checksum.

    The checksum is over names and contents of all files but the card, so a renamed or altered part
    shows.
    """
    card: dict[str, Any] = {}
    if (folder / CARD).is_file():
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.json")) + sorted(folder.rglob("*.safetensors")):
        if file.name == CARD:
            continue
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return {
        "name": card.get("name", folder.name),
        "trained": bool(card.get("trained", True)),
        "sha256": digest.hexdigest(),
    }
