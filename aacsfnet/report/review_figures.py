"""The plots of a review: Bland and Altman's, calibration, figures by group."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from aacsfnet.report.drawing import ACCENT, DENSITY, INK, MUTED, SERIES, drawing
from aacsfnet.report.figures import Floats


def bland_altman(
    name: str, predictions: Floats, labels: Floats, found: Mapping[str, Any], axis: str
) -> str:
    """Return each frame's error over the mean of prediction and label, with the limits.

    Args:
        name: of the figure.
        predictions: `(n,)`.
        labels: `(n,)`.
        found: `agreement` of `metrics.json`.
        axis: the label.
    """
    middles, errors = (predictions + labels) / 2, predictions - labels
    with drawing(name, (6.4, 3.0)) as (svg, (ax,)):
        counts, x_edges, y_edges = np.histogram2d(middles, errors, bins=(60, 40))
        # Most frames are alike; on a plain scale nothing else would be seen.
        shade = np.where(counts.T > 0, np.log1p(counts.T), np.nan)
        ax.imshow(
            shade,
            origin="lower",
            extent=(x_edges[0], x_edges[-1], y_edges[0], y_edges[-1]),
            aspect="auto",
            cmap=DENSITY,
            interpolation="nearest",
        )
        for key, words, style in (
            ("bias", "bias", "-"),
            ("upper", "limits of agreement", "--"),
            ("lower", None, "--"),
        ):
            if (value := found[key]["value"]) is not None:
                ax.axhline(value, color=INK, linewidth=1.2, linestyle=style, label=words)
        ax.axhline(0, color=MUTED, linewidth=0.8)
        ax.set(xlabel=f"mean of prediction and label ({axis})", ylabel="prediction less label")
        ax.legend(fontsize=8)
    return svg.getvalue()


def calibration(
    name: str, found: Mapping[str, Sequence[Mapping[str, Any]]], axis: str, top: float
) -> str:
    """Return the mean label at each predicted level, with intervals.

    `found` holds by experiment `calibration.by_prediction` of its `metrics.json`.
    """
    with drawing(name, (4.6, 3.4)) as (svg, (ax,)):
        for number, (experiment, rows) in enumerate(found.items()):
            known = [row for row in rows if row["label"]["value"] is not None]
            colour = SERIES[number % len(SERIES)]
            levels = [row["level"] for row in known]
            ax.plot(
                levels,
                [row["label"]["value"] for row in known],
                "o-",
                color=colour,
                markersize=4,
                linewidth=1.4,
                label=experiment,
            )
            sure = [row for row in known if row["label"]["low"] is not None]
            ax.vlines(
                [row["level"] for row in sure],
                [row["label"]["low"] for row in sure],
                [row["label"]["high"] for row in sure],
                color=colour,
                linewidth=1,
                alpha=0.6,
            )
        lowest = min((row["level"] for rows in found.values() for row in rows), default=0)
        ax.plot(
            [lowest, top], [lowest, top], color=MUTED, linestyle="--", linewidth=1, label="ideal"
        )
        ax.set(xlabel=f"{axis}, predicted level", ylabel=f"{axis}, mean label")
        ax.legend(fontsize=8)
    return svg.getvalue()


def groups(name: str, rows: Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """Return error and bias of each group with intervals: who it is, MAE, bias."""
    with drawing(name, (7.2, 1.0 + 0.3 * len(rows)), 1, 2) as (svg, axes):
        for ax, title, at in zip(axes, ("mean absolute error", "bias"), (1, 2), strict=True):
            for place, entry in enumerate(row[at] for row in rows):
                assert not isinstance(entry, str)
                if entry["low"] is not None:
                    ax.hlines(place, entry["low"], entry["high"], color=ACCENT, linewidth=2)
                if entry["value"] is not None:
                    ax.plot(entry["value"], place, "o", color=ACCENT)
            ax.set(xlabel=title, ylim=(len(rows) - 0.4, -0.6))
            ax.xaxis.set_major_locator(MaxNLocator(5))
            ax.grid(False, axis="y")
            ax.set_yticks([])
        axes[0].set_yticks(range(len(rows)), [row[0] for row in rows], fontsize=8)
        axes[1].axvline(0, color=MUTED, linewidth=1)
    return svg.getvalue()
