"""The crop stage: the face of each frame found, levelled and cut out."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from aacsfnet import table
from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import Fault
from aacsfnet.faces.locate import FaceLocator
from aacsfnet.faces.sequence import Cut, SequenceCropper


def crop(config: Config, index: Path, shard: str, output: Path) -> None:
    """Write the crop table of one shard.

    Args:
        config: its blocks dataset, index and crop are read.
        index: the index table.
        shard: which shard of it.
        output: the table to write.
    """
    frames = table.read(index).filter(pl.col("shard") == shard)
    rows = [table.carry(row, "crop") for row in frames.iter_rows(named=True)]
    usable = frames.with_row_index("row").filter(pl.col("status") == "ok")
    pictures = open_dataset(config).pictures(usable.drop("row"))
    _fill(rows, usable, pictures, config)
    table.write(output, table.frame("crop", rows), "crop")


def _fill(
    rows: list[dict[str, object]],
    usable: pl.DataFrame,
    pictures: Iterable[np.ndarray | Fault],
    config: Config,
) -> None:
    """Complete the rows of frames that have a picture; each picture is let go at once."""
    settings = config.crop
    cropper = SequenceCropper(settings.size, settings.margin, settings.smoothing)

    def keep(cuts: Iterable[Cut]) -> None:
        for cut in cuts:
            row = rows[cut.key]
            row["image"] = table.encode_png(cut.picture, f"{row['frame_id']}.png")
            row["to_frame"] = cut.to_frame.ravel().tolist()
            row["inside"] = cut.inside

    places = usable.select("row", "subject", "sequence", "position").iter_rows()
    sequence = None
    with FaceLocator(settings) as locator:
        for (at, *this, position), picture in zip(places, pictures, strict=True):
            if this != sequence:
                keep(cropper.finish())
                sequence = this
            found = picture if isinstance(picture, Fault) else locator.locate(picture)
            if isinstance(found, Fault):
                rows[at] |= {"status": found.status, "reason": found.reason}
            if isinstance(picture, Fault):
                continue
            rows[at]["frame_size"] = [picture.shape[1], picture.shape[0]]
            if isinstance(found, Fault):
                continue
            rows[at] |= {"faces": found.faces, "confidence": found.confidence}
            keep(cropper.add(at, position, picture, found.placement))
        keep(cropper.finish())
