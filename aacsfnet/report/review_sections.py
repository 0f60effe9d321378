"""What a reviewer asks, as tables and plots: the page's section and the files beside it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.evaluation.agreement import AGREEMENT
from aacsfnet.evaluation.binary import BINARY
from aacsfnet.evaluation.metrics import METRICS
from aacsfnet.evaluation.paired import TESTED, holm, people_tests
from aacsfnet.evaluation.results import Results
from aacsfnet.evaluation.subgroups import COMPARED
from aacsfnet.evaluation.summaries import subject_table
from aacsfnet.labels import Label
from aacsfnet.report import review_figures
from aacsfnet.report.names import Names
from aacsfnet.report.picture_sections import axis_of
from aacsfnet.report.result_sections import BASELINES
from aacsfnet.report.result_tables import Cell, Table

Section = dict[str, Any]

_VIEWS = {"pooled": "all frames", "by_subject": "subjects"}
#: Names of measures in tables, the bias among them.
_TITLES = {name: title for name, (title, _, _) in METRICS.items()} | {"bias": "Bias"}


def review_section(results: Results, names: Names, label: Label, comparison: Section) -> Section:
    """Return every table of figures, and the plots of the first experiment that has any.

    Args:
        results: of the data set.
        names: what subjects are called.
        label: the label's name, range and meaning.
        comparison: the differences between experiments, from `result_sections.results_section`.
    """
    measured = {name: results.metrics(name) for name in results.experiments}
    # Figures of before this review's lack what is shown here; the workflow evaluates again.
    known = {name: found for name, found in measured.items() if found and "binary" in found}
    if not known:
        return {"tables": {}, "files": [], "first": None}
    first = next(iter(known))
    rows = {name: found for name in known if (found := results.predictions(name)) is not None}
    tables = [
        *_headline(known),
        _levels(known, label),
        _binary(known, label),
        _agreement(known),
        _lines(known),
        _calibration(known, label),
        _differences(rows, comparison, label),
        _geometry(known),
        _groups(known),
        _gaps(known),
        _each_seed(known),
        _over_seeds(known),
        _subjects(rows, names, label),
    ]
    tables = [table for table in tables if table.rows]
    return {
        "first": first,
        "tables": {table.name: table for table in tables},
        "files": tables,
        "agreement": _bland_altman(rows[first], known[first], label) if first in rows else "",
        "calibration": review_figures.calibration(
            "calibration",
            {name: found["calibration"]["by_prediction"] for name, found in known.items()},
            axis_of(label),
            max(row["level"] for row in known[first]["per_level"]),
        ),
        "groups": _group_figure(known[first]),
        "few": [
            f"{group['group']} ({group['subjects']})"
            for column in known[first]["groups"]["columns"].values()
            for group in column["groups"]
            if group["few"]
        ],
        "limits": known[first]["groups"],
        "apart": [
            (name, gap)
            for name, found in known.items()
            for gap in found["groups"]["gaps"]
            if gap["apart"]
        ],
        "cut_offs": known[first]["folds"] > 1,
        "measures": _TITLES,
    }


def _headline(known: Mapping[str, Section]) -> list[Table]:
    first = next(iter(known.values()))
    found = []
    for view, words in _VIEWS.items():
        rows = [
            [name, *(metrics[view][metric] for metric in METRICS)]
            for name, metrics in known.items()
        ]
        rows += [
            [title, *(first["baselines"][name][view][metric] for metric in METRICS)]
            for name, title in BASELINES.items()
            if name in first["baselines"]
        ]
        head = ("Experiment", *(title for title, _, _ in METRICS.values()))
        found.append(Table(f"figures-{view}", f"Figures over {words}", head, rows))
    rows = [
        [name, *(metrics["unclipped"]["pooled"][metric] for metric in METRICS)]
        for name, metrics in known.items()
    ]
    return [*found, Table("figures-unclipped", "Figures over all frames, unclipped", head, rows)]


def _levels(known: Mapping[str, Section], label: Label) -> Table:
    rows = [
        [name, row["level"], row["frames"], row["subjects"], row["mae"]]
        for name, metrics in known.items()
        for row in metrics["per_level"]
    ]
    head = ("Experiment", label.name, "Frames", "Subjects", "MAE")
    return Table("levels", "Error by label level", head, rows)


def _binary(known: Mapping[str, Section], label: Label) -> Table:
    rows: list[Sequence[Cell]] = [
        [
            name,
            f"≥ {one['threshold']:g}",
            words,
            one["frames"],
            one["subjects"],
            one["prevalence"],
            *(one[view][figure] for figure in BINARY),
        ]
        for name, metrics in known.items()
        for one in metrics["binary"]
        for view, words in _VIEWS.items()
    ]
    titles = [title for title, _ in BINARY.values()]
    head = ("Experiment", label.name, "Over", "Frames", "Who show it", "Prevalence", *titles)
    return Table("binary", f"{label.name} at or above a level, or below", head, rows)


def _agreement(known: Mapping[str, Section]) -> Table:
    rows = [
        [name, *(metrics["agreement"][figure] for figure in AGREEMENT)]
        for name, metrics in known.items()
    ]
    head = ("Experiment", *(title for title, _ in AGREEMENT.values()))
    return Table("agreement", "Limits of agreement and minimal detectable change", head, rows)


def _lines(known: Mapping[str, Section]) -> Table:
    rows = [
        [name, metrics["calibration"]["slope"], metrics["calibration"]["intercept"]]
        for name, metrics in known.items()
    ]
    head = ("Experiment", "Slope", "Intercept")
    return Table("calibration-line", "Line from predictions to labels", head, rows)


def _calibration(known: Mapping[str, Section], label: Label) -> Table:
    rows: list[Sequence[Cell]] = [
        [name, of, row["level"], row["frames"], row["subjects"], row[value]]
        for name, metrics in known.items()
        for view, of, value in (
            ("by_label", "labelled", "prediction"),
            ("by_prediction", "predicted", "label"),
        )
        for row in metrics["calibration"][view]
    ]
    head = ("Experiment", "Level", label.name, "Frames", "Subjects", "Mean of the other")
    return Table(
        "calibration", "Predictions at each label and labels at each prediction", head, rows
    )


def _differences(rows: Mapping[str, pl.DataFrame], comparison: Section, label: Label) -> Table:
    """Return each experiment's paired difference to the first, with tests over people."""
    first = next(iter(rows), "")
    tests = {
        one["name"]: people_tests(rows[one["name"]], rows[first], label)
        for one in comparison["rows"]
        if one["name"] in rows
    }
    adjusted = {
        measure: dict(zip(tests, holm([test[measure].p for test in tests.values()]), strict=True))
        for measure in TESTED
    }
    found = [
        [
            one["name"],
            _TITLES[measure],
            one["entries"][measure],
            test.people,
            _known(test.median),
            _known(test.p),
            _known(adjusted[measure][one["name"]]),
        ]
        for one in comparison["rows"]
        if one["name"] in tests
        for measure, test in tests[one["name"]].items()
    ]
    head = ("Experiment", "Measure", "Difference", "People", "Median of theirs", "p", "p, Holm")
    return Table("differences", f"Differences to {first}", head, found)


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _geometry(known: Mapping[str, Section]) -> Table:
    rows = [
        [name, words, *(baseline["network_less_geometry"][view][metric] for metric in METRICS)]
        for name, metrics in known.items()
        if (baseline := metrics["baselines"].get("geometry"))
        for view, words in _VIEWS.items()
    ]
    head = ("Experiment", "Over", *(title for title, _, _ in METRICS.values()))
    return Table("geometry", "Network less the regression on facial measures", head, rows)


