"""The configuration: one class a block, one block a stage.

`config.yaml` at the top of the repository lists every key with its default. Unknown keys, wrong
types and impossible values are errors; `load` turns them into one line that names key, value and
expectation.
"""

import difflib
import json
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from aacsfnet.augmentation.diffusion.recipe import LCM_STEPS, preset_of, steps_of
from aacsfnet.errors import SettingsError

DatasetName = Literal["demo", "manifest", "unbc", "biovid", "data_pre"]


class Block(BaseModel):
    """A group of keys; unknown keys are errors and values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class DemoData(Block):
    """The built-in data set of rendered faces."""

    subjects: int = Field(12, ge=3, le=10_000, description="number of rendered people")
    sequences: int = Field(3, ge=1, le=1_000, description="sequences of each person")
    frames: int = Field(24, ge=2, le=10_000, description="frames of each sequence")
    picture_size: int = Field(256, ge=96, le=4096, description="side of a frame, pixels")
    seed: int = Field(1, ge=0, description="seed of people, movements and light")


class ManifestData(Block):
    """A table of the user's own pictures."""

    file: Path | None = Field(None, description="the table: columns path, subject, label at least")
    root: Path | None = Field(
        None, description="folder that the paths start from; without it, the table's own folder"
    )
    label: str = Field("pspi", description="what the label column holds, e.g. pspi or vas")
    label_low: float = Field(0.0, description="lowest possible label")
    label_high: float = Field(16.0, description="highest possible label")

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> "ManifestData":
        if not self.label_low < self.label_high:
            raise ValueError(
                f"label_low {self.label_low} must be below label_high {self.label_high}"
            )
        return self


class UnbcData(Block):
    """The UNBC-McMaster Shoulder Pain Expression Archive."""

    root: Path | None = Field(None, description="folder that holds Images and Frame_Labels")


class BiovidData(Block):
    """The BioVid Heat Pain Database, part A."""

    root: Path | None = Field(None, description="folder that holds the clips (PartA), or one above")


class PublishedArrays(Block):
    """Arrays in the layout of the published code: <i>/<i>_image.npy, <i>/<i>_label1.npy."""

    root: Path | None = Field(None, description="folder that holds the numbered folders")
    channels: Literal["rgb", "bgr"] = Field("rgb", description="order of colours in the arrays")
    trusted: Path | None = Field(
        None,
        description="the same folder again, if you trust whoever made it: only then are pickled "
        "arrays loaded, which can run any program",
    )


class Videos(Block):
    """How videos become frames, in every data set that holds videos."""

    rate: float = Field(
        5.0, gt=0.0, le=1000.0, description="frames taken a second; a video's own rate at most"
    )
    seconds: float = Field(
        6.0, gt=0.0, description="typical length of a video; only plans the number of shards"
    )


class Index(Block):
    """Which frames there are, and how they are dealt into shards."""

    shard_frames: int = Field(512, ge=1, description="most frames in one shard (one job)")
    max_megapixels: float = Field(
        64.0, gt=0.0, le=170.0, description="largest picture that is decoded, million pixels"
    )
    further_roots: tuple[Path, ...] = Field(
        (), description="folders outside the data set that its links may lead into"
    )
    videos: Videos = Videos()
    demo: DemoData = DemoData()
    manifest: ManifestData = ManifestData()
    unbc: UnbcData = UnbcData()
    biovid: BiovidData = BiovidData()
    data_pre: PublishedArrays = PublishedArrays()


class Crop(Block):
    """The face found, levelled and cut out."""

    size: int = Field(128, ge=64, le=2048, multiple_of=8, description="side of a crop, pixels")
    margin: float = Field(
        0.25, ge=0.0, le=2.0, description="room round the face, share of its height"
    )
    min_face: int = Field(32, ge=8, description="smallest face accepted, pixels in the frame")
    min_confidence: float = Field(0.5, gt=0.0, lt=1.0, description="least score of the detector")
    min_presence: float = Field(
        0.5, gt=0.0, lt=1.0, description="least score of the face mesh for a detection to count"
    )
    people: Literal["largest", "central", "refuse"] = Field(
        "largest", description="whom to take of several people; refuse: none"
    )
    mode: Literal["still", "video"] = Field(
        "still",
        description="still: search every frame; video: follow the face from frame to frame",
    )
    smoothing: int = Field(
        4, ge=0, le=100, description="frames to each side that steady a sequence's crops; 0: none"
    )


