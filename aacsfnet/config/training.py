"""The blocks `merge` and `train`."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from aacsfnet.config.block import Block
from aacsfnet.config.network import DEMO_NETWORK, NetworkSettings


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
    network: NetworkSettings = DEMO_NETWORK
    pretrained: Literal["bundled"] | Path | None = Field(
        "bundled",
        description="the backbone's weights: bundled (test_resnet), a safetensors file, or null",
    )
    statistics: Literal["training", "imagenet"] = Field(
        "training", description="pixel mean and deviation; imagenet suits pretrained weights"
    )
    loss: Literal["mse", "smooth_l1", "concordance", "gaussian", "ordinal"] = Field(
        "smooth_l1",
        description="what training lessens; gaussian also predicts an uncertainty, ordinal levels",
    )
    levels: int = Field(16, ge=2, le=1000, description="steps of the ordinal loss's label")
    rarity: float = Field(
        0.0, ge=0.0, le=1.0, description="how much rare labels count in the loss; 1: all alike"
    )
    geometry_weight: float = Field(
        0.0,
        ge=0.0,
        description="weight of a second loss: facial measures found on each picture; 0: none",
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

    @field_validator("network", mode="before")
    @classmethod
    def _laid_over_the_demo_network(cls, given: Any) -> Any:
        # The class's own defaults are of full size: a file that names one key must not get those.
        return DEMO_NETWORK.model_dump() | given if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _fits_together(self) -> "Train":
        if self.pretraining_epochs >= self.epochs:
            raise ValueError(
                f"pretraining_epochs {self.pretraining_epochs} must be below epochs {self.epochs}"
            )
        if self.model == "published" and self.loss in ("gaussian", "ordinal"):
            raise ValueError(f"loss {self.loss}: the published model has no head for it")
        return self
