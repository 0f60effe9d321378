"""The model files that the settings name: found and whole, or not."""

from collections.abc import Iterator
from pathlib import Path

from aacsfnet.augmentation.depth.annotators import FILES
from aacsfnet.config import Config, Generate
from aacsfnet.doctor.findings import Finding
from aacsfnet.errors import AacsfnetError


def look_at_models(config: Config) -> Iterator[Finding]:
    """Yield one finding for each model that the settings, or an experiment's, name."""
    everybody = [config, *map(config.for_experiment, config.experiments)]
    for settings in dict.fromkeys(own.generate for own in everybody):
        yield _generator(settings)
    folders = dict.fromkeys(
        (key, folder, weights)
        for own in everybody
        for key, folder, weights in (
            ("depth.model", own.depth.model, FILES.get(own.depth.method, "*.safetensors")),
            ("quality.identity_model", own.quality.identity_model, "*.safetensors"),
            ("generate.safety_checker", own.generate.safety_checker, "*.safetensors"),
        )
        if folder
    )
    for key, folder, weights in folders:
        yield _folder(key, Path(folder), weights)
    for file in dict.fromkeys(own.train.pretrained for own in everybody):
        if isinstance(file, Path):
            yield _weights(file)


def _generator(settings: Generate) -> Finding:
    from aacsfnet.augmentation.diffusion import model_files
    from aacsfnet.augmentation.diffusion.recipe import recipe_of

    try:
        files = model_files.find_model(settings)
        recipe_of(settings, files.kind)
        model_files.describe(files)
    except AacsfnetError as error:
        return Finding("error", "generate.model", str(error), "or keep the default: bundled")
    return Finding("ok", "generate.model", f"{settings.model}: found in {files.folder}")


def _folder(key: str, folder: Path, weights: str) -> Finding:
    if not folder.is_dir():
        advice = "name the folder of a model, or fetch one: aacsfnet fetch-models"
        return Finding("error", key, f"{folder}: no such folder", advice)
    if not any(folder.glob(weights)):
        advice = "weights in other files are not loaded; fetch the model again"
        return Finding("error", key, f"{folder}: no {weights} in it", advice)
    return Finding("ok", key, f"{folder}: found")


def _weights(file: Path) -> Finding:
    if file.is_file() and file.suffix == ".safetensors":
        return Finding("ok", "train.pretrained", f"{file}: found")
    advice = "name a safetensors file, 'bundled' or null"
    return Finding("error", "train.pretrained", f"{file}: no such safetensors file", advice)
