"""Draws docs/flow.png: one frame of finished results on its way through the stages.

Run as `python docs/flow.py results/demo`.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset

TITLES = ["index", "crop", "landmarks", "depth", "generate", "quality"]


def main(results: Path) -> None:
    """Draw the accepted picture of the highest level that a frame without pain was given."""
    judged = pl.concat(
        tables.read(path) for path in sorted((results / "quality").glob("*.parquet"))
    )
    accepted = judged.filter(status="ok", kind="level").sort("label", descending=True)
    best = accepted.row(0, named=True)
    frame_id, shard = best["frame_id"], best["subject"]

    def row(stage: str, key: str, value: str) -> dict:
        for path in sorted((results / stage).glob(f"{shard}.*.parquet")):
            found = tables.read(path).filter(pl.col(key) == value)
            if found.height:
                return found.row(0, named=True)
        raise SystemExit(f"{results / stage}: no row for {value}")

    crop = tables.decode_png(row("crop", "frame_id", frame_id)["image"])
    points = np.array(row("landmarks", "frame_id", frame_id)["landmarks_px"])
    depth = tables.decode_png(row("depth", "image_id", best["image_id"])["image"])
    prompt = row("prompts", "image_id", best["image_id"])["prompt"]
    made = tables.decode_png(row("generate", "image_id", best["image_id"])["image"])
    index = tables.read(results / "index.parquet").filter(pl.col("frame_id") == frame_id)
    picture = next(iter(open_dataset(Config()).pictures(index)))

    shown_units = [(unit, value) for unit, value in best["units"].items() if value]
    captions = [
        f"PSPI {index['label'].item():g}, known",
        "levelled, cut out",
        "478 points",
        f"of the mesh for PSPI {best['label']:g}",
        "from warped crop, depth, words",
        "accepted:\n" + ", ".join(f"{u.upper()} {v:g}" for u, v in shown_units),
    ]
    figure, axes = plt.subplots(1, 6, figsize=(12, 2.75), dpi=110)
    for axis, title, caption in zip(axes, TITLES, captions, strict=True):
        shown = {"index": picture, "depth": depth, "generate": made, "quality": made}
        axis.imshow(shown.get(title, crop), cmap="gray")
        axis.set_title(title, fontsize=11, fontweight="bold")
        axis.set_xlabel(caption, fontsize=8)
        axis.set_xticks([])
        axis.set_yticks([])
    axes[2].scatter(points[:, 0], points[:, 1], s=0.4, c="#3ddc97")
    figure.text(0.5, 0.03, f"prompts: “{prompt}”", ha="center", fontsize=8, style="italic")
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(Path(__file__).with_name("flow.png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
