"""The blocks `depth`, `prompts`, `generate` and `quality`, and the presets of `generate`."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from aacsfnet.config.block import Block
from aacsfnet.config.kinds import Keep, Level, Person


@dataclass(frozen=True)
class Preset:
    """A trade-off of quality and speed.

    Attributes:
        steps: denoising steps of the scheduler; about strength times as many run.
        guidance_scale: of classifier-free guidance; at most 1 turns it off and halves the passes.
        scheduler: a name of `SCHEDULERS`.
        distilled: the model must be distilled to few steps, by a LoRA as a rule.
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
#: A higher guidance scale gives artefacts in the bundled model's faces.
_BUNDLED_GUIDANCE = 1.5


class Depth(Block):
    """The depth map that conditions generation."""

    method: Literal["mesh", "model", "composite", "midas", "zoe"] = Field(
        "mesh",
        description="mesh: depth of the landmarks' mesh; model: a monocular depth model's; "
        "composite: the mesh blended into the model's map; midas, zoe: controlnet-aux's detectors",
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
        description="prompt template; {anatomy}, {subject}, {level} and {head} are filled in",
    )
    negative: str = Field("blurred, deformed", description="negative prompt")
    max_tokens: int = Field(
        77, ge=8, le=77, description="context length of the text encoder, tokens"
    )
    overflow: Literal["drop", "chunk", "refuse"] = Field(
        "drop",
        description="a prompt over max_tokens: drop its least important phrases, encode it in "
        "chunks, or refuse it",
    )
    keep: Keep = Keep()
    level: Level = Level()
    person: Person = Person()


class Generate(Block):
    """The diffusion model and how it is run."""

    model: str = Field("bundled", description="'bundled', or a folder in diffusers layout")
    pipeline: Literal["auto", "sd-controlnet", "sdxl-controlnet", "sd-depth2img"] = Field(
        "auto", description="pipeline of the model; auto: as its model_index.json says"
    )
    controlnet: str = Field("", description="folder of a depth ControlNet; empty: the model's own")
    conditioning_scale: float | None = Field(
        None, ge=0.0, le=2.0, description="scale of the depth ControlNet, if any; null: 1"
    )
    landmarks_controlnet: str = Field(
        "", description="folder of a second ControlNet, for MediaPipe face drawings; empty: none"
    )
    landmarks_scale: float = Field(1.0, ge=0.0, le=2.0, description="scale of that ControlNet")
    preset: Literal["quality", "balanced", "fast"] = Field(
        "balanced",
        description="sets steps, guidance_scale and scheduler where null: quality 30 steps, "
        "balanced 20, fast 8 with a LoRA and no guidance",
    )
    steps: int | None = Field(None, ge=1, le=1000, description="denoising steps of the schedule")
    guidance_scale: float | None = Field(
        None, ge=0.0, le=50.0, description="classifier-free guidance scale; at most 1: off"
    )
    scheduler: Literal["model", "ddim", "unipc", "dpm++", "lcm"] | None = Field(
        None, description="diffusion scheduler; model: the one in the model's folder"
    )
    lora: str = Field(
        "", description="LoRA to fuse, a safetensors file or its folder; none: no LoRA"
    )
    lora_scale: float = Field(1.0, gt=0.0, le=2.0, description="scale of the LoRA, if any")
    strength: float = Field(
        0.5, gt=0.0, le=1.0, description="image-to-image strength; about strength x steps are run"
    )
    level_strength: float = Field(
        0.15,
        gt=0.0,
        le=1.0,
        description="likewise of pictures given another level (kind level); one step at least",
    )
    person_strength: float = Field(
        1.0, gt=0.0, le=1.0, description="likewise of pictures with another face (kind person)"
    )
    batch: int = Field(8, ge=1, le=512, description="batch size; part of the recipe")
    compile: Literal["auto", "always", "never"] = Field(
        "auto", description="torch.compile the networks; auto: on a GPU, for long shards"
    )
    safety_checker: str = Field(
        "", description="folder of a safety checker that scores; empty: none"
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
                f"preset {self.preset} needs a few-step LoRA: name its file in lora, or write "
                "lora: none if the model itself is distilled to few steps"
            )
        return self


