"""Intervals and bounds from held-out subjects: for use on new people, and judged on the same ones.

For people that nobody trained on they are calibrated on all held-out subjects of an experiment,
each measured by the network that was not trained on them. What they are worth is told by the same
people: a fold's held-out subjects are judged by what the other folds' held-out subjects give, so
that nobody's own label sets their interval. Where there is one fold alone, each subject is judged
by the others.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.evaluation import abstention, conformal
from aacsfnet.evaluation.abstention import SIGNS
from aacsfnet.evaluation.conformal import Floats
from aacsfnet.evaluation.reliability import Reliability
from aacsfnet.labels import Label


def calibrate(
    rows: pl.DataFrame,
    label: Label,
    coverage: float,
    share: float,
    networks: Iterable[str] = (),
) -> Reliability:
    """Return what predictions on held-out subjects support.

    Args:
        rows: as `aacsfnet.evaluation.predictions.gather` returns them.
        label: the label's range.
        coverage: see `aacsfnet.evaluation.conformal.fit`.
        share: see `aacsfnet.evaluation.abstention.fit`.
        networks: SHA-256 of the networks' weights.
    """
    subjects = rows["subject"].to_numpy()
    intervals = conformal.fit(
        rows["prediction"].to_numpy(),
        rows["label"].to_numpy(),
        subjects,
        coverage,
        (label.low, label.high),
    )
    return Reliability(
        intervals, abstention.fit(signs_of(rows), subjects, share), tuple(sorted(networks))
    )


def signs_of(rows: pl.DataFrame) -> dict[str, Floats]:
    """Return the signs of predictions `(n,)` by name, NaN where unknown."""
    return {
        name: rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in SIGNS
        if name in rows.columns
    }


def judged(rows: pl.DataFrame, label: Label, coverage: float, share: float) -> pl.DataFrame:
    """Return predictions with interval and doubts as people who calibrated nothing would have them.

    Args: as `calibrate`.

    Returns:
        The rows with `low`, `high`, `doubt` and `why`, null where nobody else was held out.
    """
    group = "fold" if rows["fold"].n_unique() > 1 else "subject"
    numbered = rows.with_row_index("_place")
    parts = []
    for own in numbered.partition_by(group, maintain_order=True):
        others = rows.filter(pl.col(group) != own[group][0])
        if len(others):
            found = calibrate(others, label, coverage, share)
            columns = _judgement(own, found, label)
        else:
            columns = dict.fromkeys(("low", "high", "doubt", "why"), pl.lit(None))
        parts.append(own.with_columns(**columns).with_columns(**_TYPES))
    return pl.concat(parts).sort("_place").drop("_place")


_TYPES = {
    name: pl.col(name).cast(kind)
    for name, kind in (
        ("low", pl.Float64),
        ("high", pl.Float64),
        ("doubt", pl.Float64),
        ("why", pl.String),
    )
}


def _judgement(rows: pl.DataFrame, found: Reliability, label: Label) -> Mapping[str, Any]:
    scores = rows["prediction"].clip(label.low, label.high).to_numpy()
    low, high = found.intervals.bounds(scores)
    ends = {"low": pl.Series(low), "high": pl.Series(high)}
    if not found.bounds.usual:
        return ends | dict.fromkeys(("doubt", "why"), pl.lit(None))
    doubts = found.bounds.doubts(signs_of(rows))
    return ends | {
        "doubt": pl.Series(abstention.doubt(doubts, len(rows)), dtype=pl.Float64),
        "why": pl.Series(abstention.reasons(doubts, len(rows)), dtype=pl.String),
    }