class Landmarks(Block):
    """478 points on the cropped face."""

    mode: Literal["still", "video"] = Field(
        "still", description="still: look at each crop again; video: take the mesh it was cut by"
    )
    min_confidence: float = Field(0.5, gt=0.0, lt=1.0, description="least score of the face mesh")


class Depth(Block):
    """The depth map that steers generation."""

    method: Literal["mesh", "model", "composite"] = Field(
        "mesh",
        description="mesh: the landmarks' surface; model: a depth model's map; composite: the mesh "
        "set into that map",
    )
    model: str = Field(
        "",
        description="folder of a depth model (DPT, MiDaS, Depth Anything, ZoeDepth); mesh: none",
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
        0.05, gt=0.0, description="mean distance to the source's landmarks, eye distances"
    )
    max_region_error: float = Field(
        0.06, gt=0.0, description="likewise in eyes, brows and mouth, each on its own"
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


class Merge(Block):
    """The pictures for training, and who is held out when."""

    image_size: int = Field(64, ge=32, le=1024, multiple_of=32, description="side, pixels")
    kept: float = Field(
        0.7, ge=0.3, le=1.0, description="middle of the crop that is used, share of its side"
    )
    folds: int | Literal["loso", "given"] = Field(
        4,
        description="number of subject-grouped folds; loso: one subject held out at a time; given: "
        "one fold, as the manifest's column split says",
    )
    validation_subjects: int = Field(
        2, ge=1, description="training subjects of each fold kept for model selection"
    )


class Train(Block):
    """The network and its training."""

    model: Literal["aacsfnet", "published"] = Field(
        "aacsfnet", description="published: the original with its faults, only to compare with"
    )
    backbone: str = Field("test_resnet", description="a timm network with feature maps")
    pretrained: Literal["bundled"] | Path | None = Field(
        "bundled",
        description="the backbone's weights: bundled (test_resnet), a safetensors file, or null",
    )
    statistics: Literal["training", "imagenet"] = Field(
        "training", description="pixel mean and deviation; imagenet suits pretrained weights"
    )
    feature_stride: int = Field(
        16, ge=2, le=32, description="pixels between positions of the backbone's last map"
    )
    branches: tuple[Literal["channel", "spatial"], ...] = Field(
        ("channel", "spatial"), min_length=1, description="sub-networks in use"
    )
    attention: tuple[Literal["channel", "spatial", "global"], ...] = Field(
        ("channel", "spatial", "global"), description="stages of the hybrid attention module in use"
    )
    context_width: int = Field(
        64, ge=32, le=2048, multiple_of=32, description="channels of the global context stage"
    )
    context_depth: int = Field(
        1, ge=1, le=24, description="transformer blocks of the global context stage"
    )
    scales: tuple[int, ...] = Field(
        (32, 16),
        min_length=1,
        max_length=2,
        description="patch sides of the spatial branch",
    )
    width: int = Field(64, ge=8, le=2048, description="channels of a patch token")
    depth: int = Field(1, ge=1, le=24, description="transformer blocks of each patch scale")
    heads: int = Field(2, ge=1, le=64, description="attention heads of each patch scale")
    fusion: Literal["attention", "concatenation", "gated"] = Field(
        "attention", description="how the branches are brought together"
    )
    fusion_width: int = Field(
        64, ge=8, le=1024, multiple_of=4, description="channels of a branch's token when fused"
    )
    branch_dropout: float = Field(
        0.5, ge=0.0, lt=1.0, description="share of pictures shown without the spatial branch"
    )
    dropout: float = Field(0.1, ge=0.0, lt=1.0, description="share of activations dropped")
    loss: Literal["mse", "smooth_l1", "concordance", "gaussian", "ordinal"] = Field(
        "smooth_l1",
        description="what training lessens; gaussian also predicts an uncertainty, ordinal levels",
    )
    levels: int = Field(16, ge=2, le=1000, description="steps of the ordinal loss's label")
    rarity: float = Field(
        0.0, ge=0.0, le=1.0, description="how much rare labels count in the loss; 1: all alike"
    )
    balance: tuple[Literal["levels", "subjects"], ...] = Field(
        (), description="what is shown evenly: rare levels more often, each subject as often"
    )
    epochs: int = Field(8, ge=1, description="passes over the training frames")
    batch: int = Field(16, ge=2, description="pictures a step")
    learning_rate: float = Field(5e-4, gt=0.0, description="peak rate of AdamW")
    warm_up: float = Field(0.1, ge=0.0, lt=1.0, description="share of steps the rate rises in")
    weight_decay: float = Field(0.05, ge=0.0, description="for weights; norms and biases have none")
    gradient_clip: float = Field(1.0, gt=0.0, description="longest gradient taken as it is")
    augmentation: float = Field(
        0.4, ge=0.0, le=2.0, description="how much pictures are varied; 0 is not at all"
    )
    layer_decay: float = Field(
        1.0, gt=0.0, le=1.0, description="rate of a backbone layer, share of the layer's after it"
    )
    ema: float = Field(
        0.0, ge=0.0, lt=1.0, description="decay a step of the averaged weights; 0: no averaging"
    )
    synthetic: bool = Field(True, description="add the accepted generated pictures")
    synthetic_share: float | None = Field(
        None, gt=0.0, lt=1.0, description="share of generated pictures shown; null: as many as are"
    )
    synthetic_weight: float = Field(
        1.0, gt=0.0, le=1.0, description="weight of a generated picture in the loss; a real one: 1"
    )
    pretraining_epochs: int = Field(
        0, ge=0, description="first epochs on generated pictures alone, then real ones; 0: mixed"
    )
    select_by: Literal["mae", "rmse", "pcc", "ccc"] = Field(
        "ccc", description="measure on the validation subjects that chooses the epoch"
    )
    patience: int = Field(0, ge=0, description="epochs without a better one, then end; 0: never")
    state_every: int = Field(200, ge=1, description="steps between states kept for taking up again")

    @model_validator(mode="after")
    def _fits_together(self) -> "Train":
        if self.pretraining_epochs >= self.epochs:
            raise ValueError(
                f"pretraining_epochs {self.pretraining_epochs} must be below epochs {self.epochs}"
            )
        if self.model == "published" and self.loss in ("gaussian", "ordinal"):
            raise ValueError(f"loss {self.loss}: the published model has no head for it")
        return self


class Evaluate(Block):
    """Figures on held-out subjects."""

    bootstrap: int = Field(2000, ge=100, description="resamples of subjects for an interval")
    confidence: float = Field(0.95, gt=0.5, lt=1.0, description="coverage of the intervals")


class Report(Block):
    """The page that shows it all."""

    title: str = Field("Pain assessment from faces", description="heading of the page")
    examples: int = Field(12, ge=1, le=200, description="pictures shown of each kind")
    subject_names: bool = Field(
        False, description="show the subjects' names; otherwise they are numbered S1, S2, ..."
    )


#: Blocks that an experiment may override: the stages whose results it can have of its own.
OVERRIDABLE = ("crop", "landmarks", "depth", "prompts", "generate", "quality", "merge", "train")


class Config(Block):
    """Everything that decides what is computed."""

    dataset: DatasetName = Field("demo", description="where the frames come from")
    results: Path = Field(Path("results"), description="folder for all results")
    seed: int = Field(1, ge=0, description="seed of the run")
    index: Index = Index()
    crop: Crop = Crop()
    landmarks: Landmarks = Landmarks()
    depth: Depth = Depth()
    prompts: Prompts = Prompts()
    generate: Generate = Generate()
    quality: Quality = Quality()
    merge: Merge = Merge()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    report: Report = Report()
    training_seeds: tuple[int, ...] = Field(
        (1,), min_length=1, description="each experiment is trained once with each"
    )
    experiments: dict[str, dict[str, dict[str, Any]]] = Field(
        {"full": {}, "no-generation": {"train": {"synthetic": False}}},
        min_length=1,
        description="name: {stage: {key: value}} that differs from above",
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_experiments_set_to_null(cls, settings: Any) -> Any:
        # A user's file is laid over config.yaml key by key: null takes an experiment away again.
        if isinstance(settings, dict) and isinstance(settings.get("experiments"), dict):
            kept = {
                name: keys for name, keys in settings["experiments"].items() if keys is not None
            }
            return settings | {"experiments": kept}
        return settings

    @model_validator(mode="after")
    def _experiments_are_valid(self) -> "Config":
        for name in self.experiments:
            if not name.replace("-", "").replace("_", "").isalnum():
                raise ValueError(f"experiment name {name!r} may hold letters, digits, - and _ only")
            self.for_experiment(name)
        if len(set(self.training_seeds)) != len(self.training_seeds):
            raise ValueError(f"training_seeds {self.training_seeds} must differ from each other")
        return self

    def for_experiment(self, name: str) -> "Config":
        """Return the settings with one experiment's overrides applied.

        Raises:
            SettingsError: unknown experiment, or an override that is not possible.
        """
        if name not in self.experiments:
            raise SettingsError(f"no experiment {name!r}; config has {', '.join(self.experiments)}")
        if not self.experiments[name]:
            return self
        merged = self.model_dump(mode="json")
        merged["experiments"] = {name: {}}
        for stage, keys in self.experiments[name].items():
            if stage not in OVERRIDABLE:
                possible = ", ".join(OVERRIDABLE)
                raise ValueError(f"experiments.{name}.{stage}: expected one of {possible}")
            merged[stage] |= keys
        try:
            return Config.model_validate(merged)
        except ValidationError as error:
            raise ValueError(f"experiments.{name}: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """Return one line for a validation error: key, value, expectation; '; ' between several."""
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(item["loc"][-1]), _keys_beside(item["loc"]), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            lines.append(f"{key}: unknown key{hint}")
        elif item["type"] == "value_error":
            lines.append(f"{key}: {item['ctx']['error']}" if key else str(item["ctx"]["error"]))
        else:
            expected = item["msg"].replace("Input should be", "expected")
            lines.append(f"{key} = {item['input']!r}: {expected}")
    return "; ".join(lines)


def _keys_beside(location: tuple[int | str, ...]) -> list[str]:
    block: type[BaseModel] = Config
    for part in location[:-1]:
        field = block.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type):
            return []
        if not issubclass(field.annotation, BaseModel):
            return []
        block = field.annotation
    return list(block.model_fields)


def validate(settings: Any, source: str = "config") -> Config:
    """Return checked settings.

    Raises:
        SettingsError: with one line that names every wrong key.
    """
    if not isinstance(settings, dict):
        raise SettingsError(f"{source}: expected keys and values, got {type(settings).__name__}")
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        raise SettingsError(f"{source}: {explain(error)}") from None


def load(config: str | Path) -> Config:
    """Return the settings in a YAML file, or in JSON text (anything that starts with '{').

    Raises:
        SettingsError: the file is missing, is no YAML, or holds a wrong key or value.
    """
    text = str(config)
    if text.lstrip().startswith("{"):
        try:
            return validate(json.loads(text), "config")
        except json.JSONDecodeError as error:
            raise SettingsError(f"--config: not JSON: {error}") from None
    path = Path(config)
    if not path.is_file():
        raise SettingsError(f"{path}: no such file; give --config a YAML file or JSON text")
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    return validate(settings if settings is not None else {}, str(path))
