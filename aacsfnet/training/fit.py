"""The training run: Lightning's loop with what is special here."""

import logging
from pathlib import Path

import lightning.pytorch as lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger

from aacsfnet.config import Train
from aacsfnet.models import Network
from aacsfnet.models.network import AACSFNet
from aacsfnet.training.losses import LOSSES
from aacsfnet.training.material import Material, pictures_of, training_batches
from aacsfnet.training.module import MEASURES, Hyperparameters, Training
from aacsfnet.training.pretraining import pretrain
from aacsfnet.training.state import StateKeeper
from aacsfnet.training.trainer import trainer_of

log = logging.getLogger(__name__)


def fit(
    model: Network,
    settings: Train,
    material: Material,
    *,
    seed: int,
    state: Path,
    events: Path,
    device: torch.device,
) -> Training:
    """Train the network in place; leave it with the best epoch's weights, in evaluation mode.

    Pretraining comes first, where the settings ask for it.

    Args:
        model: with its statistics set.
        settings: the block `train`.
        material: the fold's data.
        seed: of order, augmentation and dropout.
        state: folder of the run's checkpoints, from which it resumes.
        events: folder for TensorBoard.
        device: where to compute.

    Raises:
        WorkError: the loss is NaN or infinite.
    """
    # Convolutions run a third faster on both kinds of device with channels last.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = training_batches(settings, material, seed)
    steps = settings.epochs * len(batches)
    hyperparameters = Hyperparameters(
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        layer_decay=settings.layer_decay,
        steps=steps,
        warm_up=round(settings.warm_up * steps),
        augmentation=settings.augmentation,
        geometry_weight=settings.geometry_weight,
        seed=seed,
        trouble=state.parent / "not_finite.safetensors",
    )
    training = Training(model, LOSSES[settings.loss][0], hyperparameters, batches)
    validation = material.chosen.validation
    last = state / "last.ckpt"
    epochs_kept = 0
    if last.exists():
        log.info("resuming from %s", last)
        epochs_kept = len(torch.load(last, mmap=True, weights_only=True)["history"])
    elif settings.geometry_pretraining_steps and isinstance(model, AACSFNet):
        pretrain(model, settings, material, seed=seed, state=state, device=device)
    # A resumed run overwrites what came after its checkpoint.
    logger = TensorBoardLogger(events.parent, "", events.name, purge_step=epochs_kept + 1)
    callbacks = _callbacks(settings, state, bool(len(validation)))
    with trainer_of(
        device, settings.epochs, settings.gradient_clip, state, callbacks, logger
    ) as trainer:
        trainer.fit(
            training,
            batches,
            pictures_of(material, validation, settings) if len(validation) else None,
            ckpt_path=last if last.exists() else None,
            weights_only=True,
        )
    if len(validation):
        kept = torch.load(state / "best.ckpt", map_location="cpu", weights_only=True)
        training.load_state_dict(kept["state_dict"])
    model.eval()
    return training


def _callbacks(settings: Train, state: Path, validates: bool) -> list[lightning.Callback]:
    callbacks: list[lightning.Callback] = [
        StateKeeper(state / "last.ckpt", settings.state_every),
    ]
    if settings.ema:
        # From the first step on; the decay's reach must be well below the steps of the run.
        callbacks.append(EMAWeightAveraging(decay=settings.ema))
    if not validates:
        return callbacks
    measure = f"validation_{settings.select_by}"
    mode = "max" if MEASURES[settings.select_by][1] else "min"
    callbacks.append(
        ModelCheckpoint(state, "best", monitor=measure, mode=mode, enable_version_counter=False)
    )
    if settings.patience:
        callbacks.append(
            EarlyStopping(measure, patience=settings.patience, mode=mode, check_finite=False)
        )
    return callbacks
