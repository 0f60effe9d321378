"""The stage `train`: one fold, one seed, one network."""

import logging
import platform
import shutil
import subprocess
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import polars as pl
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

import aacsfnet
from aacsfnet import table
from aacsfnet.config import Config, Train
from aacsfnet.datasets import Label, open_dataset
from aacsfnet.devices import lease
from aacsfnet.errors import DataError
from aacsfnet.models import Network, create_model, save_model
from aacsfnet.seeds import seed_of
from aacsfnet.training.data import Batches, Pictures, open_images, pixel_statistics, to_float
from aacsfnet.training.losses import LOSSES
from aacsfnet.training.module import MEASURES, Recipe, Training
from aacsfnet.training.selection import Selection, select, shares
from aacsfnet.training.state import AtomicCheckpoints, StateKeeper, state_folder

log = logging.getLogger("aacsfnet.training")


@dataclass(frozen=True)
class Material:
    """The merged data as one fold uses it."""

    images: np.ndarray  # (N, S, S, 3) uint8, mapped
    chosen: Selection


def train(config: Config, merge: Path, fold: int, seed: int, output: Path) -> None:
    """Train on a fold's training subjects, choose on its validation subjects, predict its others.

    Writes `model.safetensors`, `config.json`, `history.csv` and `predictions.parquet`. A run that
    was killed goes on from the last state kept, and ends with the same weights.

    Args:
        config: blocks `dataset`, `index` and `train`.
        merge: the folder that the stage `merge` wrote.
        fold: which fold of `splits.parquet`.
        seed: of the weights, the order and the augmentation.
        output: folder to write into.

    Raises:
        DataError: the merged data is missing or does not fit together.
        LeakError: a held-out subject would reach training.
        SettingsError: the network cannot be built with these settings.
        WorkError: the loss is no number, or the fold has nothing to train on.
    """
    _speak()
    started = time.monotonic()
    settings = config.train
    label = open_dataset(config).label
    material = _material(merge, fold, settings)
    state = state_folder(
        output,
        [merge / "index.parquet", merge / "splits.parquet"],
        {"train": settings.model_dump(mode="json"), "fold": fold, "seed": seed}
        | {"version": aacsfnet.__version__, "torch": torch.__version__},
    )
    run_seed = seed_of("train", seed, fold)
    model = _network(settings, material, run_seed)
    log.info(
        "fold %d, seed %d: %s; %d parameters",
        fold,
        seed,
        ", ".join(
            f"{len(rows)} pictures for {role}" for role, rows in vars(material.chosen).items()
        ),
        sum(each.numel() for each in model.parameters()),
    )
    with lease() as device:
        trained = _fit(model, settings, material, run_seed, state, device)
        predictions = _predictions(model.to(device), material, settings.batch, fold, seed)
    about = _about(label, settings, material, fold, seed) | {
        "seconds": round(time.monotonic() - started, 2),
        "peak_memory_mb": _peak_memory_mb(),
        "epochs_run": len(trained.history),
    }
    with table.replacing(output / "history.csv") as temporary:
        pl.DataFrame(trained.history).write_csv(temporary)
    with table.replacing(output / "predictions.parquet") as temporary:
        predictions.write_parquet(temporary)
    save_model(model, output, about)
    shutil.rmtree(state.parent)


def _speak() -> None:
    """Send this package's lines to the job's log, and Lightning's only when they warn."""
    if not log.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _material(merge: Path, fold: int, settings: Train) -> Material:
    """Read the merged data and choose the fold's rows."""
    index = table.read(merge / "index.parquet")
    splits = table.read(merge / "splits.parquet")
    chosen = select(index, splits, fold, settings.synthetic)
    images = open_images(merge / "images.npy")
    if len(images) != index["row"].count():
        raise DataError(
            f"{merge}: images.npy holds {len(images)} pictures, index.parquet"
            f" {index['row'].count()}; run merge again"
        )
    return Material(images, chosen)


def _network(settings: Train, material: Material, seed: int) -> Network:
    """Return the network, its statistics set from the training subjects."""
    torch.manual_seed(seed)
    side = material.images.shape[1]
    model = create_model(
        "aacsfnet",
        backbone=settings.backbone,
        pretrained=str(settings.pretrained) if settings.pretrained else False,
        image_size=side,
        **settings.model_dump(include=set(_NETWORK_KEYS)),
    )
    rows = material.chosen.train
    real = rows.filter(~pl.col("synthetic"))
    labels = (real if len(real) else rows)["label"].to_numpy()
    model.label_mean.fill_(float(labels.mean()))
    model.label_deviation.fill_(max(float(labels.std()), 1e-3))
    if settings.statistics == "training":
        pixels = pixel_statistics(material.images, rows["row"].to_numpy())
        model.pixel_mean.copy_(torch.from_numpy(pixels["mean"]).view(3, 1, 1))
        model.pixel_deviation.copy_(torch.from_numpy(pixels["deviation"]).view(3, 1, 1))
    return model


