"""A few frames taken through the first stages, to see what a whole run will find and cost."""

import logging
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from aacsfnet import tables
from aacsfnet.config import Config, Train
from aacsfnet.devices import usable
from aacsfnet.faces import sureness
from aacsfnet.tables import KINDS

#: Frames of the run that warms up, and of the one that is measured.
_FEW, _MANY = 4, 24

_SHARD = "rehearsal"
#: Seconds after which no further training step is tried.
_LONGEST_TRIAL = 10.0


@dataclass(frozen=True)
class Rehearsal:
    """What a sample of frames went through.

    `statuses` counts the sample's frames by status after landmarks; `seconds` and `bytes` are
    those of one frame on one core, for each stage; depth's are of a picture to make. `least_sure`
    holds the path and the scores of the least sure faces.
    """

    statuses: dict[str, int]
    reasons: dict[str, str]
    seconds: dict[str, float]
    bytes: dict[str, float]
    least_sure: tuple[str, ...] = ()


def rehearse(config: Config, rows: pl.DataFrame) -> Rehearsal:
    """Take frames spread evenly over the usable rows of an index through crop to depth.

    Args:
        config: its blocks dataset, index, crop, landmarks and depth are read.
        rows: the index; at least one row is "ok".
    """
    usable = rows.filter(pl.col("status") == "ok").sort("subject", "sequence", "position")
    with tempfile.TemporaryDirectory(prefix="aacsfnet-rehearsal-") as name:
        folder = Path(name)
        few, _ = _play(config, _spread(usable, _FEW), folder)
        many, found = _play(config, _spread(usable, _MANY), folder)
        crops = tables.read(folder / "crop.parquet", sureness.COLUMNS)
        sizes = {stage: (folder / f"{stage}.parquet").stat().st_size for stage in many}
    frames = len(found)
    # Loading the models costs the same for few and many frames, so the difference is the frames'.
    more = frames - min(_FEW, len(usable))
    seconds = {
        stage: max(many[stage] - few[stage], 0.05 * many[stage]) / more
        if more > 0
        else many[stage] / frames
        for stage in many
    }
    reasons = found.filter(pl.col("status") != "ok")
    return Rehearsal(
        dict(found["status"].value_counts().iter_rows()),
        dict(reasons.select("status", "reason").iter_rows()),
        seconds,
        {stage: size / frames for stage, size in sizes.items()},
        tuple(_least_sure(crops, usable)),
    )


def _least_sure(crops: pl.DataFrame, usable: pl.DataFrame) -> Iterator[str]:
    """Yield path, place and scores of the least sure faces of a crop table."""
    places = dict(usable.select("frame_id", "path").iter_rows())
    for face in sureness.least_sure(crops).iter_rows(named=True):
        yield f"{places[face['frame_id']]}: {sureness.in_words(face)}"


def _spread(usable: pl.DataFrame, most: int) -> pl.DataFrame:
    """Return at most `most` rows, from first to last at even steps, as one shard."""
    count = min(most, len(usable))
    places = [round(place * (len(usable) - 1) / max(1, count - 1)) for place in range(count)]
    return usable[places].with_columns(shard=pl.lit(_SHARD))


def _play(
    config: Config, sample: pl.DataFrame, folder: Path
) -> tuple[dict[str, float], pl.DataFrame]:
    """Return the seconds of each stage on a sample, and the landmarks table's rows."""
    from aacsfnet.augmentation.depth.stage import depth
    from aacsfnet.faces.crop import crop
    from aacsfnet.faces.landmarks import landmarks

    paths = {
        stage: folder / f"{stage}.parquet"
        for stage in ("index", "crop", "landmarks", "prompts", "depth")
    }
    tables.write(paths["index"], sample.select(list(tables.SCHEMAS["index"])), "index")
    marks = [time.perf_counter()]
    crop(config, paths["index"], _SHARD, paths["crop"])
    marks.append(time.perf_counter())
    landmarks(config, paths["crop"], paths["landmarks"])
    marks.append(time.perf_counter())
    faces = tables.read(paths["landmarks"])
    tables.write(paths["prompts"], _a_picture_each(faces), "prompts")
    begun = time.perf_counter()
    depth(config, paths["crop"], paths["landmarks"], paths["prompts"], paths["depth"])
    seconds = {
        "crop": marks[1] - marks[0],
        "landmarks": marks[2] - marks[1],
        "depth": time.perf_counter() - begun,
    }
    return seconds, faces.select("status", "reason")


def _a_picture_each(faces: pl.DataFrame) -> pl.DataFrame:
    """Return a plan of one picture from each face; the stage itself would need a tokenizer."""
    rows = [
        tables.carry(face, "prompts")
        | {"image_id": f"{face['frame_id']}#0", "kind": KINDS[0], "variant": 0}
        for face in faces.iter_rows(named=True)
    ]
    return tables.frame("prompts", rows)


def training_seconds(settings: Train, image_size: int) -> float:
    """Return the seconds that one picture takes in one training step, on the machine's device.

    Forward and backward pass of the network on random pictures and those of their context, the
    fastest of a few; loading and varying pictures come on top.
    """
    import torch

    from aacsfnet.models.context import Context
    from aacsfnet.training.build import network_of

    logging.getLogger("timm").setLevel(logging.ERROR)
    # Random weights and any range of the label: neither takes time.
    settings = settings.model_copy(update={"pretrained": None})
    device = usable()[0]
    model = network_of(settings, image_size, (0.0, 1.0)).to(device).train()
    batch = model.fixed_batch or min(settings.batch, 32 if device.type == "cpu" else 256)
    pictures = torch.rand(batch, 3, image_size, image_size, device=device)
    context = None
    if (fusion := model.context_fusion) is not None:
        known = torch.ones(batch, fusion.places, dtype=torch.bool, device=device)
        beside = torch.rand(known.numel(), 3, image_size, image_size, device=device)
        context = Context(beside, known)
    fastest, begun = float("inf"), time.perf_counter()
    for _ in range(6):  # the first warms up
        started = time.perf_counter()
        model.score(model.raw(pictures, context)).square().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        fastest = min(fastest, time.perf_counter() - started)
        if time.perf_counter() - begun > _LONGEST_TRIAL:
            break
    return fastest / batch
