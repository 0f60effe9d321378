"""The blocks `merge` and `train`."""

from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from aacsfnet.config.block import Block
from aacsfnet.config.kinds import Kind
from aacsfnet.config.network import DEMO_NETWORK, NetworkSettings


class Merge(Block):
    """The pictures for training, and who is held out when."""

    image_size: int = Field(
        64, ge=32, le=1024, multiple_of=32, description="input size of the network, pixels"
    )
    kept: float = Field(
        0.7, ge=0.3, le=1.0, description="centre crop of the face crop, share of its side"
    )
    folds: int | Literal["loso", "given"] = Field(
        4,
        description="number of subject-grouped folds; loso: leave one subject out; given: one "
        "fold, as the manifest's column split says",
    )
    validation_subjects: int = Field(
        2, ge=1, description="training subjects of each fold held back for model selection"
    )


class Train(Block):
    """The network and its training."""

    model: Literal["aacsfnet", "published"] = Field(
        "aacsfnet", description="published: the original with its faults, only to compare with"
    )
    network: NetworkSettings = DEMO_NETWORK
    pretrained: Literal["bundled", "bundled_network", "package"] | Path | None = Field(
        "bundled_network",
        description="weights at the start: bundled_network (of all parts that fit), bundled "
        "(backbone test_resnet alone), package (ImageNet's, of backbone tf_efficientnet_lite0), "
        "a safetensors file of the backbone's, or null",
    )
    statistics: Literal["training", "imagenet"] = Field(
        "training",
        description="pixel mean and standard deviation; imagenet: those of the backbone's "
        "pretrained weights",
    )
    loss: Literal["mse", "smooth_l1", "concordance", "gaussian", "ordinal"] = Field(
        "smooth_l1",
        description="training loss; gaussian also predicts a variance, ordinal cumulative levels",
    )
    levels: int = Field(16, ge=2, le=1000, description="levels of the ordinal loss")
    rarity: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="loss re-weighting of rare labels: power of the inverse label density",
    )
    geometry_weight: float = Field(
        0.0,
        ge=0.0,
        description="weight of a second loss: facial measures found on each picture; 0: none",
    )
    geometry_pretraining_steps: int = Field(
        0,
        ge=0,
        description="steps, before any label is used, on facial measures and pose; 0: none",
    )
    balance: tuple[Literal["levels", "subjects"], ...] = Field(
        (), description="balanced sampling over label levels, subjects or both; [] is none"
    )
    epochs: int = Field(6, ge=1, description="training epochs")
    epoch_steps: int | None = Field(
        None,
        ge=1,
        description="optimiser steps of an epoch; null: as many as show every picture once",
    )
    batch: int = Field(16, ge=2, description="batch size")
    learning_rate: float = Field(5e-4, gt=0.0, description="peak learning rate of AdamW")
    warm_up: float = Field(0.1, ge=0.0, lt=1.0, description="learning-rate warm-up, share of steps")
    weight_decay: float = Field(0.05, ge=0.0, description="of AdamW; norms and biases have none")
    gradient_clip: float = Field(1.0, gt=0.0, description="maximum gradient norm")
    augmentation: float = Field(
        0.4, ge=0.0, le=2.0, description="strength of data augmentation; 0: none"
    )
    layer_decay: float = Field(
        1.0, gt=0.0, le=1.0, description="layer-wise learning-rate decay of the backbone; 1: none"
    )
    ema: float = Field(
        0.0, ge=0.0, lt=1.0, description="EMA decay of the weights, per step; 0: no EMA"
    )
    synthetic: bool = Field(True, description="train on the accepted generated pictures too")
    kinds: tuple[Kind, ...] = Field(
        get_args(Kind), min_length=1, description="kinds of generated pictures in training"
    )
    synthetic_share: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="share of generated pictures in an epoch; null: as they are",
    )
    synthetic_weight: float = Field(
        1.0, gt=0.0, le=1.0, description="loss weight of a generated picture; a real one: 1"
    )
    pretraining_epochs: int = Field(
        0, ge=0, description="epochs of pretraining on generated pictures, then real ones; 0: mixed"
    )
    select_by: Literal["mae", "rmse", "pcc", "ccc"] = Field(
        "ccc", description="validation metric that selects the epoch"
    )
    patience: int = Field(0, ge=0, description="early-stopping patience, epochs; 0: never")
    state_every: int = Field(200, ge=1, description="steps between checkpoints to resume from")

    @field_validator("network", mode="before")
    @classmethod
    def _laid_over_the_demo_network(cls, given: Any) -> Any:
        # The class's own defaults are of full size: a file that names one key must not get those.
        return DEMO_NETWORK.model_dump() | given if isinstance(given, dict) else given

    def taken(self) -> tuple[Kind, ...]:
        """Return the kinds of generated pictures that training takes."""
        return self.kinds if self.synthetic else ()

    @model_validator(mode="after")
    def _fits_together(self) -> "Train":
        if self.pretraining_epochs >= self.epochs:
            raise ValueError(
                f"pretraining_epochs {self.pretraining_epochs} must be below epochs {self.epochs}"
            )
        if self.model == "published" and self.loss in ("gaussian", "ordinal"):
            raise ValueError(f"loss {self.loss}: the published model has no head for it")
        if self.model == "published" and self.network.context != "none":
            raise ValueError(
                f"network.context {self.network.context}: the published model sees one picture"
            )
        if self.model == "published" and self.geometry_pretraining_steps:
            raise ValueError(
                "geometry_pretraining_steps: the published model has none; give 0 with"
                " model: published"
            )
        return self
