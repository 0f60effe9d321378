"""The blocks `depth`, `prompts`, `generate` and `quality`, and the presets of `generate`."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from aacsfnet.config.block import Block


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
#: The steps that latent consistency models were distilled from (diffusers' `LCMScheduler`).
LCM_STEPS = 50
#: More guidance tears the bundled model's faces.
_BUNDLED_GUIDANCE = 1.5


class Depth(Block):
    """The depth map that steers generation."""

    method: Literal["mesh", "model", "composite", "midas", "zoe"] = Field(
        "mesh",
        description="mesh: the landmarks' surface; model: a depth model's map; composite: the mesh "
        "set into that map; midas, zoe: the map of controlnet-aux's detector",
    )
    model: str = Field(
        "",
        description="folder of a depth model in transformers' layout (DPT, MiDaS, Depth Anything, "
        "ZoeDepth); midas, zoe: of controlnet-aux's annotators; mesh: none",
    )

    @model_validator(mode="after")
    def _model_fits_method(self) -> "Depth":
        if self.method != "mesh" and not self.model:
            raise ValueError(f"method {self.method} needs a model: the folder of a depth model")
        if self.method == "mesh" and self.model:
            raise ValueError("method mesh uses no model; leave model empty")
        return self


class Prompts(Block):
    """Which pictures to make, and the words for each."""

    style: Literal["words", "published"] = Field(
        "words",
        description="published: the original's 68 coordinates as text, cut by the tokenizer, only "
        "to compare with",
    )
    template: str = Field(
        "{anatomy}, face of {subject}, {level}, {head}",
        min_length=1,
        description="words of the prompt; {anatomy}, {subject}, {level} and {head} are filled in",
    )
    negative: str = Field("blurred, deformed", description="what the picture must not show")
    max_tokens: int = Field(77, ge=8, le=77, description="tokens the text encoder holds")
    overflow: Literal["drop", "chunk", "refuse"] = Field(
        "drop",
        description="a longer prompt: drop phrases from the least important, encode it in chunks, "
        "or refuse it",
    )
    variants: int = Field(1, ge=0, le=64, description="pictures made from each frame with pain")
    balance: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="more variants of rare levels of pain: 0 all alike, 1 as many of each level",
    )
    max_variants: int = Field(
        4, ge=1, le=64, description="most variants of one frame that balancing may ask for"
    )
    neutral_share: float = Field(
        0.1, ge=0.0, le=1.0, description="share of frames at the lowest label that get variants too"
    )


class Generate(Block):
    """The diffusion model and how it is run."""

    model: str = Field("bundled", description="'bundled', or a folder in diffusers layout")
    pipeline: Literal["auto", "sd-controlnet", "sdxl-controlnet", "sd-depth2img"] = Field(
        "auto", description="what the folder holds; auto: as its model_index.json says"
    )
    controlnet: str = Field(
        "", description="folder of a depth ControlNet; empty: the model's own subfolder controlnet"
    )
    conditioning_scale: float | None = Field(
        None, ge=0.0, le=2.0, description="weight of the depth map; null: 1, and none in depth2img"
    )
    landmarks_controlnet: str = Field(
        "", description="folder of a second ControlNet, for MediaPipe face drawings; empty: none"
    )
    landmarks_scale: float = Field(
        1.0, ge=0.0, le=2.0, description="weight of the drawing, if there is a second ControlNet"
    )
    preset: Literal["quality", "balanced", "fast"] = Field(
        "balanced",
        description="decides the keys below that are null: quality 30 steps, balanced 20, fast 8 "
        "with a LoRA and no guidance",
    )
    steps: int | None = Field(
        None, ge=1, le=1000, description="scheduler steps; about strength x steps run"
    )
    guidance_scale: float | None = Field(
        None, ge=0.0, le=50.0, description="weight of the prompt; up to 1 there is no guidance"
    )
    scheduler: Literal["model", "ddim", "unipc", "dpm++", "lcm"] | None = Field(
        None, description="how noise is taken away; model: as the folder says"
    )
    lora: str = Field(
        "", description="LoRA in safetensors, file or folder, put into the weights; none: without"
    )
    lora_scale: float = Field(1.0, gt=0.0, le=2.0, description="weight of the LoRA, if any")
    strength: float = Field(0.5, gt=0.0, le=1.0, description="0 keeps the source, 1 redraws it")
    batch: int = Field(8, ge=1, le=512, description="pictures in one pass; part of the recipe")
    compile: Literal["auto", "always", "never"] = Field(
        "auto", description="translate the networks for the device; auto: on a GPU, for long shards"
    )
    safety_checker: str = Field(
        "", description="folder of a safety checker whose score is written down; empty: none"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "Generate":
        steps = steps_of(self)
        if int(self.strength * steps) < 1:
            raise ValueError(
                f"strength {self.strength} x steps {steps} is below 1, so no step would run; "
                "raise one of them"
            )
        if self.model == "bundled" and (self.controlnet or self.pipeline != "auto"):
            raise ValueError(
                "the bundled model has its own ControlNet; leave controlnet empty, pipeline auto"
            )
        if (self.scheduler or preset_of(self).scheduler) == "lcm" and steps > LCM_STEPS:
            raise ValueError(f"steps {steps}: scheduler lcm takes at most {LCM_STEPS}")
        if preset_of(self).distilled and not self.lora:
            raise ValueError(
                f"preset {self.preset} needs a LoRA for few steps: name its file in lora, or write "
                "lora: none if the model itself is made for few steps"
            )
        return self


class Quality(Block):
    """The gate: what a generated picture must show to be used."""

    max_landmark_error: float = Field(
        0.04,
        gt=0.0,
        description="mean distance to the source's landmarks beside a shift of all, eye distances",
    )
    max_region_error: float = Field(
        0.06, gt=0.0, description="likewise in eyes, brows and mouth, each on its own"
    )
    max_shift: float = Field(
        0.15, gt=0.0, description="most that the whole face may lie aside, eye distances"
    )
    max_measure_difference: float = Field(
        0.06,
        gt=0.0,
        description="most that a facial measure of pain may seem to change, eye distances",
    )
    max_possible_difference: float = Field(
        0.08,
        gt=0.0,
        description="most that it may truly change: likewise, with the measure's error margin",
    )
    max_corner_difference: float = Field(
        0.022,
        gt=0.0,
        description="most that the mouth's corners may seem to rise or fall, as in a smile, eye "
        "distances",
    )
    max_pspi_difference: float = Field(
        3.0, gt=0.0, description="most that the PSPI estimated from these measures may change"
    )
    calibrate: bool = Field(
        True,
        description="a lower bound on the measures' change where the person's own real frames tell "
        "equal labels from others by it",
    )
    max_pose_difference: float = Field(
        10.0, gt=0.0, description="most that the head may turn (yaw, pitch or roll), degrees"
    )
    identity_model: str = Field(
        "",
        description="folder of a model that embeds faces (transformers or timm, safetensors); "
        "empty: identity is not judged",
    )
    min_identity: float | None = Field(
        None,
        ge=-1.0,
        le=1.0,
        description="least cosine of source's and picture's embedding; null: only recorded",
    )
    min_sharpness: float = Field(
        0.2, ge=0.0, description="least variance of the Laplacian, share of the source's"
    )
    min_brightness: float = Field(0.05, ge=0.0, le=1.0, description="least mean grey value, of 1")
    max_brightness: float = Field(0.95, ge=0.0, le=1.0, description="largest mean grey value, of 1")
    min_contrast: float = Field(
        0.03, ge=0.0, le=1.0, description="least standard deviation of grey values, of 1"
    )
    min_difference: float = Field(
        0.004,
        ge=0.0,
        le=1.0,
        description="mean absolute difference, of 1, below which two pictures count as the same",
    )

    @model_validator(mode="after")
    def _identity_has_a_model(self) -> "Quality":
        if self.min_identity is not None and not self.identity_model:
            raise ValueError("min_identity needs identity_model, the folder of a model")
        return self


def preset_of(settings: Generate) -> Preset:
    """Return the preset, as far as it goes for the model: the bundled one keeps its scheduler."""
    preset = PRESETS[settings.preset]
    if settings.model == "bundled":
        return Preset(preset.steps, min(preset.guidance_scale, _BUNDLED_GUIDANCE), "model")
    return preset


def steps_of(settings: Generate) -> int:
    """Return the scheduler's steps: the settings', or the preset's."""
    return preset_of(settings).steps if settings.steps is None else settings.steps


def guidance_of(settings: Generate) -> float:
    """Return the weight of the prompt: the settings', or the preset's."""
    given = settings.guidance_scale
    return preset_of(settings).guidance_scale if given is None else given
