"""All figures of one experiment, and the difference of two, from their predictions."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.errors import DataError
from aacsfnet.evaluation import statistics
from aacsfnet.evaluation.metrics import level_of
from aacsfnet.evaluation.statistics import Floats, Interval, Sums
from aacsfnet.labels import Label
from aacsfnet.seeds import seed_of

Summary = dict[str, Any]


def draws_seed() -> int:
    """Return the seed of the bootstrap: one for all, so that experiments are comparable by draw."""
    return seed_of("evaluate", "bootstrap")


def summarise(rows: pl.DataFrame, label: Label, resamples: int, confidence: float) -> Summary:
    """Return the figures of one experiment as they stand in `metrics.json`.

    Predictions are clipped to the label's range first, as a reader of the score would; the figures
    without clipping stand under `unclipped`.

    Args:
        rows: predictions as `aacsfnet.evaluation.predictions.gather` returns them.
        label: the label's name, range and meaning.
        resamples: bootstrap resamples of subjects.
        confidence: coverage of the intervals.
    """
    subjects = rows["subject"].n_unique()
    weights = statistics.resamples(subjects, resamples, draws_seed())
    clipped = rows.with_columns(pl.col("prediction").clip(label.low, label.high))
    outside = rows.filter(~pl.col("prediction").is_between(label.low, label.high))
    baselines = {
        "zero": rows.with_columns(prediction=pl.lit(0.0).clip(label.low, label.high)),
        "mean": rows.with_columns(prediction=pl.col("mean_label")),
    }
    seeds = rows["seed"].unique().sort().to_list()
    return {
        "label": asdict(label),
        "frames": rows["frame_id"].n_unique(),
        "subjects": subjects,
        "folds": rows["fold"].n_unique(),
        "seeds": seeds,
        "clipped_predictions": len(outside),
        "bootstrap": {
            "method": "expanded percentile, subjects drawn with replacement",
            "resamples": resamples,
            "confidence": confidence,
        },
        **both_views(clipped, label, weights, confidence),
        "unclipped": both_views(rows, label, weights, confidence),
        "baselines": {
            name: both_views(baseline, label, weights, confidence)
            for name, baseline in baselines.items()
        },
        "per_level": _per_level(clipped, label, weights, confidence),
        "per_seed": {
            str(seed): both_views(
                clipped.filter(pl.col("seed") == seed), label, weights, confidence
            )
            for seed in seeds
        },
    }


def compare(
    rows: pl.DataFrame, other: pl.DataFrame, label: Label, resamples: int, confidence: float
) -> Summary:
    """Return the paired difference (first less second) of two experiments' figures.

    Both are resampled with the same draws of subjects, so what makes a subject hard for both
    cancels.

    Returns:
        `pooled` and `by_subject` as in `metrics.json`, each metric with the difference.

    Raises:
        DataError: the experiments were not tested on the same frames with the same labels.
    """
    keys = ["frame_id", "label"]
    frames = [one.select(keys).unique().sort(keys) for one in (rows, other)]
    if not frames[0].equals(frames[1]):
        both = len(frames[0].join(frames[1], on=keys))
        raise DataError(
            f"cannot compare: the experiments share {both} labelled frames of {len(frames[0])} and"
            f" {len(frames[1])}; expected the same frames"
        )
    subjects = rows["subject"].n_unique()
    weights = statistics.resamples(subjects, resamples, draws_seed())
    clip = pl.col("prediction").clip(label.low, label.high)
    first, second = (
        _draws(sums_by_seed(one.with_columns(clip), label), weights) for one in (rows, other)
    )
    differences = {
        view: {name: values - second[view][name] for name, values in draws.items()}
        for view, draws in first.items()
    }
    return entries(differences, confidence, subjects)


def subject_table(rows: pl.DataFrame, label: Label) -> pl.DataFrame:
    """Return one row a subject: `subject`, `frames` and each measure, NaN where undefined."""
    clipped = rows.with_columns(pl.col("prediction").clip(label.low, label.high))
    sums = sums_by_seed(clipped, label)
    counts = sums[0].totals[:, 0].astype(int)
    columns = {"subject": rows["subject"].unique().sort(), "frames": counts}
    return pl.DataFrame(columns | statistics.subject_measures(sums))


def sums_by_seed(rows: pl.DataFrame, label: Label) -> list[Sums]:
    """Return each seed's sums by subject; subjects and levels are numbered in sorted order."""
    rows = rows.with_columns(
        subject_code=pl.col("subject").rank("dense").cast(pl.Int64) - 1,
        level=pl.Series(level_of(rows["label"].to_numpy(), label.low, label.high)),
    ).with_columns(level_code=pl.col("level").rank("dense").cast(pl.Int64) - 1)
    shape = (rows["subject"].n_unique(), rows["level"].n_unique())
    return [
        statistics.sums_of(
            part["prediction"].to_numpy(),
            part["label"].to_numpy(),
            part["subject_code"].to_numpy(),
            part["level_code"].to_numpy(),
            shape,
        )
        for part in rows.sort("seed").partition_by("seed", maintain_order=True)
    ]


def _draws(sums: list[Sums], weights: Floats) -> dict[str, dict[str, Floats]]:
    return {
        "pooled": statistics.pooled_draws(sums, weights),
        "by_subject": statistics.subject_draws(sums, weights),
    }


def both_views(rows: pl.DataFrame, label: Label, weights: Floats, confidence: float) -> Summary:
    """Return the figures over all frames and averaged over subjects."""
    sums = sums_by_seed(rows, label)
    found = entries(_draws(sums, weights), confidence, weights.shape[1])
    for name, values in statistics.subject_measures(sums).items():
        found["by_subject"][name]["undefined_subjects"] = int((~np.isfinite(values)).sum())
    return found


def _per_level(
    rows: pl.DataFrame, label: Label, weights: Floats, confidence: float
) -> list[Summary]:
    """Return the mean absolute error at each label level that occurs."""
    sums = sums_by_seed(rows, label)
    levels = np.unique(level_of(rows["label"].to_numpy(), label.low, label.high))
    draws = statistics.level_draws(sums, weights)
    counts = sums[0].level_counts
    return [
        {
            "level": float(level),
            "frames": int(counts[:, column].sum()),
            "subjects": int((counts[:, column] > 0).sum()),
            "mae": entry_of(statistics.interval(draws[:, column], confidence, weights.shape[1])),
        }
        for column, level in enumerate(levels)
    ]


def entries(draws: dict[str, dict[str, Floats]], confidence: float, subjects: int) -> Summary:
    """Return figures with their intervals, by view and name, from their draws `(1 + B,)`."""
    return {
        view: {
            name: entry_of(statistics.interval(values, confidence, subjects))
            for name, values in measures.items()
        }
        for view, measures in draws.items()
    }


def entry_of(found: Interval) -> Summary:
    """Return a figure as JSON holds it: null where it is undefined."""
    ends = {"value": found.value, "low": found.low, "high": found.high}
    return {
        **{key: None if math.isnan(value) else value for key, value in ends.items()},
        "undefined_resamples": found.undefined,
    }
