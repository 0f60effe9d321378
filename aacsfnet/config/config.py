"""All settings together, and what an experiment overrides."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator

from aacsfnet.config.augmentation import Depth, Generate, Prompts, Quality
from aacsfnet.config.block import Block
from aacsfnet.config.data import DatasetName, Index
from aacsfnet.config.evaluation import Evaluate, Report
from aacsfnet.config.explain import explain
from aacsfnet.config.faces import Crop, Landmarks
from aacsfnet.config.layers import laid_over
from aacsfnet.config.training import Merge, Train
from aacsfnet.errors import SettingsError

#: Blocks that an experiment may override: the stages whose results it can have of its own.
OVERRIDABLE = ("crop", "landmarks", "depth", "prompts", "generate", "quality", "merge", "train")


#: The experiments of a run that names none.
EXPERIMENTS: dict[str, dict[str, dict[str, Any]]] = {
    "full": {},
    "no-generation": {"train": {"synthetic": False}},
}


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
        (1,), min_length=1, description="training seeds; each experiment is trained once per seed"
    )
    experiments: dict[str, dict[str, dict[str, Any]]] = Field(
        EXPERIMENTS,
        min_length=1,
        description="name: {stage: {key: value}} that differs from above",
    )

    @field_validator("results")
    @classmethod
    def _is_no_pattern(cls, results: Path) -> Path:
        if found := [sign for sign in "{}" if sign in str(results)]:
            raise ValueError(
                f"{str(results)!r} holds {found[0]!r}, a wildcard to the workflow; name the"
                " folder without it"
            )
        return results

    @model_validator(mode="before")
    @classmethod
    def _drop_experiments_set_to_null(cls, settings: Any) -> Any:
        # A user's file is laid over config.yaml key by key: null takes an experiment away again.
        if isinstance(settings, dict) and isinstance(given := settings.get("experiments"), dict):
            kept = {name: keys for name, keys in given.items() if keys is not None}
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
            merged[stage] = laid_over(merged[stage], keys)
        try:
            return Config.model_validate(merged)
        except ValidationError as error:
            raise ValueError(f"experiments.{name}: {explain(error, Config)}") from error
