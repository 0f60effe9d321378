"""The checkpoints from which a killed training run resumes: where they are, how they are written.

The folder is declared to nobody, so Snakemake, which deletes a failed job's outputs, leaves it. Its
name is a hash of all that decides the result: with other settings or data no old checkpoint is met.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from aacsfnet.errors import DataError
from aacsfnet.files import replacing
from aacsfnet.layout import training_state


def state_folder(output: Path, inputs: Sequence[Path], settings: Mapping[str, Any]) -> Path:
    """Return the folder for the checkpoints of the run that would write `output`.

    Raises:
        DataError: an input is not there.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for path in inputs:
        if not path.is_file():
            raise DataError(f"{path}: no such file, which training reads")
    for path in inputs:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return training_state(output) / digest.hexdigest()[:16]


class AtomicCheckpoints(TorchCheckpointIO):
    """Lightning's way of writing checkpoints, but a kill never leaves half a file."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write beside the path, then rename; Lightning's own way leads through `/tmp`."""
        with replacing(Path(path)) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)


class StateKeeper(Checkpoint):
    """Save a checkpoint every few steps within an epoch, and after each epoch's validation.

    Not at an epoch's last step: what validation adds there belongs to the same checkpoint. As a
    kind of Lightning's `Checkpoint` it is called after everything else.
    """

    def __init__(self, path: Path, every: int) -> None:
        self._path = path
        self._every = every

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Save every so many steps."""
        if trainer.global_step % self._every == 0 and not trainer.is_last_batch:
            trainer.save_checkpoint(self._path)

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Save after the epoch's validation."""
        trainer.save_checkpoint(self._path)
