"""The generator's files: found, checked and described, with the network off."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from aacsfnet.augmentation.diffusion.recipe import SCHEDULERS, Kind
from aacsfnet.augmentation.local_models import CARD, digests_of
from aacsfnet.errors import ModelFileError, SettingsError
from aacsfnet.files import check_lock, digest_of

if TYPE_CHECKING:
    from aacsfnet.config import Generate

_BUNDLED = Path(__file__).with_name("miniature")

#: Pipelines that a folder may name, and the kind of model that it then holds.
CLASSES: dict[str, Kind] = {
    "StableDiffusionPipeline": "sd-controlnet",
    "StableDiffusionImg2ImgPipeline": "sd-controlnet",
    "StableDiffusionControlNetPipeline": "sd-controlnet",
    "StableDiffusionControlNetImg2ImgPipeline": "sd-controlnet",
    "StableDiffusionXLPipeline": "sdxl-controlnet",
    "StableDiffusionXLImg2ImgPipeline": "sdxl-controlnet",
    "StableDiffusionXLControlNetPipeline": "sdxl-controlnet",
    "StableDiffusionXLControlNetImg2ImgPipeline": "sdxl-controlnet",
    "StableDiffusionDepth2ImgPipeline": "sd-depth2img",
}
#: Parts of each kind beside the ControlNet; those with weights first.
_WEIGHED = ("vae", "text_encoder", "unet")
_PARTS: dict[Kind, tuple[str, ...]] = {
    "sd-controlnet": (*_WEIGHED, "tokenizer", "scheduler"),
    "sdxl-controlnet": (*_WEIGHED, "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"),
    "sd-depth2img": (*_WEIGHED, "tokenizer", "scheduler"),
}
#: What nobody should learn from the pictures alone.
RENDERED_ONLY = (
    "the bundled miniature draws rendered faces: of photographs the gate refuses nearly all of its"
    " pictures (it passed 2 of 35), and what passes is blurred into another face"
)
_UNSAFE = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class ModelFiles:
    """Where a generator's parts lie; None for a part that it has not."""

    kind: Kind
    folder: Path
    controlnet: Path | None
    landmarks_controlnet: Path | None = None
    lora: Path | None = None


def bundled_model() -> Path:
    """Return the folder of the bundled model, in diffusers layout.

    Raises:
        ModelFileError: the package was installed without it.
    """
    if not (_BUNDLED / "model_index.json").is_file():
        raise ModelFileError(
            f"{_BUNDLED}: the bundled generator's files are missing from the package; install it "
            "again, or name a model of your own in generate.model"
        )
    return _BUNDLED


def find_model(settings: "Generate") -> ModelFiles:
    """Return the files that the block `generate` names, after a look at what is in them.

    Raises:
        ModelFileError: a folder or file is missing, or holds something else.
        SettingsError: a key that this kind of model would ignore.
    """
    if settings.model == "bundled":
        folder = bundled_model()
        kind: Kind = "sd-controlnet"
    else:
        folder = _folder("model", settings.model, "; or 'bundled'")
        kind = _kind(folder, settings)
        _check_parts(folder, kind)
    second = settings.landmarks_controlnet
    return ModelFiles(
        kind,
        folder,
        None if kind == "sd-depth2img" else _controlnet(folder, settings),
        _weighed(_folder("landmarks_controlnet", second)) if second else None,
        _lora(settings.lora),
    )


def _folder(key: str, value: str, otherwise: str = "") -> Path:
    folder = Path(value)
    if not folder.is_dir():
        raise ModelFileError(
            f"generate.{key} = {value!r}: no such folder ({folder.absolute()}); give a folder in"
            " diffusers layout" + otherwise
        )
    return folder


def _kind(folder: Path, settings: "Generate") -> Kind:
    """Return what a model's folder holds: as the settings say, else as it says of itself."""
    index = folder / "model_index.json"
    if not index.is_file():
        raise ModelFileError(
            f"generate.model = {settings.model!r}: the folder lacks model_index.json; expected the "
            "layout of a diffusers pipeline"
        )
    kind: str | None = settings.pipeline
    if kind == "auto":
        name = _class_name(index)
        kind = CLASSES.get(name)
        if kind is None:
            kinds = " or ".join(get_args(Kind))
            raise ModelFileError(
                f"{index} names the pipeline {name!r}; expected one of {', '.join(CLASSES)}; if "
                f"its parts are those of one, say which: generate.pipeline = {kinds}"
            )
    if kind == "sd-depth2img":
        for key in ("controlnet", "landmarks_controlnet"):
            if getattr(settings, key):
                raise SettingsError(
                    f"generate.{key} = {getattr(settings, key)!r}: a depth2img model has no "
                    "ControlNet and would ignore it; leave it empty"
                )
    return cast(Kind, kind)


