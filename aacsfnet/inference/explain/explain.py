"""What a finished experiment's networks read, on people that each never saw: `aacsfnet explain`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch

from aacsfnet import tables
from aacsfnet.config import Config
from aacsfnet.devices import lease
from aacsfnet.errors import DataError, LeakError, ModelFileError, SettingsError
from aacsfnet.evaluation.results import Results
from aacsfnet.inference.explain.attribution import attributions
from aacsfnet.inference.explain.regions import MeanFace, regions_of
from aacsfnet.inference.explain.summary import models_of
from aacsfnet.layout import Layout, Trained
from aacsfnet.models.folder import is_skipped, load_model, read_description
from aacsfnet.models.pictures import resized, to_float
from aacsfnet.models.scoring import scored
from aacsfnet.seeds import seed_of

#: Side of the maps on the mean face, pixels.
SIDE = 96
_BATCH = 16


class Example(NamedTuple):
    """A frame as a network sees it.

    Attributes:
        row: of the predictions.
        picture: `(S, S, 3)` uint8 RGB.
        landmarks: `(478, 3)` in its pixels.
    """

    row: dict[str, Any]
    picture: np.ndarray
    landmarks: np.ndarray


def explain(
    config: Config,
    results: Path,
    experiment: str | None = None,
    *,
    frames: int = 2,
    device: str | None = None,
) -> Path:
    """Write a table of attributions, one row a frame, branch and seed; return its path.

    Each frame is explained by the network that held its subject out. The report shows the table
    as long as the networks are those that it was made of.

    Args:
        config: all settings.
        results: the data set's results.
        experiment: whose networks; None: the first experiment's.
        frames: of each held-out subject and level, at most.
        device: auto, cpu or a GPU; None: as `AACSFNET_DEVICE` says.

    Raises:
        SettingsError: there is no such experiment or device.
        DataError: a table of the run is missing.
        LeakError: a subject is not held out from the network that predicted it.
        ModelFileError: the network sees pictures in context.
    """
    layout = Layout(config, results)
    if experiment is not None and experiment not in layout.experiments:
        known = ", ".join(layout.experiments)
        raise SettingsError(f"experiment {experiment!r}: expected one of {known}")
    found = Results(layout, experiment)
    evaluated = layout.experiment(found.experiment)
    chosen = choose(tables.read(evaluated.predictions), frames)
    _check_held_out(chosen, tables.read(found.merged().splits))
    rows: list[dict[str, object]] = []
    with lease(wanted=device) as leased:
        runs = [
            (trained, _examples(found, chosen.filter(seed=seed, fold=fold), trained))
            for seed, fold in sorted(chosen.select("seed", "fold").unique().iter_rows())
            if not is_skipped((trained := layout.trained(found.experiment, seed, fold)).folder)
        ]
        _check_alone([trained for trained, _ in runs])
        shapes = [each.landmarks[:, :2] for _, examples in runs for each in examples]
        sides = [each.picture.shape[0] for _, examples in runs for each in examples]
        if not shapes:
            raise DataError(f"{evaluated.folder}: no predicted frame has landmarks; run them first")
        meshes = (np.stack(shapes) + 0.5) / np.array(sides)[:, None, None]
        face = MeanFace(meshes, SIDE)
        for trained, examples in runs:
            rows += _explained(trained, examples, face, leased)
    notes = {"models": models_of(layout, found.experiment), "face": face.landmarks.tolist()}
    tables.write(evaluated.explanation, tables.frame("explain", rows), "explain", notes)
    return evaluated.explanation


def choose(predictions: pl.DataFrame, frames: int) -> pl.DataFrame:
    """Return the rows of a few frames of each subject and level, the same for every seed.

    A hash of the frame's name decides, so the choice depends on the data alone.
    """
    places = {name: seed_of("explain", name) for name in predictions["frame_id"].unique()}
    level = pl.col("label").round(0)
    ordered = predictions.with_columns(
        place=pl.col("frame_id").replace_strict(places, return_dtype=pl.UInt64)
    )
    of_level = pl.col("place").rank("dense").over("subject", level)
    return ordered.filter(of_level <= frames).drop("place").sort("seed", "fold", "frame_id")


def _check_held_out(chosen: pl.DataFrame, splits: pl.DataFrame) -> None:
    tested = splits.filter(role="test").select("fold", "subject")
    cast = chosen.with_columns(pl.col("fold").cast(tested.schema["fold"]))
    leaked = cast.join(tested, on=["fold", "subject"], how="anti")
    if len(leaked):
        first = leaked.row(0, named=True)
        raise LeakError(
            f"subject {first['subject']!r} is not held out in fold {first['fold']}, which predicts "
            "it; train and evaluate again"
        )


def _check_alone(runs: list[Trained]) -> None:
    """Refuse networks that see more than the picture that is explained."""
    for trained in runs:
        kind = read_description(trained.folder)["settings"].get("context", "none")
        if kind != "none":
            raise ModelFileError(
                f"{trained.folder}: its network sees pictures in context ({kind}), which explain"
                " does not tell apart; give an experiment of network.context: none"
            )


def _examples(results: Results, rows: pl.DataFrame, trained: Trained) -> list[Example]:
    """Return a fold's frames at its network's size, with their landmarks; others are left out."""
    description = read_description(trained.folder)
    size, kept = description["settings"]["image_size"], description["kept"]
    keys = rows["frame_id"].to_list()
    crops = results.rows("crop", keys, ["image"])
    meshes = results.rows("landmarks", keys, ["landmarks_px"])
    found = []
    for row in rows.iter_rows(named=True):
        image = crops.get(row["frame_id"], {}).get("image")
        points = meshes.get(row["frame_id"], {}).get("landmarks_px")
        if image is None or points is None:
            continue
        crop = tables.decode_png(image)
        side = crop.shape[0]
        off = round(side * (1.0 - kept) / 2.0)  # as `resized` cuts
        scale = size / (side - 2 * off)
        landmarks = (np.asarray(points, np.float64) - off + 0.5) * scale - 0.5
        found.append(Example(row, resized(crop, size, kept), landmarks))
    return found


def _explained(
    trained: Trained, examples: list[Example], face: MeanFace, device: Any
) -> Iterator[dict[str, object]]:
    """Yield the rows of one network."""
    model = load_model(trained.folder).to(device).requires_grad_(False)
    for start in range(0, len(examples), _BATCH):
        part = examples[start : start + _BATCH]
        stacked = torch.from_numpy(np.stack([each.picture for each in part]))
        pictures = to_float(stacked.to(device))
        with torch.no_grad():
            scores = scored(model, pictures)[0].cpu().numpy()
        masks = [regions_of(each.landmarks, each.picture.shape[0]) for each in part]
        for branch, maps in attributions(model, pictures).items():
            for at, values in enumerate(maps.cpu().numpy()):
                row = part[at].row | {"branch": branch, "prediction": float(scores[at])}
                yield _row(row, values, masks[at], face.bring(values, part[at].landmarks))


def _row(
    row: dict[str, Any], values: np.ndarray, masks: np.ndarray, brought: np.ndarray
) -> dict[str, object]:
    names = ("frame_id", "subject", "sequence", "label", "fold", "seed", "branch", "prediction")
    total = float(values.sum())
    shares = (masks * values).sum(axis=(1, 2)) / total if total > 0 else None
    most = float(brought.max())
    scale = 65535 / most if most > 0 else 0.0
    grey = np.rint(brought * scale).astype(np.uint16)
    return {name: row[name] for name in names} | {
        "status": "ok",
        "reason": "",
        "amount": total,
        "shares": None if shares is None else _named(shares),
        "areas": _named(masks.mean(axis=(1, 2))),
        "image": tables.encode_png(grey, tables.png_name(f"{row['frame_id']}#{row['branch']}")),
    }


def _named(values: np.ndarray) -> dict[str, float]:
    return dict(zip(tables.PARTS, values.tolist(), strict=True))