class Quality(Block):
    """The gate: what a generated picture must show to be used."""

    max_landmark_error: float = Field(
        0.04,
        gt=0.0,
        description="mean landmark error against the source beside a shift of all, interocular "
        "distances",
    )
    max_region_error: float = Field(
        0.06, gt=0.0, description="likewise in eyes, brows and mouth, each on its own"
    )
    max_shift: float = Field(
        0.15, gt=0.0, description="largest shift of the whole face, interocular distances"
    )
    max_measure_difference: float = Field(
        0.06,
        gt=0.0,
        description="largest estimated change of a facial measure of pain, interocular distances",
    )
    max_possible_difference: float = Field(
        0.08,
        gt=0.0,
        description="largest upper confidence bound (95 %, one-sided) of that change, likewise",
    )
    max_target_error: float = Field(
        3.0,
        gt=0.0,
        description="largest such change from what a picture of another level (kind level) should "
        "show, as a multiple of the mesh's own error of each measure",
    )
    max_corner_difference: float = Field(
        0.022,
        gt=0.0,
        description="largest estimated rise or fall of the mouth's corners (a smile), likewise",
    )
    max_pspi_difference: float = Field(
        3.0, gt=0.0, description="largest change of the PSPI estimated from these measures"
    )
    calibrate: bool = Field(
        True,
        description="lower max_measure_difference for a subject to the best threshold (Youden's "
        "index) on its own real frames, where they separate labels",
    )
    max_pose_difference: float = Field(
        10.0, gt=0.0, description="largest change of head pose (yaw, pitch or roll), degrees"
    )
    identity_model: str = Field(
        "",
        description="folder of a face embedding model (transformers or timm, safetensors); empty: "
        "identity is not judged",
    )
    min_identity: float | None = Field(
        None,
        ge=-1.0,
        le=1.0,
        description="minimum cosine similarity of the embeddings of source and picture; null: only "
        "recorded",
    )
    max_person_identity: float | None = Field(
        None,
        ge=-1.0,
        le=1.0,
        description="likewise the maximum for pictures of another face (kind person); null: the "
        "two distances below decide",
    )
    max_pixel_distance: float = Field(
        0.4,
        gt=0.0,
        description="largest difference of the face's evened grey values from the source's, kinds "
        "keep and level",
    )
    max_shape_distance: float = Field(
        0.07,
        gt=0.0,
        description="largest difference of outline and eye corners likewise, interocular distances",
    )
    min_person_pixels: float = Field(
        0.5, ge=0.0, description="another face differs more than this in its pixels, or ..."
    )
    min_person_shape: float = Field(
        0.07, ge=0.0, description="... more than this in its shape (kind person)"
    )
    witness: str = Field(
        "auto",
        description="second witness, who reads units off pixels: 'bundled' (knows rendered faces "
        "only), a folder, or empty: none; 'auto': bundled for the demo, none for other data",
    )
    witness_kinds: tuple[Literal["keep", "level", "person"], ...] = Field(
        ("level",), description="kinds of pictures that the witness may refuse"
    )
    max_witness_error: float = Field(
        1.4, gt=0.0, description="largest error of a unit read, as a multiple of its bounds"
    )
    min_sharpness: float = Field(
        0.2, ge=0.0, description="minimum variance of the Laplacian, share of the source's"
    )
    min_brightness: float = Field(0.05, ge=0.0, le=1.0, description="minimum mean grey value, of 1")
    max_brightness: float = Field(0.95, ge=0.0, le=1.0, description="largest mean grey value, of 1")
    min_contrast: float = Field(
        0.03, ge=0.0, le=1.0, description="minimum standard deviation of grey values, of 1"
    )
    min_difference: float = Field(
        0.004,
        ge=0.0,
        le=1.0,
        description="mean absolute difference of pixels, of 1; below it pictures are duplicates",
    )

    @model_validator(mode="after")
    def _identity_has_a_model(self) -> "Quality":
        if self.min_identity is not None and not self.identity_model:
            raise ValueError("min_identity needs identity_model, the folder of a model")
        if self.max_person_identity is not None and not self.identity_model:
            raise ValueError("max_person_identity needs identity_model, the folder of a model")
        return self


def preset_of(settings: Generate) -> Preset:
    """Return the preset, as far as it goes for the model: the bundled one keeps its scheduler."""
    preset = PRESETS[settings.preset]
    if settings.model == "bundled":
        return Preset(preset.steps, min(preset.guidance_scale, _BUNDLED_GUIDANCE), "model")
    return preset


def steps_of(settings: Generate) -> int:
    """Return the denoising steps: the settings', or the preset's."""
    return preset_of(settings).steps if settings.steps is None else settings.steps


def guidance_of(settings: Generate) -> float:
    """Return the guidance scale: the settings', or the preset's."""
    given = settings.guidance_scale
    return preset_of(settings).guidance_scale if given is None else given
