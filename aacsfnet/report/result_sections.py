"""The report's sections on how well held-out subjects are predicted."""

from typing import Any

import numpy as np
import polars as pl

from aacsfnet.errors import DataError
from aacsfnet.evaluation.metrics import METRICS
from aacsfnet.evaluation.results import Results
from aacsfnet.evaluation.summaries import compare, subject_table
from aacsfnet.labels import Label
from aacsfnet.report import figures
from aacsfnet.report.names import Names
from aacsfnet.report.picture_sections import axis_of

Section = dict[str, Any]

#: The measures of the headline tables, in order.
HEADLINE = ("pcc", "icc", "ccc", "mae", "rmse", "macro_mae")

#: Experiments drawn one by one; more would be clutter, and the tables hold them all.
_MOST_DRAWN = 6
_COURSES = 4
#: Baselines in the headline tables; `geometry` is there where the merged data were at hand.
BASELINES = {"zero": "always 0", "mean": "training mean", "geometry": "facial measures (ridge)"}


def summary_section(results: Results) -> Section:
    """Return the headline tables: every experiment beside the baselines, with intervals."""
    found = {name: results.metrics(name) for name in results.experiments}
    known = {name: metrics for name, metrics in found.items() if metrics is not None}
    if not known:
        return {"views": [], "missing": list(found), "verdicts": []}
    first = next(iter(known.values()))
    views = []
    for view, title in (
        ("pooled", "All frames together"),
        ("by_subject", "Averaged over subjects"),
    ):
        rows = [_headline_row(name, metrics, view) for name, metrics in known.items()]
        rows += [
            _headline_row(title, first["baselines"][name], view) | {"baseline": True}
            for name, title in BASELINES.items()
            if name in first["baselines"]
        ]
        views.append({"view": view, "title": title, "rows": rows})
    return {
        "views": views,
        "metrics": {name: METRICS[name] for name in HEADLINE},
        "missing": [name for name, metrics in found.items() if metrics is None],
        "first": next(iter(known)),
        "metrics_of_first": first,
        "verdicts": [_verdict(name, metrics) for name, metrics in known.items()],
        "clipped": {name: metrics["clipped_predictions"] for name, metrics in known.items()},
        "unclipped": [_headline_row(n, m["unclipped"], "pooled") for n, m in known.items()],
    }


def _headline_row(name: str, metrics: Section, view: str) -> Section:
    entries = {metric: metrics[view][metric] for metric in HEADLINE}
    return {"name": name, "frames": metrics.get("frames"), "entries": entries, "baseline": False}


def _verdict(name: str, metrics: Section) -> Section:
    """Return what can be claimed of an experiment: correlation above 0, error below baselines."""
    pooled, baselines = metrics["pooled"], metrics["baselines"]
    pcc_low = pooled["pcc"]["low"]
    geometry = baselines.get("geometry")
    beaten = {
        title: pooled["mae"]["value"] < baselines[baseline]["pooled"]["mae"]["value"]
        for baseline, title in BASELINES.items()
        if baseline in baselines
    }
    return {
        "name": name,
        "pcc": pooled["pcc"],
        "mae": pooled["mae"],
        "correlates": pcc_low is not None and pcc_low > 0,
        "not_beaten": [title for title, better in beaten.items() if not better],
        "to_geometry": geometry and geometry["network_less_geometry"]["pooled"]["mae"],
    }


def results_section(results: Results, names: Names, label: Label) -> Section:
    """Return the figures of predictions against labels."""
    rows, metrics = {}, {}
    for name in results.experiments:
        found, measured = results.predictions(name), results.metrics(name)
        if found is not None and measured is not None:
            rows[name], metrics[name] = found, measured
    if not rows:
        return {"experiments": []}
    drawn = list(rows)[:_MOST_DRAWN]
    first = drawn[0]
    axis = axis_of(label)
    levels = {name: metrics[name]["per_level"] for name in drawn}
    return {
        "experiments": list(rows),
        "first": first,
        "densities": [
            (name, _density(f"density-{number}", rows[name], label))
            for number, name in enumerate(drawn)
        ],
        "subjects": _subjects_figure(rows[first], names, label),
        "undefined": metrics[first]["by_subject"]["pcc"]["undefined_subjects"],
        "levels": figures.level_errors("levels", levels, axis, zero=label.low == 0),
        "level_rows": levels[first],
        "courses": _courses(results, rows[first], names, label),
        "comparison": _comparison(rows, metrics[first], label),
        "seeds": _seed_rows(metrics),
    }


