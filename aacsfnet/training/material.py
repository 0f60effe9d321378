"""The merged data as one fold uses it, and the loaders over it."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.cohort.selection import Selection, select
from aacsfnet.config import NetworkSettings, Train
from aacsfnet.errors import DataError, WorkError
from aacsfnet.labels import Label
from aacsfnet.layout import Merged
from aacsfnet.training.context import ContextRows, context_rows, measures_of, with_positions
from aacsfnet.training.data import Batches, Pictures, open_images
from aacsfnet.training.geometry import standardised
from aacsfnet.training.weights import draw_weights, loss_weights, phase_weights


@dataclass(frozen=True)
class Material:
    """What a fold trains on, selects on and tests on."""

    images: np.ndarray  # (N, S, S, 3) uint8, mapped
    chosen: Selection
    label: Label
    kept: float  # share of a crop's side that the pictures show
    spacing_s: float | None = None  # time between neighbouring frames, seconds; None: unknown

    def own(self) -> pl.DataFrame:
        """Return the training rows that statistics are taken from: all but the pool's.

        The network is used on people like the data set's own; a pool's light and share of pain are
        another's. Where the pool alone trains, it counts.
        """
        rows = self.chosen.train
        own = rows.filter(~pl.col("pool"))
        return own if len(own) else rows

    def training_rows(self) -> pl.DataFrame:
        """Return the rows of the training subjects' real pictures, see `own`."""
        rows = self.own()
        real = rows.filter(~pl.col("synthetic"))
        return real if len(real) else rows

    def training_labels(self) -> np.ndarray:
        """Return the labels of the training subjects' real pictures, `(n,)`, see `own`."""
        labels: np.ndarray = self.training_rows()["label"].to_numpy()
        return labels

    def training_measures(self) -> np.ndarray:
        """Return the training pictures' facial measures, `(n, measures)` float32, NaN if unknown.

        They are in deviations from the mean of the training subjects' real pictures, see `own`.

        Raises:
            WorkError: none is known.
        """
        both = (self.chosen.train, self.training_rows())
        found = standardised(*map(measures_of, both))
        _check_known(found, "geometry_weight")
        return found

    def training_geometry(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of training pictures, `(n,)`, and their `GEOMETRY`, `(n, k)` float32.

        The training subjects' pictures without a label are among them, last. In deviations, as
        `training_measures`; NaN where unknown. Pictures of which nothing is known are left out; of
        generated ones the head's pose is not.

        Raises:
            WorkError: nothing is known of any.
        """
        seen = pl.concat([self.chosen.train, self.chosen.unlabelled])
        found = standardised(*map(_geometry, (seen, self.training_rows())))
        _check_known(found, "geometry_pretraining_steps")
        known = np.isfinite(found).any(axis=1)
        return seen["row"].to_numpy()[known], found[known]

    def context(self, rows: pl.DataFrame, network: NetworkSettings) -> ContextRows | None:
        """Return the pictures that a network sees beside rows of this data; None: none.

        They are of the same subject, who has one role, so nobody's picture crosses the fold.
        """
        everyone = pl.concat([self.chosen.train, self.chosen.validation, self.chosen.test])
        return context_rows(rows, everyone, network.context, network.context_frames)


def _check_known(found: np.ndarray, key: str) -> None:
    if not np.isfinite(found).any():
        raise WorkError(
            f"train.{key}: no facial measure is known of any training picture; set it to 0, or see"
            " why no landmarks are found"
        )


def _geometry(rows: pl.DataFrame) -> np.ndarray:
    """Return `GEOMETRY` of rows of the merged table, `(n, k)`, NaN if unknown."""
    pose = rows.select(pl.col("yaw", "pitch").cast(pl.Float64)).to_numpy()
    return np.concatenate([measures_of(rows), pose], axis=1)


def read_material(merged: Merged, fold: int, kinds: Collection[str], label: Label) -> Material:
    """Read the merged data and choose the fold's rows, of generated pictures those of some kinds.

    Raises:
        DataError: a file is missing, or array and table do not fit together.
        LeakError: a held-out subject would reach training.
        WorkError: there is no such fold, or nothing to train on.
    """
    index = tables.read(merged.index)
    splits = tables.read(merged.splits)
    chosen = select(with_positions(index), splits, fold, kinds)
    images = open_images(merged.images)
    if len(images) != index["row"].count():
        raise DataError(
            f"{merged.folder}: images.npy holds {len(images)} pictures, index.parquet"
            f" {index['row'].count()}; run merge again"
        )
    spacing = tables.notes(merged.index).get("spacing_s")
    return Material(images, chosen, label, float(index["kept"].to_numpy()[0]), spacing)


def training_batches(settings: Train, material: Material, seed: int) -> Batches:
    """Return the training batches, drawn and weighed as the settings say."""
    rows = material.chosen.train
    labels = rows["label"].to_numpy()
    synthetic = rows["synthetic"].to_numpy()
    low, high = material.label.low, material.label.high
    drawn = draw_weights(
        labels,
        rows["subject"].to_numpy(),
        synthetic,
        low=low,
        high=high,
        balance=settings.balance,
        synthetic_share=settings.synthetic_share,
    )
    counted = loss_weights(
        labels,
        synthetic,
        low=low,
        high=high,
        rarity=settings.rarity,
        synthetic_weight=settings.synthetic_weight,
    )
    return Batches(
        material.images,
        rows["row"].to_numpy(),
        labels,
        batch=settings.batch,
        seed=seed,
        epoch_steps=settings.epoch_steps,
        draw_weights=lambda epoch: phase_weights(
            drawn, synthetic, epoch, settings.pretraining_epochs
        ),
        loss_weights=counted,
        measures=material.training_measures() if settings.geometry_weight else None,
        context=material.context(rows, settings.network),
    )


def pictures_of(material: Material, rows: pl.DataFrame, settings: Train) -> Pictures:
    """Return a loader over rows of the merged table, in their order."""
    return Pictures(
        material.images,
        rows["row"].to_numpy(),
        rows["label"].to_numpy(),
        settings.batch,
        material.context(rows, settings.network),
    )
