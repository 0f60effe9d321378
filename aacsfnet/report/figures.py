"""The report's plots: each function takes arrays or plain values and returns SVG text.

`name` is that of the figure, with which its ids begin; `axis` is the name of the label.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from aacsfnet.report.drawing import ACCENT, DENSITY, GRID, INK, MUTED, SECOND, SERIES, drawing

Floats = NDArray[np.float64]
Series = Mapping[str, tuple[Sequence[float], Sequence[float]]]


def histogram(
    name: str, levels: Sequence[float], counts: Sequence[int], axis: str, width: float
) -> str:
    """Return how many frames each label level has, `(n,)`; counts on a logarithmic scale.

    `width` is that of a bar, in label units.
    """
    with drawing(name, (6.4, 2.7)) as (svg, (ax,)):
        bars = ax.bar(levels, counts, width=0.8 * width, color=ACCENT)
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.yaxis.set_minor_formatter("")  # else a short axis labels these too, in powers of ten
        ax.set_ylim(0.7, max(counts, default=1) * 3)
        ax.set(xlabel=axis, ylabel="frames (log scale)")
        if len(levels) <= 17:
            ax.bar_label(bars, [f"{count:,}" for count in counts], fontsize=8, padding=2)
            ax.set_xticks(list(levels), [f"{level:g}" for level in levels])
        ax.grid(False, axis="x")
    return svg.getvalue()


def score_histograms(
    name: str,
    scores: Mapping[str, tuple[Floats, Floats, float | None]],
    titles: Mapping[str, str],
) -> str:
    """Return the distribution of each of the gate's scores, accepted and rejected.

    `scores` holds by column values of accepted and of rejected pictures, and the threshold if any;
    `titles` what a score is, with its unit.
    """
    with drawing(name, (3.3 * len(scores), 2.6), 1, len(scores)) as (svg, axes):
        for ax, (column, (accepted, rejected, threshold)) in zip(axes, scores.items(), strict=True):
            everything = np.concatenate([accepted, rejected])
            low, high = np.quantile(everything, [0, 0.99])
            edges = np.linspace(float(low), float(high), 25)
            if edges[0] == edges[-1]:
                edges = np.linspace(edges[0] - 0.5, edges[0] + 0.5, 25)
            parts = [np.clip(values, edges[0], edges[-1]) for values in (accepted, rejected)]
            colours, kinds = [ACCENT, SECOND], ["accepted", "rejected"]
            ax.hist(parts, edges.tolist(), stacked=True, color=colours, label=kinds)
            if threshold is not None and edges[0] <= threshold <= edges[-1]:
                ax.axvline(threshold, color=INK, linewidth=1.2, linestyle="--", label="limit")
            ax.set(xlabel=titles[column])
            ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
            ax.grid(False, axis="x")
        axes[0].set_ylabel("pictures")
        axes[0].legend(fontsize=8)
    return svg.getvalue()


def roc(
    name: str,
    curves: Mapping[str, tuple[Floats, Floats, Mapping[str, tuple[float, float]]]],
) -> str:
    """Return receiver operating characteristics of bounds on a score, with operating points.

    `curves` holds by score which share of pairs with other labels and of pairs with equal labels
    passes each bound, and by name of a bound the share of equal and of other pairs at it.
    """
    marks = dict.fromkeys(words for _, _, points in curves.values() for words in points)
    looks = dict(zip(marks, zip("os^", (SECOND, INK, MUTED), strict=True), strict=False))
    with drawing(name, (3.4 * len(curves), 3.3), 1, len(curves)) as (svg, axes):
        for ax, (title, (different, same, points)) in zip(axes, curves.items(), strict=True):
            ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--")
            ax.plot([0, *different, 1], [0, *same, 1], color=ACCENT, linewidth=1.6)
            for words, (equal, others) in points.items():
                marker, colour = looks[words]
                ax.plot(others, equal, marker, color=colour, markersize=6, label=words)
            ax.set(
                title=title, xlabel="other labels: share that passes", xlim=(0, 1), ylim=(0, 1.02)
            )
            ax.legend(fontsize=8, loc="lower right")
        axes[0].set_ylabel("equal labels: share that passes")
    return svg.getvalue()


def learning_curves(name: str, panels: Mapping[str, Series]) -> str:
    """Return one panel a quantity (training loss, validation measures), one thin line a fold."""
    with drawing(name, (3.3 * len(panels), 2.5), 1, len(panels)) as (svg, axes):
        for ax, (quantity, series) in zip(axes, panels.items(), strict=True):
            for number, (fold, (epochs, values)) in enumerate(series.items()):
                ax.plot(
                    epochs,
                    values,
                    color=SERIES[number % len(SERIES)],
                    linewidth=1.4,
                    alpha=1.0 if len(series) <= 6 else 0.5,
                    marker="." if len(epochs) < 3 else None,
                    label=fold,
                )
            ax.set(xlabel="epoch", title=quantity)
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if len(next(iter(panels.values()))) <= 6:
            axes[0].legend(fontsize=8)
    return svg.getvalue()


def density(
    name: str, labels: Floats, predictions: Floats, limits: tuple[float, float], axis: str
) -> str:
    """Return predictions against labels: how many frames lie where, and the mean at each level.

    Args:
        name: of the figure.
        labels: `(n,)`.
        predictions: `(n,)`, clipped to `limits`.
        limits: lowest and highest label of the scale; the axes end at the highest value found.
        axis: the label.
    """
    low, span = limits[0], limits[1] - limits[0]
    top = min(limits[1], max(labels.max(), predictions.max()) + 0.06 * span)
    step = 1.0 if span >= 2 else span / 10
    x_edges = np.arange(low - step / 2, top + step, step)
    y_edges = np.linspace(low, top, 41)
    counts, _, _ = np.histogram2d(labels, predictions, [x_edges, y_edges])
    # Each level's frames are spread over the predictions in percent, or level 0 would hide all.
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with drawing(name, (3.9, 3.5)) as (svg, (ax,)):
        shown = np.where(share.T > 0, share.T, np.nan)
        extent = (x_edges[0], x_edges[-1], y_edges[0], y_edges[-1])
        ax.imshow(
            shown, origin="lower", extent=extent, aspect="auto", cmap=DENSITY,
            interpolation="nearest",
        )  # fmt: skip
        ax.plot([low, top], [low, top], color=MUTED, linewidth=1, linestyle="--", label="ideal")
        centres = (x_edges[:-1] + x_edges[1:]) / 2
        means = [
            predictions[(labels >= a) & (labels < b)].mean() if n else np.nan
            for a, b, n in zip(x_edges[:-1], x_edges[1:], counts.sum(axis=1), strict=True)
        ]
        ax.plot(centres, means, "o", color=INK, markersize=4, label="mean at the level")
        ax.set(xlabel=f"{axis}, labelled", ylabel=f"{axis}, predicted", ylim=(low, top))
        if step == 1.0:
            ax.xaxis.set_major_locator(MaxNLocator(9, integer=True))
        ax.legend(fontsize=8, loc="upper left")
    return svg.getvalue()


def subjects(
    name: str, names: Sequence[str], mae: Floats, zero: Floats, pcc: Floats, axis: str
) -> str:
    """Return each subject's error beside always-0's, and its correlation; sorted by error.

    Args:
        name: of the figure.
        names: `(n,)` as shown.
        mae: `(n,)` mean absolute errors.
        zero: `(n,)` those of the baseline that always says 0.
        pcc: `(n,)`, NaN where undefined.
        axis: name of the label, the errors' unit.
    """
    order = np.argsort(mae)
    place = np.arange(len(order))
    height = min(9.0, 1.2 + 0.21 * len(order))
    with drawing(name, (7.2, height), 1, 2) as (svg, (left, right)):
        left.hlines(place, mae[order], zero[order], color=GRID, linewidth=2)
        left.plot(zero[order], place, "o", color=MUTED, fillstyle="none", label="always 0")
        left.plot(mae[order], place, "o", color=ACCENT, label="network")
        left.set(xlabel=f"mean absolute error ({axis})")
        left.set_xlim(left=0)
        left.legend(fontsize=8, loc="lower right")
        right.axvline(0, color=MUTED, linewidth=1)
        right.plot(pcc[order], place, "o", color=ACCENT)
        right.set(xlabel="PCC (no dot: undefined)", xlim=(-1.05, 1.05))
        for ax in (left, right):
            ax.set_ylim(-0.7, len(order) - 0.3)
            ax.set_yticks([])
        if len(order) <= 40:
            left.set_yticks(place, [names[i] for i in order], fontsize=8)
        else:
            left.set_ylabel(f"{len(order)} subjects, least error below")
    return svg.getvalue()


def level_errors(
    name: str, errors: Mapping[str, Sequence[Mapping[str, Any]]], axis: str, zero: bool
) -> str:
    """Return each experiment's mean absolute error at each label level, with intervals.

    `errors` holds by experiment `per_level` of its `metrics.json`; `zero` draws always saying 0.
    """
    with drawing(name, (6.4, 3.0)) as (svg, (ax,)):
        for number, (experiment, rows) in enumerate(errors.items()):
            colour = SERIES[number % len(SERIES)]
            levels = np.array([row["level"] for row in rows])
            value, low, high = (
                np.array([row["mae"][key] for row in rows], dtype=float)
                for key in ("value", "low", "high")
            )
            ax.plot(levels, value, "o-", color=colour, markersize=4, linewidth=1.4,
                    label=experiment)  # fmt: skip
            ax.fill_between(levels, low, high, color=colour, alpha=0.15, linewidth=0)
        if zero:
            top = max(row["level"] for rows in errors.values() for row in rows)
            ax.plot([0, top], [0, top], color=MUTED, linestyle="--", linewidth=1, label="always 0")
        ax.set(xlabel=f"{axis}, labelled", ylabel="mean absolute error")
        ax.set_ylim(bottom=0)
        ax.legend(fontsize=8)
    return svg.getvalue()


def time_courses(
    name: str, courses: Sequence[tuple[str, Floats, Floats, Floats]], axis: str
) -> str:
    """Return labels and predictions along sequences: title, frame numbers, labels, predictions."""
    columns = min(2, len(courses))
    rows = -(-len(courses) // columns)
    with drawing(name, (3.6 * columns, 1.9 * rows + 0.3), rows, columns) as (svg, axes):
        top = max(max(label.max(), got.max()) for _, _, label, got in courses)
        for ax, (title, frames, label, got) in zip(axes, courses, strict=False):
            ax.step(frames, label, where="mid", color=INK, linewidth=1.2, label="labelled")
            ax.plot(frames, got, color=ACCENT, linewidth=1.6, label="predicted")
            ax.set(title=title, ylim=(-0.04 * top, 1.08 * top or 1), ylabel=axis, xlabel="frame")
            ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        for ax in axes[len(courses) :]:
            ax.remove()
        axes[0].legend(fontsize=8)
    return svg.getvalue()


def differences(name: str, found: Mapping[str, Mapping[str, Any]], title: str) -> str:
    """Return each experiment's difference to the first one, as `{"value", "low", "high"}`.

    `title` says which measure, and which way is better.
    """
    with drawing(name, (6.4, 0.9 + 0.32 * len(found))) as (svg, (ax,)):
        ax.axvline(0, color=MUTED, linewidth=1)
        for place, entry in enumerate(found.values()):
            if entry["low"] is not None:
                ax.hlines(place, entry["low"], entry["high"], color=ACCENT, linewidth=2)
            if entry["value"] is not None:
                ax.plot(entry["value"], place, "o", color=ACCENT)
        ax.set_yticks(range(len(found)), list(found))
        ax.set(xlabel=title, ylim=(-0.6, len(found) - 0.4))
        ax.invert_yaxis()
        ax.grid(False, axis="y")
    return svg.getvalue()