def _groups(known: Mapping[str, Section]) -> Table:
    rows = [
        [
            name,
            column,
            group["group"],
            group["subjects"],
            "few" if group["few"] else "",
            group["frames"],
            *(group["pooled"][measure] for measure in COMPARED),
        ]
        for name, metrics in known.items()
        for column, found in metrics["groups"]["columns"].items()
        for group in found["groups"]
    ]
    titles = [_TITLES[name] for name in COMPARED]
    head = ("Experiment", "By", "Group", "People", "Few", "Frames", *titles)
    return Table("groups", "Figures by group of people, over all frames", head, rows)


def _gaps(known: Mapping[str, Section]) -> Table:
    rows = [
        [
            name,
            gap["column"],
            _TITLES[gap["measure"]],
            gap["first"],
            gap["second"],
            {key: gap[key] for key in ("value", "low", "high")},
            "apart" if gap["apart"] else "open",
        ]
        for name, metrics in known.items()
        for gap in metrics["groups"]["gaps"]
    ]
    head = ("Experiment", "By", "Measure", "Higher in", "than in", "Gap", "Verdict")
    return Table("gaps", "Largest gap between groups, with simultaneous intervals", head, rows)


def _each_seed(known: Mapping[str, Section]) -> Table:
    rows = [
        [name, seed, words, *(one[view][metric] for metric in METRICS)]
        for name, metrics in known.items()
        if len(metrics["seeds"]) > 1
        for seed, one in metrics["per_seed"].items()
        for view, words in _VIEWS.items()
    ]
    head = ("Experiment", "Seed", "Over", *(title for title, _, _ in METRICS.values()))
    return Table("each-seed", "Figures of each training seed", head, rows)


def _over_seeds(known: Mapping[str, Section]) -> Table:
    rows = [
        [
            name,
            words,
            _TITLES[metric],
            metrics[view][metric],
            *(spread[view][metric][key] for key in ("sd", "lowest", "highest")),
        ]
        for name, metrics in known.items()
        if (spread := metrics["over_seeds"])
        for view, words in _VIEWS.items()
        for metric in METRICS
    ]
    head = (
        *("Experiment", "Over", "Measure", "Figure, interval over people"),
        *("SD over seeds", "Lowest seed", "Highest seed"),
    )
    return Table("seeds", "Spread over training seeds beside the interval over people", head, rows)


def _subjects(rows: Mapping[str, pl.DataFrame], names: Names, label: Label) -> Table:
    found = []
    for name, predictions in rows.items():
        for row in subject_table(predictions, label).iter_rows(named=True):
            figures = [_known(row[metric]) for metric in METRICS]
            found.append([name, names.subject(row["subject"]), row["frames"], *figures])
    head = ("Experiment", "Subject", "Frames", *(title for title, _, _ in METRICS.values()))
    return Table("subjects", "Each subject", head, found)


def _bland_altman(rows: pl.DataFrame, metrics: Section, label: Label) -> str:
    clipped = rows["prediction"].clip(label.low, label.high).to_numpy()
    return review_figures.bland_altman(
        "bland-altman", clipped, rows["label"].to_numpy(), metrics["agreement"], label.name
    )


def _group_figure(metrics: Section) -> str:
    rows = [
        (f"{group['group']} ({group['subjects']})", group["pooled"]["mae"], group["pooled"]["bias"])
        for column in metrics["groups"]["columns"].values()
        for group in column["groups"]
    ]
    return review_figures.groups("groups", rows) if rows else ""
