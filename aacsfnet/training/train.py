"""The stage `train`: one fold, one seed, one network."""

import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

import aacsfnet
from aacsfnet import tables
from aacsfnet.cohort.splits import ROLES
from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.devices import lease
from aacsfnet.files import replacing
from aacsfnet.layout import Merged, Trained
from aacsfnet.made import Note, hash_in, made_from
from aacsfnet.models import save_model
from aacsfnet.models.folder import save_skipped
from aacsfnet.models.network import AACSFNet
from aacsfnet.seeds import seed_of
from aacsfnet.training.about import about
from aacsfnet.training.build import backbone_of, build
from aacsfnet.training.fit import fit
from aacsfnet.training.geometry import GEOMETRY
from aacsfnet.training.material import Material, read_material
from aacsfnet.training.predictions import IDENTITY, familiar, predict
from aacsfnet.training.state import state_folder

log = logging.getLogger("aacsfnet.training")


def train(config: Config, merge: Path, fold: int, seed: int, output: Path) -> None:
    """Train on a fold's training subjects, choose on its validation subjects, predict its others.

    Writes `model.safetensors`, `config.json`, `features.safetensors`, `history.csv`,
    `predictions.parquet` and TensorBoard events. A killed run resumes from its last checkpoint, and
    ends with the same weights. A fold whose held-out subjects have no usable picture is skipped:
    its files say so.

    Args:
        config: blocks `dataset`, `index`, `crop`, `landmarks` and `train`.
        merge: the folder that the stage `merge` wrote.
        fold: which fold of `splits.parquet`.
        seed: of the weights, the order and the augmentation.
        output: folder to write into.

    Raises:
        DataError: the merged data is missing or does not fit together.
        LeakError: a held-out subject would reach training.
        ModelFileError: the file of pretrained weights is not usable.
        SettingsError: the network cannot be built with these settings.
        WorkError: the loss is NaN or infinite, or the fold has nothing to train on.
    """
    _speak()
    settings = config.train
    merged = Merged(merge)
    note = made_from(config, "train", merge=hash_in(merged.index), fold=str(fold), seed=str(seed))
    material = read_material(merged, fold, settings.taken(), open_dataset(config).label)
    if not len(material.chosen.test):
        _skip(output, fold, seed, material, note)
        return
    state = state_folder(
        output,
        [merged.index, merged.splits]
        + ([settings.pretrained] if isinstance(settings.pretrained, Path) else []),
        {"train": settings.model_dump(mode="json"), "fold": fold, "seed": seed}
        | {"version": aacsfnet.__version__, "torch": torch.__version__},
    )
    run_seed = seed_of("train", seed, fold)
    model = build(settings, material, run_seed)
    counts = [f"{len(getattr(material.chosen, role))} for {role}" for role in ROLES]
    if len(material.chosen.unlabelled) and settings.geometry_pretraining_steps:
        counts.append(f"{len(material.chosen.unlabelled)} without a label for pretraining")
    parameters = sum(each.numel() for each in model.parameters())
    log.info("fold %d, seed %d: pictures %s", fold, seed, ", ".join(counts))
    log.info("%s with %.2f million parameters", model.name, parameters / 1e6)
    start = model.start if isinstance(model, AACSFNet) else None
    for kind, names in (start or {}).items():
        log.info("%s at the start: %s", kind, ", ".join(names) or "no part")
    backbone = backbone_of(model)
    origin = backbone.origin if backbone is not None else None
    if origin is not None:
        log.info("the backbone's weights at the start: %s %s", origin["package"], origin["version"])
    events = Trained(output).events
    with lease() as device:
        training = fit(
            model, settings, material, seed=run_seed, state=state, events=events, device=device
        )
        familiarity = familiar(model.to(device), material, settings)
        predictions = predict(
            model,
            material,
            familiarity,
            settings=settings,
            side=config.crop.size,
            fold=fold,
            seed=seed,
        )
    with replacing(Trained(output).history) as temporary:
        temporary.write_text(pl.DataFrame(training.history).write_csv(), encoding="utf-8")
    tables.write_rows(Trained(output).predictions, predictions)
    familiarity.save(Trained(output).features)
    run: dict[str, Any] = {
        "epochs_run": len(training.history),
        "seconds": round(training.seconds(), 2),
    }
    run |= {"parameters": parameters, "start": start, "weights_from": origin, "made_from": note}
    if settings.geometry_pretraining_steps:
        seen = material.training_geometry()[0]
        run["pretraining"] = {
            "steps": settings.geometry_pretraining_steps,
            "pictures": len(seen),
            "learned": GEOMETRY,
        }
        if len(material.chosen.unlabelled):
            count = int(np.isin(material.chosen.unlabelled["row"].to_numpy(), seen).sum())
            run["pretraining"]["unlabelled"] = count
    save_model(model, output, about(config, material, fold, seed, device) | run)
    shutil.rmtree(state.parent)


def _skip(output: Path, fold: int, seed: int, material: Material, note: Note) -> None:
    """Write what the workflow waits for where a fold has nobody to test, and train nothing."""
    reason = f"fold {fold}: none of its held-out subjects has a usable picture"
    log.warning("%s; nothing is trained", reason)
    with replacing(Trained(output).history) as temporary:
        temporary.write_text("epoch\n", encoding="utf-8")
    nothing = material.chosen.test.select(
        *IDENTITY,
        *(pl.lit(None, pl.Float64).alias(n) for n in ("prediction", "deviation", "mean_label")),
        pl.lit(fold, pl.Int64).alias("fold"),
        pl.lit(seed, pl.Int64).alias("seed"),
    )
    tables.write_rows(Trained(output).predictions, nothing)
    save_skipped(output, reason, made_from=note)


def _speak() -> None:
    """Send this package's lines to the job's log."""
    if not log.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