def _density(name: str, rows: pl.DataFrame, label: Label) -> str:
    clipped = rows["prediction"].clip(label.low, label.high).to_numpy()
    limits = (label.low, label.high)
    return figures.density(name, rows["label"].to_numpy(), clipped, limits, label.name)


def _subjects_figure(rows: pl.DataFrame, names: Names, label: Label) -> str:
    measured = subject_table(rows, label)
    zero = subject_table(rows.with_columns(prediction=pl.lit(0.0)), label)
    return figures.subjects(
        "subjects",
        [names.subject(name) for name in measured["subject"]],
        measured["mae"].to_numpy(),
        zero["mae"].to_numpy(),
        measured["pcc"].to_numpy(),
        label.name,
    )


def _courses(results: Results, rows: pl.DataFrame, names: Names, label: Label) -> str:
    """Return the time courses of the sequences whose labels vary most, of different subjects."""
    one = rows.filter(pl.col("seed") == rows["seed"].min()).join(
        results.index.select("frame_id", "position"), on="frame_id"
    )
    order = (
        one.group_by("subject", "sequence")
        .agg((pl.col("label").max() - pl.col("label").min()).alias("rise"), pl.len())
        .filter(pl.col("len") >= 3)
        .sort("rise", "subject", "sequence", descending=[True, False, False])
        .unique("subject", keep="first", maintain_order=True)
        .head(_COURSES)
    )
    courses = []
    for subject, sequence in order.select("subject", "sequence").iter_rows():
        part = one.filter((pl.col("subject") == subject) & (pl.col("sequence") == sequence))
        part = part.sort("position")
        courses.append(
            (
                names.subject(subject),
                part["position"].to_numpy().astype(np.float64),
                part["label"].to_numpy(),
                part["prediction"].clip(label.low, label.high).to_numpy(),
            )
        )
    return figures.time_courses("courses", courses, label.name) if courses else ""


def _comparison(rows: dict[str, pl.DataFrame], reference: Section, label: Label) -> Section:
    """Return every other experiment's difference to the first, paired by subject."""
    first, *others = rows
    if not others:
        return {"rows": [], "refused": {}}
    bootstrap = reference["bootstrap"]
    found, refused = {}, {}
    for name in others:
        try:
            found[name] = compare(
                rows[name], rows[first], label, bootstrap["resamples"], bootstrap["confidence"]
            )
        except DataError as error:
            refused[name] = str(error)
    panels = []
    for metric in ("pcc", "mae"):
        title, _, more = METRICS[metric]
        entries = {name: one["pooled"][metric] for name, one in found.items()}
        if any(entry["value"] is not None for entry in entries.values()):
            caption = f"{title}, difference to {first} ({'right' if more else 'left'} is better)"
            panels.append(figures.differences(f"difference-{metric}", entries, caption))
    return {
        "rows": [
            {"name": name, "entries": {metric: one["pooled"][metric] for metric in HEADLINE}}
            for name, one in found.items()
        ],
        "panels": panels,
        "refused": refused,
    }


def _seed_rows(metrics: dict[str, Section]) -> list[Section]:
    """Return each seed's figures where an experiment has several."""
    return [
        {"name": name, "seed": seed, "entries": {key: one["pooled"][key] for key in HEADLINE}}
        for name, measured in metrics.items()
        if len(measured["seeds"]) > 1
        for seed, one in measured["per_seed"].items()
    ]
