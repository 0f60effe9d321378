"""One training run as Lightning sees it: what a step does, and what is measured after an epoch."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from safetensors.torch import save_file
from torch import Tensor

from aacsfnet.errors import WorkError
from aacsfnet.evaluation import metrics
from aacsfnet.models.context import Context
from aacsfnet.models.network import Network
from aacsfnet.models.pictures import to_float
from aacsfnet.models.scoring import scored
from aacsfnet.seeds import seed_of
from aacsfnet.training.augment import draw, flipped, varied
from aacsfnet.training.data import Batch, Batches, context_in
from aacsfnet.training.geometry import geometry_head, geometry_loss, mirrored
from aacsfnet.training.losses import Loss
from aacsfnet.training.optimiser import optimiser_of

log = logging.getLogger(__name__)

#: Measures of the inner validation subjects, and whether more is better.
MEASURES: dict[str, tuple[Callable[..., float], bool]] = {
    "mae": (metrics.mae, False),
    "rmse": (metrics.rmse, False),
    "pcc": (metrics.pcc, True),
    "ccc": (metrics.ccc, True),
}


@dataclass(frozen=True)
class Hyperparameters:
    """The numbers that a step needs."""

    learning_rate: float
    weight_decay: float
    layer_decay: float
    steps: int  # of the whole run
    warm_up: int  # steps
    augmentation: float
    geometry_weight: float  # of the facial measures' loss; 0: none
    seed: int
    trouble: Path  # where a batch is saved whose loss is NaN or infinite


class Training(lightning.LightningModule):
    """A network in training.

    Nothing random is carried from one step to the next: each step's augmentation and dropout are
    seeded by the run's seed and the step, so a resumed run repeats itself exactly.
    """

    def __init__(
        self, model: Network, loss: Loss, hyperparameters: Hyperparameters, batches: Batches
    ) -> None:
        super().__init__()
        self.model = model
        self.batches = batches
        self.loss = loss
        self.hyperparameters = hyperparameters
        if hyperparameters.geometry_weight:
            self.geometry = geometry_head(model.feature_channels)
        self.history: list[dict[str, float]] = []
        self._losses: list[float] = []
        self._unseen: tuple[int, Batch, Tensor] | None = None
        self._earlier = 0.0  # seconds of this run before it was resumed
        self._started = time.monotonic()
        self._measured = {f"validation_{name}": math.nan for name in MEASURES}
        self._found: list[tuple[Tensor, Tensor]] = []

    def configure_optimizers(self) -> Any:
        """Return the optimiser and its schedule for Lightning."""
        given = self.hyperparameters
        optimiser, schedule = optimiser_of(
            self,
            given.learning_rate,
            given.weight_decay,
            given.steps,
            given.warm_up,
            given.layer_decay,
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch.

        Raises:
            WorkError: the loss is NaN or infinite; the batch is saved.
        """
        seed = seed_of(self.hyperparameters.seed, "step", self.global_step)
        torch.manual_seed(seed)
        amount = self.hyperparameters.augmentation
        draws = draw(len(batch["rows"]), torch.Generator().manual_seed(seed))
        pictures = varied(batch["pictures"], amount, draws)
        context = None
        if "context" in batch:
            # As from one camera: what augmentation does to a picture, it does to its context.
            same = draws.repeat_interleave(batch["known"].shape[1], dim=0)
            context = Context(varied(batch["context"], amount, same), batch["known"])
        weights = batch.get("weights", torch.ones_like(batch["labels"]))
        features = self.model.features_in(pictures, context)
        loss = self.loss(self.model, self.model.head(features), batch["labels"], weights)
        if "measures" in batch:
            measures = mirrored(batch["measures"], flipped(amount, draws).to(features.device))
            error = geometry_loss(self.geometry(features), measures)
            loss = loss + self.hyperparameters.geometry_weight * error
        if self.device.type != "cpu":
            # Reading a value waits for the device, so the step before is looked at: it is done.
            self._look()
        self._unseen = (self.global_step, batch, loss.detach())
        if self.device.type == "cpu":
            self._look()
        return loss

    def _look(self) -> None:
        """Record the loss that is still unread; stop where it is NaN or infinite."""
        if self._unseen is None:
            return
        step, batch, loss = self._unseen
        self._unseen = None
        value = float(loss)
        if not math.isfinite(value):
            self._stop(step, batch, value)
        self._losses.append(value)

    def _stop(self, step: int, batch: Batch, value: float) -> None:
        saved = self.hyperparameters.trouble
        saved.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: each.cpu().contiguous() for name, each in batch.items()}, saved)  # type: ignore[attr-defined]
        rows = batch["rows"].tolist()
        raise WorkError(
            f"step {step}: the loss is {value}; its batch (rows {rows[:4]}… of the"
            f" merged array) is saved in {saved}; lower train.learning_rate, or look at them"
        )

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep the scores of a batch of the validation subjects."""
        scores, _ = scored(self.model, to_float(batch["pictures"]), context_in(batch))
        self._found.append((scores.float().cpu(), batch["labels"].cpu()))

    def on_validation_epoch_end(self) -> None:
        """Measure the validation subjects."""
        scores = torch.cat([each for each, _ in self._found]).numpy()
        labels = torch.cat([each for _, each in self._found]).numpy()
        self._found.clear()
        for name, (measure, more_is_better) in MEASURES.items():
            value = measure(scores, labels)
            self._measured[f"validation_{name}"] = value
            # An undefined measure (constant scores) must lose against any defined one.
            worst = -math.inf if more_is_better else math.inf
            value = worst if math.isnan(value) else value
            self.log(f"validation_{name}", value, logger=False)  # the epoch's line holds it

    def on_train_epoch_end(self) -> None:
        """Write the epoch's line; validation comes before this."""
        self._look()
        line = {
            "epoch": self.current_epoch + 1,
            "step": self.global_step,
            "learning_rate": self.optimizers().param_groups[0]["lr"],  # type: ignore[union-attr]
            "train_loss": sum(self._losses) / len(self._losses),
        } | self._measured
        self._losses.clear()
        self.history.append(line)
        self.logger.log_metrics(line, self.current_epoch + 1)  # type: ignore[union-attr]
        self.logger.save()  # type: ignore[union-attr]
        log.info("  ".join(f"{name} {value:.4g}" for name, value in line.items()))

    def seconds(self) -> float:
        """Return how long this run has taken, all its parts together."""
        return self._earlier + time.monotonic() - self._started

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put into the checkpoint what a resumed run needs to write the same history."""
        checkpoint["history"] = self.history
        self._look()
        checkpoint["losses"] = self._losses
        checkpoint["seconds"] = self.seconds()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the history and the position in the data.

        Lightning restores loaders only where it restarts within an epoch.
        """
        self.batches.load_state_dict({"step": checkpoint["global_step"]})
        self.history = list(checkpoint["history"])
        self._losses = list(checkpoint["losses"])
        self._earlier = checkpoint["seconds"]
