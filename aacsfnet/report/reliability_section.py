"""The report's section on how far single scores can be trusted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from aacsfnet.evaluation.results import Results
from aacsfnet.labels import Label
from aacsfnet.report.drawing import ACCENT, MUTED, SECOND, drawing
from aacsfnet.report.picture_sections import axis_of
from aacsfnet.report.result_sections import HEADLINE

Section = dict[str, Any]

_ORDERS = {
    "doubt": ("the most familiar faces kept", ACCENT),
    "width": ("the narrowest intervals kept", SECOND),
}


def reliability_section(results: Results, label: Label) -> Section:
    """Return the figures of intervals, abstention and relative scores of every experiment."""
    found = {name: results.metrics(name) for name in results.experiments}
    # An experiment that was evaluated before these figures were thought of has none.
    known = {name: each for name, each in found.items() if each and "intervals" in each}
    first = next(iter(known), None)
    intervals = {name: each["intervals"] for name, each in known.items() if each["intervals"]}
    abstained = {name: each["abstention"] for name, each in known.items() if each["abstention"]}
    return {
        "first": first,
        "intervals": intervals,
        "levels": intervals[first]["per_level"] if first in intervals else [],
        "level_figure": _levels_figure(intervals[first], label) if first in intervals else "",
        "abstained": abstained,
        "risk_figure": _risk_figure(abstained[first], label) if first in abstained else "",
        "relative": _relative_rows(known),
    }


def _relative_rows(known: Mapping[str, Section]) -> list[Section]:
    """Return figures of plain and relative scores, and their differences, as rows of a table."""
    rows = []
    for name, metrics in known.items():
        if metrics["relative"]:
            rows.append({"name": f"{name}: plain", "entries": metrics["pooled"]})
        for words, each in metrics["relative"].items():
            rows.append({"name": f"{name}: less {words}", "entries": each["pooled"]})
            difference = each["difference"]["pooled"]
            rows.append({"name": "difference to plain", "entries": difference, "baseline": True})
    return [row | {"entries": {key: row["entries"][key] for key in HEADLINE}} for row in rows]


def _levels_figure(intervals: Section, label: Label) -> str:
    """Return which share of each level's frames the intervals hold."""
    rows = intervals["per_level"]
    levels = [row["level"] for row in rows]
    value, low, high = _ends([row["coverage"] for row in rows])
    with drawing("coverage-levels", (6.4, 2.8)) as (svg, (ax,)):
        ax.axhline(intervals["asked"], color=MUTED, linestyle="--", linewidth=1, label="asked")
        ax.vlines(levels, low, high, color=ACCENT, linewidth=2)
        ax.plot(levels, value, "o", color=ACCENT, label="held")
        ax.set(xlabel=f"{axis_of(label)}, labelled", ylabel="frames held", ylim=(0, 1.03))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.legend(fontsize=8, loc="lower left")
    return svg.getvalue()


def _risk_figure(abstention: Section, label: Label) -> str:
    """Return the mean absolute error of the frames kept against how many are kept."""
    with drawing("risk-coverage", (6.4, 3.0)) as (svg, (ax,)):
        for name, (words, colour) in _ORDERS.items():
            curve = abstention["risk"][name]
            kept = [point["coverage"] for point in curve]
            value, low, high = _ends([point["mae"] for point in curve])
            ax.fill_between(kept, low, high, color=colour, alpha=0.12, linewidth=0)
            ax.plot(kept, value, ".-", color=colour, linewidth=1.4, label=words)
        everything = abstention["risk"]["doubt"][0]["mae"]["value"]
        ax.axhline(everything, color=MUTED, linestyle="--", linewidth=1, label="all frames")
        ax.set(xlabel="frames kept", ylabel=f"mean absolute error ({label.name})")
        ax.xaxis.set_major_formatter(PercentFormatter(1.0))
        ax.set_ylim(bottom=0)
        ax.legend(fontsize=8)
    return svg.getvalue()


def _ends(entries: Sequence[Section]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return value, low and high of entries, NaN where undefined."""
    value, low, high = (
        np.array([entry[key] for entry in entries], np.float64) for key in ("value", "low", "high")
    )
    return value, low, high
