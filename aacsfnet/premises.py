"""What the settings alone decide, looked at before the first job: by the workflow and by doctor.

Whatever else a job would find wrong with the settings belongs here, so that it is said before
pictures are generated, not after.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aacsfnet.augmentation.depth.annotators import FILES
from aacsfnet.config import Config, Generate, Train
from aacsfnet.errors import AacsfnetError, SettingsError
from aacsfnet.files import shown

_FETCH = "name the folder of a model, or fetch one: aacsfnet fetch-models"
_AGAIN = "weights in other files are not loaded; fetch the model again"


@dataclass(frozen=True)
class Premise:
    """Something that a setting takes for granted.

    Attributes:
        key: the setting.
        message: what was found, or what is wrong.
        advice: what to do about it; "" where nothing is wrong.
        holds: whether nothing is wrong.
    """

    key: str
    message: str
    advice: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.advice


def in_force(config: Config) -> list[Config]:
    """Return the settings, and those of every experiment."""
    return [config, *map(config.for_experiment, config.experiments)]


def premises(config: Config) -> Iterator[Premise]:
    """Yield what the settings, and every experiment's, take for granted.

    Those are models and networks, and that pretraining sees the frames that it is given.
    """
    everybody = in_force(config)
    if config.index.manifest.unlabelled == "pretrain":
        yield _unlabelled(config)
    for generate in dict.fromkeys(own.generate for own in everybody):
        yield _generator(generate)
    folders = dict.fromkeys(
        (key, folder, weights)
        for own in everybody
        for key, folder, weights in (
            ("depth.model", own.depth.model, FILES.get(own.depth.method, "*.safetensors")),
            ("quality.identity_model", own.quality.identity_model, "*.safetensors"),
            ("quality.witness", own.quality.witness, "*.safetensors"),
            ("generate.safety_checker", own.generate.safety_checker, "*.safetensors"),
        )
        if folder not in ("", "auto", "bundled")
    )
    for key, folder, weights in folders:
        yield _folder(key, Path(folder), weights)
    default = Config()
    sizes = dict.fromkeys((own.train, own.merge.image_size) for own in everybody)
    unlike = [
        (train, size)
        for train, size in sizes
        if _parts(train, size) != _parts(default.train, default.merge.image_size)
    ]
    for train, size in {_parts(*each): each for each in unlike}.values():
        yield _network(train, size)


def warnings(config: Config) -> Iterator[Premise]:
    """Yield what the settings do though it can hardly be meant; it stops no run."""
    from aacsfnet.augmentation.diffusion.model_files import RENDERED_ONLY

    bundled = any(own.generate.model == "bundled" and _draws(own) for own in in_force(config))
    if bundled and config.dataset != "demo":
        yield Premise(
            "generate.model",
            f"{RENDERED_ONLY}; this data set is {config.dataset}",
            "name a model of your own (docs/how-to/generator.md), or make no pictures:"
            " prompts: {keep: {variants: 0}, level: {pictures: 0}}",
        )


def _draws(config: Config) -> bool:
    """Whether pictures may be made at all; what `null` means depends on the label."""
    prompts = config.prompts
    return (prompts.keep.variants, prompts.person.variants, prompts.level.pictures) != (0, 0, 0)


def check(config: Config) -> None:
    """Refuse settings of which a premise does not hold.

    Raises:
        SettingsError: one line that names each.
    """
    wrong = [premise for premise in premises(config) if not premise.holds]
    if wrong:
        raise SettingsError("; ".join(f"{premise.message} ({premise.key})" for premise in wrong))


def _unlabelled(config: Config) -> Premise:
    key = "index.manifest.unlabelled"
    advice = "or set it to leave_out"
    if config.dataset != "manifest":
        words = f"pretrain, but it is read with dataset: manifest alone, not {config.dataset}"
        return Premise(key, words, advice)
    experiments = {name: config.for_experiment(name).train for name in config.experiments}
    seen_by = [name for name, own in experiments.items() if own.geometry_pretraining_steps]
    if not seen_by:
        words = (
            "pretrain, but train.geometry_pretraining_steps is 0 in every experiment, so that"
            " nothing sees the frames without a label"
        )
        return Premise(key, words, f"give train.geometry_pretraining_steps, {advice}")
    return Premise(key, f"frames without a label are for pretraining of {', '.join(seen_by)} alone")


def _generator(settings: Generate) -> Premise:
    from aacsfnet.augmentation.diffusion.model_files import find_model
    from aacsfnet.augmentation.diffusion.recipe import recipe_of

    try:
        files = find_model(settings)
        recipe_of(settings, files.kind)
    except AacsfnetError as error:
        return Premise("generate.model", str(error), "or keep the default: bundled")
    return Premise("generate.model", f"{settings.model}: found in {files.folder}")


def _folder(key: str, folder: Path, weights: str) -> Premise:
    if not folder.is_dir():
        return Premise(key, f"{shown(folder)}: no such folder", _FETCH)
    if not any(folder.glob(weights)):
        return Premise(key, f"{shown(folder)}: no {weights} in it", _AGAIN)
    return Premise(key, f"{folder}: found")


def _parts(train: Train, image_size: int) -> tuple[object, ...]:
    """Return what decides whether a network can be built."""
    return (train.model, train.network, train.pretrained, train.loss, train.levels, image_size)


def _network(train: Train, image_size: int) -> Premise:
    """Build the network without its weights, and look at the file that these come from.

    The default one is known to work and is not built: that alone would take seconds.
    """
    import torch

    from aacsfnet.models.backbone import check_weights
    from aacsfnet.training.build import network_of

    own = train.network
    try:
        with torch.device("meta"):
            network_of(train.model_copy(update={"pretrained": None}), image_size, (0.0, 1.0))
        if train.pretrained and (train.model == "published" or "channel" in own.branches):
            if train.pretrained == "bundled_network" and train.model == "aacsfnet":
                network_of(train, image_size, (0.0, 1.0))
            else:
                check_weights(own.backbone, train.pretrained)
    except AacsfnetError as error:
        return Premise("train", str(error), "correct train.network or train.pretrained")
    start = train.pretrained or "random weights"
    context = "" if train.network.context == "none" else f", in context ({train.network.context})"
    return Premise(
        "train", f"{own.backbone} for pictures of {image_size} pixels, from {start}{context}"
    )
