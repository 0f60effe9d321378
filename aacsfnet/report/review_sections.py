"""What a reviewer asks, as tables and plots: the page's section and the files beside it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.evaluation.metrics import METRICS
from aacsfnet.evaluation.paired import TESTED, holm, people_tests
from aacsfnet.evaluation.results import Results
from aacsfnet.evaluation.summaries import subject_table
from aacsfnet.labels import Label
from aacsfnet.report import review_figures
from aacsfnet.report.figure_tables import TITLES, figure_tables
from aacsfnet.report.names import Names
from aacsfnet.report.picture_sections import axis_of
from aacsfnet.report.result_tables import Table

Section = dict[str, Any]


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
        *figure_tables(known, label),
        _differences(rows, comparison, label),
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
        "measures": TITLES,
    }


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
            TITLES[measure],
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
