"""What intervals, abstention and relative scores are worth on held-out people, for `metrics.json`.

All of them are judged from predictions as `aacsfnet.evaluation.held_out.judged` completes them,
with intervals that resample subjects, as all figures have.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.config import Evaluate
from aacsfnet.evaluation import statistics
from aacsfnet.evaluation.abstention import SIGNS
from aacsfnet.evaluation.metrics import level_of
from aacsfnet.evaluation.neutral import Neutral
from aacsfnet.evaluation.statistics import Codes, Floats
from aacsfnet.evaluation.summaries import both_views, compare, draws_seed, entry_of
from aacsfnet.labels import Label

Summary = dict[str, Any]

#: Shares of frames kept at which the risk is told.
_KEPT = (1.0, 0.99, 0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)


def reliability_figures(rows: pl.DataFrame, label: Label, settings: Evaluate) -> Summary:
    """Return all of them, of predictions as `aacsfnet.evaluation.held_out.judged` returns them."""
    size = settings.bootstrap, settings.confidence
    return {
        "intervals": interval_figures(rows, label, settings.coverage, *size),
        "abstention": abstention_figures(rows, label, settings.abstention, *size),
        "relative": relative_figures(rows, label, settings.neutral, *size),
    }


class _Resampled:
    """Shares over frames with intervals, of subjects drawn with replacement."""

    def __init__(self, rows: pl.DataFrame, resamples: int, confidence: float) -> None:
        self._codes: Codes = (rows["subject"].rank("dense").cast(pl.Int64) - 1).to_numpy()
        self._count = rows["subject"].n_unique()
        self._weights = statistics.resamples(self._count, resamples, draws_seed())
        self._confidence = confidence

    def pooled(self, values: Floats, taken: Floats | None = None) -> Summary:
        """Return the mean of values `(n,)` over all frames, or over those that are taken (0, 1)."""
        taken = taken if taken is not None else np.ones_like(values)
        sums, counts = self._sums(values * taken), self._sums(taken)
        frames = self._weights @ counts
        draws = np.where(frames > 0, self._weights @ sums / np.maximum(frames, 1e-12), np.nan)
        return self._entry(draws)

    def by_subject(self, values: Floats) -> Summary:
        """Return the mean over subjects of each one's mean of values `(n,)`."""
        means = self._sums(values) / self._sums(np.ones(len(values)))
        return self._entry(self._weights @ means / self._count)

    def _sums(self, values: Floats) -> Floats:
        found: Floats = np.bincount(self._codes, values, self._count).astype(np.float64)
        return found

    def _entry(self, draws: Floats) -> Summary:
        return entry_of(statistics.interval(draws, self._confidence, self._count))


def interval_figures(
    rows: pl.DataFrame, label: Label, asked: float, resamples: int, confidence: float
) -> Summary | None:
    """Return how many held-out frames the intervals hold, by level too, and how wide they are.

    None where nobody could be judged by others.
    """
    if rows["low"].null_count():
        return None
    inside = rows.select(pl.col("label").is_between(pl.col("low") - 1e-9, pl.col("high") + 1e-9))
    covered = inside.to_series().to_numpy().astype(np.float64)
    width = (rows["high"] - rows["low"]).to_numpy()
    resampled = _Resampled(rows, resamples, confidence)
    levels = level_of(rows["label"].to_numpy(), label.low, label.high)
    seeds = rows["seed"].n_unique()
    return {
        "asked": asked,
        "by_subject": resampled.by_subject(covered),
        "pooled": resampled.pooled(covered),
        "width": resampled.by_subject(width),
        "whole_range": float((width >= (label.high - label.low) * (1 - 1e-9)).mean()),
        "per_level": [
            {
                "level": float(level),
                "frames": int(at.sum()) // seeds,
                "subjects": rows.filter(pl.Series(at))["subject"].n_unique(),
                "coverage": resampled.pooled(covered, at.astype(np.float64)),
                "width": resampled.pooled(width, at.astype(np.float64))["value"],
            }
            for level in np.unique(levels)
            for at in [levels == level]
        ],
    }


def abstention_figures(
    rows: pl.DataFrame, label: Label, share: float, resamples: int, confidence: float
) -> Summary | None:
    """Return how often is abstained on held-out frames and why, and the risk against coverage.

    The risk is the mean absolute error of the frames kept; kept are those of the least doubt, or of
    the narrowest intervals. None where no sign of the faces is known.
    """
    if rows["doubt"].null_count():
        return None
    error = (rows["prediction"].clip(label.low, label.high) - rows["label"]).abs().to_numpy()
    resampled = _Resampled(rows, resamples, confidence)
    why = rows["why"]
    away = (why != "").to_numpy().astype(np.float64)
    orders = {"doubt": rows["doubt"].to_numpy(), "width": (rows["high"] - rows["low"]).to_numpy()}
    return {
        "share": share,
        "abstained": resampled.by_subject(away),
        "mae_kept": resampled.pooled(error, 1 - away),
        "mae_abstained": resampled.pooled(error, away),
        "reasons": {
            sign.words: resampled.by_subject(
                why.str.contains(sign.words, literal=True).to_numpy().astype(np.float64)
            )
            for name, sign in SIGNS.items()
            if name in rows.columns and rows[name].count()
        },
        "risk": {
            name: [
                {"coverage": kept, "mae": resampled.pooled(error, _least(values, kept))}
                for kept in _KEPT
            ]
            for name, values in orders.items()
        },
    }


def _least(values: Floats, share: float) -> Floats:
    """Return 1 for the share of frames with the least values, all that are as low, else 0."""
    ranked = np.sort(values)
    bound = ranked[max(0, round(share * len(values)) - 1)]
    least: Floats = (values <= bound).astype(np.float64)
    return least


def relative_figures(
    rows: pl.DataFrame, label: Label, kinds: Sequence[str], resamples: int, confidence: float
) -> Summary:
    """Return the figures of scores relative to each recording's own neutral level.

    `difference` is that to the plain score's figures, paired by subject.
    """
    weights = statistics.resamples(rows["subject"].n_unique(), resamples, draws_seed())
    found: Summary = {}
    for words in kinds:
        scores = label.low + relative_scores(rows, label, words)
        relative = rows.with_columns(prediction=scores.clip(label.low, label.high))
        found[words] = {
            **both_views(relative, label, weights, confidence),
            "difference": compare(relative, rows, label, resamples, confidence),
        }
    return found


def relative_scores(rows: pl.DataFrame, label: Label, words: str) -> pl.Series:
    """Return each score less the neutral level of its recording, as `predict --neutral` gives it.

    No label is read.

    Args:
        rows: as `judged` returns them; `row` tells the order of frames.
        label: the label's range, to which scores are clipped first.
        words: "median", or "first:50" or the like.
    """
    neutral = Neutral.of(words)
    order = "row" if "row" in rows.columns and not rows["row"].null_count() else "frame_id"
    placed = rows.with_row_index("_place").with_columns(
        pl.col("prediction").clip(label.low, label.high)
    )
    parts = []
    for part in placed.sort(order).partition_by("seed", "subject", "sequence"):
        trusted = (part["why"].fill_null("") == "").to_numpy()
        level = neutral.level(part["prediction"].to_numpy(), trusted)
        parts.append(part.select("_place", relative=pl.col("prediction") - level))
    return pl.concat(parts).sort("_place")["relative"]
