"""Lightning's trainer as all runs here use it: one process, one device, checkpoints that last."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lightning.pytorch as lightning
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.loggers import Logger

from aacsfnet.training.about import precision
from aacsfnet.training.state import AtomicCheckpoints


@contextmanager
def trainer_of(
    device: torch.device,
    epochs: int,
    gradient_clip: float,
    state: Path,
    callbacks: Sequence[lightning.Callback],
    logger: Logger | None = None,
) -> Iterator[lightning.Trainer]:
    """Give a trainer; those of Lightning's messages that do not apply here are silenced.

    Args:
        device: where to compute.
        epochs: to train for.
        gradient_clip: maximum gradient norm.
        state: folder of the run's checkpoints.
        callbacks: among them the one that writes these.
        logger: of each epoch's line; None: none.
    """
    with _quiet():
        yield lightning.Trainer(
            accelerator="gpu" if device.type == "cuda" else device.type,
            devices=[device.index] if device.type == "cuda" else 1,
            precision=precision(device),  # type: ignore[arg-type]
            benchmark=device.type == "cuda",  # all batches have one size: choose kernels for it
            max_epochs=epochs,
            gradient_clip_val=gradient_clip,
            callbacks=list(callbacks),
            # One process on one device, whatever SLURM_* variables say of the job around it.
            plugins=[AtomicCheckpoints(), LightningEnvironment()],
            logger=logger or False,
            log_every_n_steps=1,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            default_root_dir=state,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # The loaders fetch by themselves, so they have no workers to count.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*have no `val_dataloader`.*")
        # A job of Slurm is one process, which needs no srun.
        warnings.filterwarnings("ignore", ".*`srun` command is available.*")
        warnings.filterwarnings("ignore", ".*treespec, LeafSpec.*")
        warnings.filterwarnings("ignore", ".*Checkpoint directory.*exists and is not empty.*")
        yield
