"""How well pain at or above a level is told, as it stands in `metrics.json`."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from aacsfnet.evaluation import statistics
from aacsfnet.evaluation.binary import BINARY, Confusion, best_cut_off, f1_of, ranking_draws
from aacsfnet.evaluation.statistics import Codes, Floats
from aacsfnet.evaluation.summaries import Summary, entries


def binary_summary(
    rows: pl.DataFrame, thresholds: Sequence[float], weights: Floats, confidence: float
) -> list[Summary]:
    """Return the figures at each threshold, the highest of a fold's cut-offs and the lowest.

    The cut-off of F1 is chosen for each fold and seed on the people that the fold trained on or
    selected by, each of them predicted by the network of the fold that held that person out. With
    one fold there is none, and F1 is undefined.

    Args:
        rows: predictions, clipped, with one row a seed and frame.
        thresholds: labels at or above one are positive.
        weights: `(B, subjects)`, subjects in sorted order.
        confidence: coverage of the intervals.
    """
    return [_at(rows, threshold, weights, confidence) for threshold in thresholds]


def _at(rows: pl.DataFrame, threshold: float, weights: Floats, confidence: float) -> Summary:
    pooled: list[dict[str, Floats]] = []
    each: list[dict[str, Floats]] = []
    cut_offs: list[float] = []
    count = weights.shape[1]
    rows = rows.with_columns(
        code=pl.col("subject").rank("dense").cast(pl.Int64) - 1,
        positive=pl.col("label") >= threshold,
    )
    for part in rows.sort("seed").partition_by("seed", maintain_order=True):
        chosen = cut_offs_by_fold(part)
        cut_offs += chosen.values()
        scores, positive = part["prediction"].to_numpy(), part["positive"].to_numpy()
        codes = part["code"].to_numpy()
        bounds = part["fold"].replace_strict(chosen, return_dtype=pl.Float64).to_numpy()
        answers = {"f1": scores >= bounds, "f1_nominal": scores >= threshold}
        pooled.append(ranking_draws(scores, positive, codes, weights))
        each.append(_by_subject(scores, positive, codes, count))
        for name, said in answers.items():
            counts = Confusion.of(said, positive, codes, count)
            # Of a fold without a cut-off nobody is said yes to; the figure is another then.
            unknown = name == "f1" and not np.isfinite(bounds).all()
            pooled[-1][name] = f1_of(counts.drawn(weights)) * (np.nan if unknown else 1.0)
            each[-1][name] = f1_of(counts) * (np.nan if unknown else 1.0)
    of_people = {name: np.mean([one[name] for one in each], axis=0) for name in BINARY}
    draws = {
        "pooled": {name: np.mean([one[name] for one in pooled], axis=0) for name in BINARY},
        "by_subject": {
            name: statistics.mean_draws(values, weights) for name, values in of_people.items()
        },
    }
    found = entries(draws, confidence, count)
    for name, values in of_people.items():
        found["by_subject"][name]["undefined_subjects"] = int((~np.isfinite(values)).sum())
    frames = rows.unique("frame_id")
    known = [value for value in cut_offs if np.isfinite(value)]
    return {
        "threshold": float(threshold),
        "frames": int(frames["positive"].sum()),
        "subjects": frames.filter("positive")["subject"].n_unique(),
        "prevalence": float(frames["positive"].to_numpy().mean()),
        "cut_offs": {
            "lowest": min(known, default=None),
            "highest": max(known, default=None),
            "undefined": len(cut_offs) - len(known),
        },
        **found,
    }


def cut_offs_by_fold(rows: pl.DataFrame) -> dict[int, float]:
    """Return each fold's best cut-off on the people of the other folds, NaN where there is none.

    Args:
        rows: one seed's `fold`, `prediction` and `positive`.
    """
    found = {}
    for fold in rows["fold"].unique().sort().to_list():
        others = rows.filter(pl.col("fold") != fold)
        found[fold] = best_cut_off(others["prediction"].to_numpy(), others["positive"].to_numpy())
    return found


def _by_subject(
    scores: Floats, positive: np.ndarray, codes: Codes, count: int
) -> dict[str, Floats]:
    """Return each subject's own areas, `(subjects,)`."""
    found = {name: np.full(count, np.nan) for name in ("auroc", "auprc")}
    order = np.argsort(codes, kind="stable")
    borders = np.searchsorted(codes[order], np.arange(count + 1))
    for subject in range(count):
        mine = order[borders[subject] : borders[subject + 1]]
        nobody, once = np.zeros(len(mine), np.int64), np.ones((1, 1))
        for name, value in ranking_draws(scores[mine], positive[mine], nobody, once).items():
            found[name][subject] = value[0]
    return found