def _class_name(file: Path) -> str:
    """Return the class that a file of diffusers' settings is for.

    Raises:
        ModelFileError: the file is missing, no JSON, or says nothing of it.
    """
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["_class_name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(
            f"{file}: cannot be read as settings of diffusers ({error!r}); copy or fetch the model "
            "again"
        ) from None


def _check_parts(folder: Path, kind: Kind) -> None:
    """Raise unless a model's folder has every part of its kind, with safe weights."""
    missing = [part for part in _PARTS[kind] if not (folder / part).is_dir()]
    if missing:
        raise ModelFileError(
            f"generate.model = '{folder}': the folder lacks {', '.join(missing)}; expected the "
            f"layout of diffusers for {kind} (generate.pipeline)"
        )
    for part in _PARTS[kind]:
        if part.startswith(_WEIGHED):
            _weighed(folder / part)


def _controlnet(folder: Path, settings: "Generate") -> Path:
    if settings.controlnet:
        return _weighed(_folder("controlnet", settings.controlnet))
    if not (folder / "controlnet").is_dir():
        raise ModelFileError(
            f"generate.model = {settings.model!r}: the folder lacks controlnet; a ControlNet "
            "elsewhere goes into generate.controlnet"
        )
    return _weighed(folder / "controlnet")


def _weighed(part: Path) -> Path:
    """Return a part of a model that has safetensors weights.

    Raises:
        ModelFileError: it has none.
    """
    if any(part.glob("*.safetensors")):
        return part
    unsafe = sorted(file.name for file in part.iterdir() if file.suffix in _UNSAFE)
    raise ModelFileError(
        f"{part}: no *.safetensors file"
        + (f" (only {', '.join(unsafe)}, which may run code when loaded)" if unsafe else "")
        + "; save the model with safe_serialization=True"
    )


def _lora(value: str) -> Path | None:
    """Return the file that `generate.lora` names, None where it names none."""
    if value in ("", "none"):
        return None
    path = Path(value)
    files = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    if not path.exists():
        raise ModelFileError(
            f"generate.lora = {value!r}: no such file or folder ({path.absolute()}); give a LoRA's"
            " *.safetensors file"
        )
    if len(files) != 1 or files[0].suffix != ".safetensors":
        names = ", ".join(file.name for file in files) or "none"
        raise ModelFileError(
            f"generate.lora = {value!r}: expected one *.safetensors file, found {names}; give the "
            "file itself"
        )
    return files[0]


def load_tokenizer(model: str) -> Any:
    """Return the tokenizer of the model that `generate.model` names; nothing else is looked at.

    Raises:
        ModelFileError: it cannot be read.
    """
    from transformers import CLIPTokenizer

    folder = bundled_model() if model == "bundled" else Path(model)
    if not (folder / "tokenizer").is_dir():
        raise ModelFileError(
            f"generate.model = {model!r}: no folder {folder / 'tokenizer'}; give a folder in "
            "diffusers layout, or 'bundled'"
        )
    try:
        return CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{folder / 'tokenizer'}: not a CLIP tokenizer ({error})") from None


@cache
def describe(files: ModelFiles) -> dict[str, Any]:
    """Return what a recipe says of a model: its name, whether it was trained, a checksum.

    The checksum is over names and contents of all settings and weights but the card, so a renamed
    or altered part shows. That of a LoRA is given besides.

    Raises:
        ModelFileError: a file differs from the folder's lock file.
    """
    card: dict[str, Any] = {}
    if (files.folder / CARD).is_file():
        card = json.loads((files.folder / CARD).read_text(encoding="utf-8"))
    elsewhere = [
        part
        for part in (files.controlnet, files.landmarks_controlnet)
        if part is not None and part.parent != files.folder
    ]
    digest = hashlib.sha256()
    for root in (files.folder, *elsewhere):
        digest.update(json.dumps(digests_of(root), sort_keys=True).encode())
    names = [card.get("name", files.folder.name), *(part.name for part in elsewhere)]
    about = {
        "name": " + ".join(names),
        "trained": bool(card.get("trained", True)),
        "sha256": digest.hexdigest(),
    }
    if files.lora is not None:
        checksum = digest_of(files.lora)
        check_lock(files.lora.parent, {files.lora.name: checksum})
        about["lora"] = {"name": files.lora.name, "sha256": checksum}
    return about


def scheduler_of(files: ModelFiles, name: str) -> str:
    """Return the class of the scheduler that a name of `SCHEDULERS` stands for with this model."""
    if SCHEDULERS[name] is not None:
        return str(SCHEDULERS[name])
    return _class_name(files.folder / "scheduler" / "scheduler_config.json")