_NETWORK_KEYS = (
    "branches",
    "attention",
    "feature_stride",
    "context_width",
    "context_depth",
    "scales",
    "width",
    "depth",
    "heads",
    "fusion",
    "fusion_width",
    "dropout",
)


def _fit(
    model: Network,
    settings: Train,
    material: Material,
    seed: int,
    state: Path,
    device: torch.device,
) -> Training:
    """Train the network in place; leave it with the best epoch's weights, in evaluation mode."""
    chosen = material.chosen
    batches = Batches(
        material.images,
        chosen.train["row"].to_numpy(),
        chosen.train["label"].to_numpy(),
        batch=settings.batch,
        seed=seed,
    )
    steps = settings.epochs * len(batches)
    recipe = Recipe(
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        steps=steps,
        warm_up=round(settings.warm_up * steps),
        augmentation=settings.augmentation,
        seed=seed,
        trouble=state.parent / "not_finite.safetensors",
    )
    training = Training(model, LOSSES[settings.loss], recipe, batches)
    measure = f"validation_{settings.select_by}"
    mode = "max" if MEASURES[settings.select_by][1] else "min"
    validation = chosen.validation
    watched: list[lightning.Callback] = []
    if len(validation):
        best = ModelCheckpoint(
            state, "best", monitor=measure, mode=mode, enable_version_counter=False
        )
        watched = [best]
        if settings.patience:
            watched.append(
                EarlyStopping(measure, patience=settings.patience, mode=mode, check_finite=False)
            )
    trainer = lightning.Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=[device.index] if device.type == "cuda" else 1,
        precision="bf16-mixed" if device.type == "cuda" else "32-true",
        max_epochs=settings.epochs,
        gradient_clip_val=settings.gradient_clip,
        callbacks=[*watched, StateKeeper(state / "last.ckpt", settings.state_every)],
        plugins=[AtomicCheckpoints()],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=state,
    )
    last = state / "last.ckpt"
    if last.exists():
        log.info("taking up the run kept in %s", last)
    with warnings.catch_warnings():
        # The loaders fetch by themselves, so they have no workers to count.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*have no `val_dataloader`.*")
        warnings.filterwarnings("ignore", ".*treespec, LeafSpec.*")
        warnings.filterwarnings("ignore", ".*Checkpoint directory.*exists and is not empty.*")
        trainer.fit(
            training,
            batches,
            _pictures(material, validation, settings.batch) if len(validation) else None,
            ckpt_path=last if last.exists() else None,
            weights_only=True,
        )
    if len(validation):
        kept = torch.load(state / "best.ckpt", map_location="cpu", weights_only=True)
        training.load_state_dict(kept["state_dict"])
    model.eval()
    return training


def _pictures(material: Material, rows: pl.DataFrame, batch: int) -> Pictures:
    return Pictures(material.images, rows["row"].to_numpy(), rows["label"].to_numpy(), batch)


@torch.inference_mode()
def _predictions(
    model: Network, material: Material, batch: int, fold: int, seed: int
) -> pl.DataFrame:
    """Return the scores of the held-out subjects' pictures, not clipped."""
    test = material.chosen.test
    device = model.label_mean.device
    scores = [
        model(to_float(each["pictures"].to(device))).float().cpu().numpy()
        for each in _pictures(material, test, batch)
    ]
    real = material.chosen.train.filter(~pl.col("synthetic"))["label"]
    return test.select("image_id", "frame_id", "subject", "sequence", "label").with_columns(
        pl.Series("prediction", np.concatenate([*scores, np.empty(0)]), dtype=pl.Float64),
        pl.lit(real.mean(), pl.Float64).alias("mean_label"),
        pl.lit(fold, pl.Int64).alias("fold"),
        pl.lit(seed, pl.Int64).alias("seed"),
    )


def _about(
    label: Label, settings: Train, material: Material, fold: int, seed: int
) -> dict[str, Any]:
    """Return what `config.json` says beside the network's own settings."""
    packages = ("torch", "timm", "lightning", "numpy")
    return {
        "label": asdict(label),
        "training": settings.model_dump(mode="json")
        | {"fold": fold, "seed": seed}
        | {role: shares(rows) for role, rows in vars(material.chosen).items()},
        "environment": {
            "aacsfnet": aacsfnet.__version__,
            "commit": _commit(),
            "python": platform.python_version(),
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        }
        | {name: version(name) for name in packages},
    }


def _commit() -> str | None:
    """Return the commit of the code's checkout; none for an installed package."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return None
    return found.stdout.strip() or None


def _peak_memory_mb() -> dict[str, int]:
    import resource

    peak = {"host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    if torch.cuda.is_available():
        peak["device"] = torch.cuda.max_memory_allocated() >> 20
    return peak
