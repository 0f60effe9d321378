"""Tables of the figures in `metrics.json`, of experiments or of anybody's predictions."""

from collections.abc import Mapping, Sequence
from typing import Any

from aacsfnet.evaluation.agreement import AGREEMENT
from aacsfnet.evaluation.binary import BINARY
from aacsfnet.evaluation.metrics import METRICS
from aacsfnet.evaluation.subgroups import COMPARED
from aacsfnet.labels import Label
from aacsfnet.report.result_sections import BASELINES
from aacsfnet.report.result_tables import Cell, Table

Section = dict[str, Any]

_VIEWS = {"pooled": "all frames", "by_subject": "subjects"}
#: Names of measures in tables, the bias among them.
TITLES = {name: title for name, (title, _, _) in METRICS.items()} | {"bias": "Bias"}


def figure_tables(known: Mapping[str, Section], label: Label) -> list[Table]:
    """Return all tables that have rows.

    Args:
        known: `metrics.json` by experiment, or by the name of a file.
        label: the label's name, range and meaning.
    """
    tables = [
        *_headline(known),
        _levels(known, label),
        _binary(known, label),
        _agreement(known),
        _lines(known),
        _calibration(known, label),
        _geometry(known),
        _groups(known),
        _gaps(known),
        _each_seed(known),
        _over_seeds(known),
    ]
    return [table for table in tables if table.rows]


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
    titles = [TITLES[name] for name in COMPARED]
    head = ("Experiment", "By", "Group", "People", "Few", "Frames", *titles)
    return Table("groups", "Figures by group of people, over all frames", head, rows)


def _gaps(known: Mapping[str, Section]) -> Table:
    rows = [
        [
            name,
            gap["column"],
            TITLES[gap["measure"]],
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
            TITLES[metric],
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
