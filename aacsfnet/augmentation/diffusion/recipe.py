"""The values in force: a preset's, those of the settings that override it, those of the model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from aacsfnet.errors import SettingsError

if TYPE_CHECKING:
    from aacsfnet.config import Generate

#: What a model folder holds, and so which pipeline runs it.
Kind = Literal["sd-controlnet", "sdxl-controlnet", "sd-depth2img"]


@dataclass(frozen=True)
class Preset:
    """A way between picture and speed.

    Attributes:
        steps: scheduler steps; about strength times as many run.
        guidance_scale: weight of the prompt; up to 1 each step runs once instead of twice.
        scheduler: a name of `SCHEDULERS`.
        distilled: the model must be made for few steps, by a LoRA as a rule.
    """

    steps: int
    guidance_scale: float
    scheduler: str
    distilled: bool = False


PRESETS = {
    "quality": Preset(30, 7.0, "dpm++"),
    "balanced": Preset(20, 6.0, "unipc"),
    "fast": Preset(8, 1.0, "lcm", distilled=True),
}
#: Names of schedulers, and their classes in diffusers; "model" is the one that the folder holds.
SCHEDULERS = {
    "model": None,
    "ddim": "DDIMScheduler",
    "unipc": "UniPCMultistepScheduler",
    "dpm++": "DPMSolverMultistepScheduler",
    "lcm": "LCMScheduler",
}
#: The steps that latent consistency models were distilled from (diffusers' `LCMScheduler`).
LCM_STEPS = 50
#: More guidance tears the bundled model's faces.
_BUNDLED_GUIDANCE = 1.5


@dataclass(frozen=True)
class Recipe:
    """The settings under which a picture is made; see the block `generate`.

    `conditioning_scale` weighs the depth map, None for a model without a ControlNet;
    `landmarks_scale` the drawing of the landmarks, None without a second ControlNet.
    """

    strength: float
    steps: int
    guidance_scale: float
    conditioning_scale: float | None
    batch: int
    landmarks_scale: float | None = None
    scheduler: str = "model"


def preset_of(settings: "Generate") -> Preset:
    """Return the preset, as far as it goes for the model: the bundled one keeps its scheduler."""
    preset = PRESETS[settings.preset]
    if settings.model == "bundled":
        return Preset(preset.steps, min(preset.guidance_scale, _BUNDLED_GUIDANCE), "model")
    return preset


def steps_of(settings: "Generate") -> int:
    """Return the scheduler's steps: the settings', or the preset's."""
    return preset_of(settings).steps if settings.steps is None else settings.steps


def guidance_of(settings: "Generate") -> float:
    """Return the weight of the prompt: the settings', or the preset's."""
    given = settings.guidance_scale
    return preset_of(settings).guidance_scale if given is None else given


def recipe_of(settings: "Generate", kind: Kind) -> Recipe:
    """Return the values in force for a model of this kind.

    Raises:
        SettingsError: a value that the kind of model would ignore.
    """
    preset = preset_of(settings)
    scale = settings.conditioning_scale
    if kind == "sd-depth2img" and scale is not None:
        raise SettingsError(
            f"generate.conditioning_scale = {scale}: a depth2img model takes the depth map as it "
            "is and has no weight for it; set it to null, or take a model with a ControlNet"
        )
    if kind != "sd-depth2img" and scale is None:
        scale = 1.0
    return Recipe(
        strength=settings.strength,
        steps=steps_of(settings),
        guidance_scale=guidance_of(settings),
        conditioning_scale=scale,
        batch=settings.batch,
        landmarks_scale=settings.landmarks_scale if settings.landmarks_controlnet else None,
        scheduler=settings.scheduler or preset.scheduler,
    )
