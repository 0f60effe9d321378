"""A merged folder of drawn faces: the lower the lids, the higher the label."""

import hashlib

import cv2
import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.cohort.splits import split


def draw(random, skin, label, size):
    """A face of one colour whose eyes close, and mouth opens, with the label (0-4)."""
    picture = np.full((96, 96, 3), 60, np.uint8)
    x, y = 48 + random.integers(-3, 4), 48 + random.integers(-3, 4)
    cv2.ellipse(picture, (int(x), int(y)), (32, 40), 0, 0, 360, skin, -1)
    for side in (-13, 13):
        cv2.ellipse(
            picture, (int(x + side), int(y - 10)), (8, 9 - 2 * label), 0, 0, 360, (20,) * 3, -1
        )
    cv2.ellipse(picture, (int(x), int(y + 18)), (10, 1 + 2 * label), 0, 0, 360, (150, 40, 40), -1)
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)


def merged_rows(subjects, frames, synthetic):
    """Rows of the merged table, real ones first; labels go 0, 1, 2, 3, 4, 0, …"""
    rows = []
    for subject in subjects:
        for number in range(frames):
            frame = f"{subject}/a/{number:03d}"
            rows.append(
                {
                    "image_id": frame,
                    "frame_id": frame,
                    "subject": subject,
                    "sequence": "a",
                    "label": float(number % 5),
                    "status": "ok",
                    "reason": "",
                    "synthetic": False,
                    "pool": False,
                    "measures": dict.fromkeys(tables.MEASURES, 0.3 - 0.05 * (number % 5)),
                    "shard": f"{subject}.00",
                }
            )
    sources = [row for row in rows if row["label"] > 2][:synthetic]
    rows += [
        source
        | {
            "image_id": f"{source['frame_id']}#0",
            "source_frame_id": source["frame_id"],
            "synthetic": True,
            "kind": "keep",
        }
        for source in sources
    ]
    return [
        row | {"row": place, "digest": f"{place:032x}", "kept": 1.0}
        for place, row in enumerate(rows)
    ]


@pytest.fixture(name="merged")
def _merged(tmp_path):
    """Return a maker of merged folders."""

    def make(subjects=6, frames=10, size=32, folds=3, validation=1, synthetic=0):
        folder = tmp_path / "merge"
        folder.mkdir(exist_ok=True)
        names = [f"s{number:02d}" for number in range(subjects)]
        random = np.random.default_rng(0)
        skins = {name: tuple(int(v) for v in random.integers(120, 230, 3)) for name in names}
        rows = merged_rows(names, frames, synthetic)
        images = [draw(random, skins[row["subject"]], int(row["label"]), size) for row in rows]
        for row, image in zip(rows, images, strict=True):
            image[0, 0] = row["row"] % 256, row["row"] // 256, 0  # no two are equal
            row["digest"] = hashlib.sha256(image.tobytes()).hexdigest()[:32]
        np.save(folder / "images.npy", np.stack(images))
        index = tables.frame("merge", rows)
        tables.write(folder / "index.parquet", index, "merge")
        labels = [
            index.filter((pl.col("subject") == name) & ~pl.col("synthetic"))["label"].to_numpy()
            for name in names
        ]
        split(names, labels, folds, validation, 1).write_parquet(folder / "splits.parquet")
        return folder

    return make
