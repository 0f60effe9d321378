"""The values in force: a preset's, those of the settings that override it, those of the model."""

from dataclasses import dataclass
from typing import Literal

from aacsfnet.config.augmentation import Generate, guidance_of, preset_of, steps_of
from aacsfnet.errors import SettingsError

#: What a model folder holds, and so which pipeline runs it.
Kind = Literal["sd-controlnet", "sdxl-controlnet", "sd-depth2img"]
#: Names of schedulers, and their classes in diffusers; "model" is the one that the folder holds.
SCHEDULERS = {
    "model": None,
    "ddim": "DDIMScheduler",
    "unipc": "UniPCMultistepScheduler",
    "dpm++": "DPMSolverMultistepScheduler",
    "lcm": "LCMScheduler",
}


@dataclass(frozen=True)
class Recipe:
    """The settings under which pictures are made; see the block `generate`.

    `strength` is that of pictures that have none of their own, see `strength_of`;
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


def recipe_of(settings: Generate, kind: Kind) -> Recipe:
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


def strength_of(settings: Generate, kind: str) -> float:
    """Return the image-to-image strength of pictures of a kind, see `tables.KINDS`.

    Where it would leave no denoising step, that of one step.
    """
    strength = {
        "keep": settings.strength,
        "level": settings.level_strength,
        "person": settings.person_strength,
    }[kind]
    steps = steps_of(settings)
    return strength if int(strength * steps) else min(1.0, 1 / steps + 1e-9)
