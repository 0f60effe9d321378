"""Pretraining: all parts of a network learn what faces look like, before a label is used.

What is learned is what the landmarks stage finds on each picture: the facial measures and how the
head is turned. Each branch's maps and vector, the vectors side by side and the fused features have
a head of their own, linear and thrown away, so every part is asked to know the face alone and
together. A backbone that starts from trained weights then no longer stands beside parts that are
noise.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor, nn

from aacsfnet.config import Train
from aacsfnet.errors import WorkError
from aacsfnet.models.network import AACSFNet
from aacsfnet.seeds import seed_of
from aacsfnet.training.augment import draw, flipped, varied
from aacsfnet.training.data import Batch, Batches
from aacsfnet.training.geometry import geometry_loss, mirrored
from aacsfnet.training.material import Material
from aacsfnet.training.optimiser import optimiser_of
from aacsfnet.training.state import StateKeeper
from aacsfnet.training.trainer import trainer_of

log = logging.getLogger(__name__)

#: The error from which on a guess counts by its size, not its square, in deviations.
_BETA = 0.5


class Geometry(nn.Module):
    """A network with a linear head on each of its stations.

    Args:
        network: whose parts shall learn.
        targets: how many values are told of each picture.
        side: of the pictures, pixels; heads on maps are tied to it.
    """

    def __init__(self, network: AACSFNet, targets: int, side: int) -> None:
        super().__init__()
        self.network = network.eval()
        with torch.no_grad():
            stations = self.stations(torch.zeros(2, 3, side, side))
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.LayerNorm(each.shape[1]), nn.Linear(each.shape[1], targets))
                for name, each in stations.items()
            }
        )
        self.train()

    def stations(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return `(B, C)` of each station, of pictures `(B, 3, S, S)` in 0-1."""
        outputs = self.network.branch_outputs(pictures)
        vectors = {name: vector for name, (vector, *_) in outputs.items()}
        maps = {
            f"{name}_map_{place}": each.flatten(1)
            for name, (_, *found) in outputs.items()
            for place, each in enumerate(found)
        }
        beside = self.network.align(list(vectors.values())).flatten(1)
        fused = self.network.fused(outputs)
        return maps | vectors | {"side_by_side": beside, "fused": fused}

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return each station's guesses `(B, targets)`."""
        return {name: self.heads[name](each) for name, each in self.stations(pictures).items()}


def stations_loss(guesses: Mapping[str, Tensor], targets: Tensor) -> Tensor:
    """Return the sum of all stations' losses; targets `(B, targets)`, NaN where unknown."""
    return torch.stack([geometry_loss(each, targets, _BETA) for each in guesses.values()]).sum()


class Pretraining(lightning.LightningModule):
    """A network in pretraining; as in training, a step depends on the seed and its number alone.

    Args:
        geometry: the network with its heads.
        settings: the block `train`.
        batches: one epoch of all steps, with targets as `measures`.
        seed: of augmentation and dropout.
    """

    def __init__(self, geometry: Geometry, settings: Train, batches: Batches, seed: int) -> None:
        super().__init__()
        self.geometry = geometry
        self.settings = settings
        self.batches = batches
        self.seed = seed

    def configure_optimizers(self) -> Any:
        """Return the optimiser and its schedule for Lightning: those of training."""
        given, steps = self.settings, len(self.batches)
        optimiser, schedule = optimiser_of(
            self,
            given.learning_rate,
            given.weight_decay,
            steps,
            round(given.warm_up * steps),
            given.layer_decay,
        )
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        step = self.global_step
        seed = seed_of(self.seed, "step", step)
        torch.manual_seed(seed)
        amount = self.settings.augmentation
        draws = draw(len(batch["rows"]), torch.Generator().manual_seed(seed))
        guesses = self.geometry(varied(batch["pictures"], amount, draws))
        turned = flipped(amount, draws).to(self.device)
        loss = stations_loss(guesses, mirrored(batch["measures"], turned))
        if step % max(1, len(self.batches) // 10) == 0:
            shown = float(loss.detach())
            log.info("pretraining  step %d of %d  loss %.4g", step, len(self.batches), shown)
        return loss

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the position in the data."""
        self.batches.load_state_dict({"step": checkpoint["global_step"]})


def pretrain(
    model: AACSFNet,
    settings: Train,
    material: Material,
    *,
    seed: int,
    state: Path,
    device: torch.device,
) -> None:
    """Train all parts but the head in place on the training pictures' geometry.

    Those pictures are of the fold's training subjects and pools: real ones, with a label or
    without, and those generated ones that training takes. Labels are not read.

    Args:
        model: with its statistics set.
        settings: the block `train`.
        material: the fold's data.
        seed: of the heads, the order, augmentation and dropout.
        state: folder of the run's checkpoints, from which it resumes.
        device: where to compute.

    Raises:
        WorkError: no geometry is known of any training picture, or the loss is NaN or infinite.
    """
    rows, targets = material.training_geometry()
    seed = seed_of(seed, "pretraining")
    torch.manual_seed(seed)
    geometry = Geometry(model, targets.shape[1], material.images.shape[1])
    geometry.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = settings.geometry_pretraining_steps
    batches = Batches(
        material.images,
        rows,
        np.zeros(len(rows)),
        batch=settings.batch,
        seed=seed,
        epoch_steps=steps,
        measures=targets,
    )
    log.info("pretraining on the geometry of %d pictures, without labels", len(rows))
    kept = state / "pretraining.ckpt"
    keeper = StateKeeper(kept, settings.state_every)
    with trainer_of(device, 1, settings.gradient_clip, state, [keeper]) as trainer:
        trainer.fit(
            Pretraining(geometry, settings, batches, seed),
            batches,
            ckpt_path=kept if kept.exists() else None,
            weights_only=True,
        )
    if not all(each.isfinite().all() for each in model.parameters()):
        raise WorkError(
            "train.geometry_pretraining_steps: the loss is NaN or infinite; lower"
            " train.learning_rate"
        )
