"""What a reviewer asks beyond the headline figures, as it stands in `metrics.json`."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from aacsfnet.evaluation import statistics
from aacsfnet.evaluation.agreement import Errors, agreement_draws
from aacsfnet.evaluation.binary_summary import binary_summary
from aacsfnet.evaluation.calibration import LevelSums, line_draws
from aacsfnet.evaluation.group_summary import Words, group_summary
from aacsfnet.evaluation.metrics import level_of
from aacsfnet.evaluation.statistics import Floats
from aacsfnet.evaluation.summaries import (
    Summary,
    both_views,
    compare,
    draws_seed,
    entries,
    entry_of,
    sums_by_seed,
)
from aacsfnet.labels import Label


def review(
    rows: pl.DataFrame,
    label: Label,
    resamples: int,
    confidence: float,
    thresholds: Sequence[float],
    words: Words | None = None,
) -> Summary:
    """Return `binary`, `agreement`, `calibration`, `over_seeds` and `groups`.

    Args:
        rows: predictions as `aacsfnet.evaluation.predictions.gather` returns them.
        label: the label's name, range and meaning.
        resamples: bootstrap resamples of subjects.
        confidence: coverage of the intervals.
        thresholds: labels at or above one are positive.
        words: what is said of each subject by column; None: nothing is known.
    """
    subjects = rows["subject"].n_unique()
    weights = statistics.resamples(subjects, resamples, draws_seed())
    rows = rows.with_columns(pl.col("prediction").clip(label.low, label.high))
    return {
        "binary": binary_summary(rows, thresholds, weights, confidence),
        "agreement": _agreement(rows, weights, confidence),
        "calibration": _calibration(rows, label, weights, confidence),
        "over_seeds": _over_seeds(rows, label),
        "groups": group_summary(rows, label, words or {}, resamples, confidence),
    }


def with_geometry(
    rows: pl.DataFrame, geometry: pl.DataFrame, label: Label, resamples: int, confidence: float
) -> Summary:
    """Return the figures of the geometry baseline on the same frames, and how it compares.

    Where a face's measures are unknown the baseline says the training mean.

    Args:
        rows: as for `review`.
        geometry: from `aacsfnet.evaluation.geometry_baseline.geometry_predictions`.
        label: the label's name, range and meaning.
        resamples: bootstrap resamples of subjects.
        confidence: coverage of the intervals.

    Returns:
        `pooled` and `by_subject` as of every baseline; `unknown_frames`; `penalties`, one a fold;
        `network_less_geometry`, the paired difference.
    """
    joined = rows.join(geometry, on=["fold", "frame_id"], how="left", maintain_order="left")
    told = joined.with_columns(
        prediction=pl.coalesce("geometry", "mean_label").clip(label.low, label.high)
    )
    weights = statistics.resamples(rows["subject"].n_unique(), resamples, draws_seed())
    unknown = joined.filter(pl.col("geometry").is_null())["frame_id"].n_unique()
    penalties = geometry.select("fold", "penalty").unique().sort("fold")["penalty"].to_list()
    return {
        **both_views(told, label, weights, confidence),
        "unknown_frames": unknown,
        "penalties": penalties,
        "network_less_geometry": compare(rows, told, label, resamples, confidence),
    }


def _codes(rows: pl.DataFrame) -> np.ndarray:
    codes: np.ndarray = (rows["subject"].rank("dense").cast(pl.Int64) - 1).to_numpy()
    return codes


def _agreement(rows: pl.DataFrame, weights: Floats, confidence: float) -> Summary:
    count = weights.shape[1]
    draws = []
    for part in rows.sort("seed").partition_by("seed", maintain_order=True):
        errors = (part["prediction"] - part["label"]).to_numpy()
        draws.append(agreement_draws(Errors.of(errors, _codes(part), count), weights))
    return _mean_entries(draws, confidence, count)


def _calibration(rows: pl.DataFrame, label: Label, weights: Floats, confidence: float) -> Summary:
    """Return the line from predictions to labels, and the means at each level of either."""
    count = weights.shape[1]
    lines = [line_draws(sums, weights) for sums in sums_by_seed(rows, label)]
    views = {}
    for view, of, value in (
        ("by_label", "label", "prediction"),
        ("by_prediction", "prediction", "label"),
    ):
        at = level_of(rows[of].to_numpy(), label.low, label.high)
        levels, codes = np.unique(at, return_inverse=True)
        numbered = rows.with_columns(level_code=pl.Series(codes, dtype=pl.Int64))
        sums = [
            LevelSums.of(
                part[value].to_numpy(),
                _codes(part),
                part["level_code"].to_numpy(),
                (count, len(levels)),
            )
            for part in numbered.sort("seed").partition_by("seed", maintain_order=True)
        ]
        # A level that one seed never predicts has no mean over seeds.
        means = np.mean([one.draws(weights) for one in sums], axis=0)
        views[view] = [
            {
                "level": float(level),
                "frames": float(np.mean([one.counts[:, place].sum() for one in sums])),
                "subjects": int(np.any([one.counts[:, place] > 0 for one in sums], axis=0).sum()),
                value: entry_of(statistics.interval(means[:, place], confidence, count)),
            }
            for place, level in enumerate(levels)
        ]
    return _mean_entries(lines, confidence, count) | views


def _mean_entries(seeds: Sequence[dict[str, Floats]], confidence: float, subjects: int) -> Summary:
    """Return the mean over seeds of each figure, with its interval."""
    means = {name: np.mean([one[name] for one in seeds], axis=0) for name in seeds[0]}
    found: Summary = entries({"": means}, confidence, subjects)[""]
    return found


def _over_seeds(rows: pl.DataFrame, label: Label) -> Summary | None:
    """Return how each figure spreads over training seeds; None with one seed."""
    sums = sums_by_seed(rows, label)
    if len(sums) < 2:
        return None
    once = np.ones((1, rows["subject"].n_unique()))
    views = {"pooled": statistics.pooled_draws, "by_subject": statistics.subject_draws}
    spread: Summary = {"seeds": len(sums)}
    for view, draws in views.items():
        each = [draws([one], once) for one in sums]
        spread[view] = {name: _spread([float(one[name][0]) for one in each]) for name in each[0]}
    return spread


def _spread(values: Sequence[float]) -> Summary:
    """Return mean, standard deviation (n - 1) and ends of a figure's values; null if undefined."""
    if not np.isfinite(values).all():
        return dict.fromkeys(("mean", "sd", "lowest", "highest"))
    return {
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)),
        "lowest": min(values),
        "highest": max(values),
    }
