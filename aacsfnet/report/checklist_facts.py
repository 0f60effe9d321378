"""What a run knows of itself, in sentences: the filled-in part of the reporting checklist."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from aacsfnet import tables
from aacsfnet.config import Config
from aacsfnet.datasets.index import counts
from aacsfnet.evaluation.results import Results
from aacsfnet.evaluation.thresholds import thresholds_of
from aacsfnet.labels import Label
from aacsfnet.report.result_tables import shown


@dataclass(frozen=True)
class Run:
    """What is known of a run."""

    config: Config
    results: Results
    label: Label
    metrics: dict[str, dict[str, Any]]
    origin: dict[str, Any]

    @property
    def index(self) -> pl.DataFrame:
        """Return the index: one row a frame."""
        return self.results.index


def source(run: Run) -> list[str]:
    """Return where the data come from and how many there are."""
    return [
        f"Data set `{run.config.dataset}`: {_people(run)}, {len(run.index):,} frames in"
        f" {run.index.select('subject', 'sequence').n_unique():,} sequences."
    ]


def _people(run: Run) -> str:
    return f"{run.index['subject'].n_unique()} people"


def preparation(run: Run) -> list[str]:
    """Return how pictures were prepared."""
    crop, merge = run.config.crop, run.config.merge
    return [
        f"Faces found, levelled and cropped to {crop.size} pixels; pictures of"
        f" {merge.image_size} pixels of the middle {merge.kept:.0%} reach the network.",
        "The same for everybody: no step is fitted to groups.",
    ]


def outcome(run: Run) -> list[str]:
    """Return what is predicted."""
    label = run.label
    return [f"`{label.name}`, {label.low:g} to {label.high:g}: {label.meaning}."]


def predictors(run: Run) -> list[str]:
    """Return what it is predicted from."""
    return ["One picture of the face. Neither sex, age nor anything else about the person."]


def size(run: Run) -> list[str]:
    """Return how many people and frames there are."""
    usable = run.index.filter(pl.col("status") == "ok")
    above = usable.filter(pl.col("label") > run.label.low)
    return [
        f"{_people(run)}; {len(usable):,} usable frames, {len(above):,} of them above the lowest"
        f" label, of {above['subject'].n_unique()} people."
    ]


def missing(run: Run) -> list[str]:
    """Return what was left out, and why."""
    found = []
    for stage in ("index", "landmarks"):
        rows = run.index if stage == "index" else run.results.columns(stage, ["status"])
        left = {
            name: count
            for name, count in counts(rows, "status").items()
            if name not in tables.LOOKED_AT
        }
        words = ", ".join(f"{tables.STATUSES[name]}: {count:,}" for name, count in left.items())
        found.append(f"Frames left out by `{stage}`: {words or 'none'}.")
    if without := counts(run.index, "status").get("unlabelled"):
        found.append(f"Frames without a label, for pretraining on geometry alone: {without:,}.")
    return [*found, "Frames without a label are left out, never counted as 0."]


def folds(run: Run) -> list[str]:
    """Return how people are dealt into training and test."""
    merge, seeds = run.config.merge, run.config.training_seeds
    split = {
        "loso": "one person is left out at a time",
        "given": "one fold, as the data's own column says",
    }.get(str(merge.folds), f"{merge.folds} folds of people")
    return [
        f"Internal validation by people: {split}; {merge.validation_subjects} people of each"
        " fold's training select the epoch; no picture of anybody tested, real or generated,"
        " reaches that fold's training.",
        f"Training seeds: {', '.join(map(str, seeds))}.",
        f"Intervals: {_bootstrap(run)}",
    ]


def _bootstrap(run: Run) -> str:
    settings = run.config.evaluate
    return (
        f"{settings.bootstrap:,} bootstrap resamples of people, {settings.confidence:.0%},"
        " expanded percentile."
    )


def model(run: Run) -> list[str]:
    """Return which networks were trained."""
    train = run.config.train
    return [
        f"`{train.model}` on `{train.network.backbone}`, branches"
        f" {', '.join(train.network.branches)}; loss `{train.loss}`, {train.epochs} epochs,"
        f" learning rate {train.learning_rate:g}; weights at the start:"
        f" {'a file' if isinstance(train.pretrained, Path) else train.pretrained or 'random'}.",
        f"Experiments: {', '.join(run.results.experiments)}.",
    ]


def measures(run: Run) -> list[str]:
    """Return which figures are given."""
    levels = ", ".join(
        f"{level:g}" for level in thresholds_of(run.label, run.config.evaluate.thresholds)
    )
    return [
        "PCC, ICC(3,1), CCC, MAE, RMSE, MSE and macro MAE, over all frames and averaged over"
        " people; undefined ones counted.",
        f"AUROC, AUPRC and F1 of labels at or above {levels}, cut-offs from training people.",
        "Limits of agreement, minimal detectable change, calibration of levels.",
        "Beside always 0, the training mean, and a ridge regression on facial measures.",
    ]


def imbalance(run: Run) -> list[str]:
    """Return what was done about rare labels."""
    train = run.config.train
    balance = " and ".join(train.balance) or "nothing"
    made = "with" if train.synthetic else "without"
    return [
        f"Sampling balanced over {balance}; re-weighting of rare labels {train.rarity:g};"
        f" {made} generated pictures ({', '.join(train.kinds)})."
    ]


def fairness(run: Run) -> list[str]:
    """Return which groups were compared, and what was found."""
    found = [
        "Compared by "
        + (", ".join(run.config.evaluate.groups) or "nothing")
        + "; the intervals of gaps are simultaneous."
    ]
    for name, metrics in run.metrics.items():
        apart = [gap for gap in metrics["groups"]["gaps"] if gap["apart"]]
        found += [
            f"{name}: {gap['measure']} by {gap['column']}, {gap['first']} above {gap['second']} by"
            f" {shown(_figure(gap))}."
            for gap in apart
        ]
        if metrics["groups"]["gaps"] and not apart:
            found.append(f"{name}: no gap is certain.")
        few = [
            f"{group['group']} ({group['subjects']})"
            for column in metrics["groups"]["columns"].values()
            for group in column["groups"]
            if group["few"]
        ]
        if few:
            found.append(f"Few people: {', '.join(few)}; a gap may be there that is not found.")
            break
    return found


def _figure(gap: dict[str, Any]) -> dict[str, Any]:
    return {key: gap[key] for key in ("value", "low", "high")}


def output(run: Run) -> list[str]:
    """Return what the network says."""
    return [
        f"A continuous score, clipped to {run.label.low:g}–{run.label.high:g}; the figures without"
        " clipping are given too. It is observed expression, not felt pain."
    ]


def people_of_both(run: Run) -> list[str]:
    """Return how training and tested people differ."""
    return [
        "Training and evaluation people come from the same data and differ in nothing planned;"
        " generated pictures are in training alone."
    ]


def code(run: Run) -> list[str]:
    """Return which code ran."""
    commit = run.origin["commit"]
    versions = run.origin["versions"]
    words = f", commit `{commit['name']}`" if commit else ""
    altered = " (altered since)" if commit and commit["altered"] else ""
    return [
        f"aacsfnet {versions['aacsfnet']}{words}{altered}, Apache-2.0; settings"
        f" `{run.origin['settings_hash']}`, printed in the report."
    ]


def flow(run: Run) -> list[str]:
    """Return how many frames were left at each step."""
    usable = run.results.columns("landmarks", ["status"]).filter(pl.col("status") == "ok")
    tested = next(iter(run.metrics.values()), None)
    words = f" → {tested['frames']:,} tested, of {tested['subjects']} people" if tested else ""
    return [f"{len(run.index):,} frames → {len(usable):,} with a face{words}."]


def characteristics(run: Run) -> list[str]:
    """Return who the people are and what they show."""
    found = []
    for column in ("sex", "age_group"):
        people = run.index.group_by("subject").agg(pl.col(column).unique().sort().first())
        rows = people[column].value_counts().sort(column).iter_rows()
        words = ", ".join(f"{group or 'unknown'} {count}" for group, count in rows)
        found.append(f"{column}: {words}.")
    labels = run.index.filter(pl.col("status") == "ok")["label"]
    levels = labels.round(0).value_counts().sort("label").iter_rows()
    found.append(
        f"Frames by level of {run.label.name}: "
        + ", ".join(f"{level:g}: {count:,}" for level, count in levels)
        + "."
    )
    return found


def analyses(run: Run) -> list[str]:
    """Return how many people and outcomes are in each analysis."""
    return [
        f"{name}: {metrics['subjects']} people in {metrics['folds']} folds, {metrics['frames']:,}"
        f" frames; at or above "
        + ", ".join(
            f"{one['threshold']:g}: {one['frames']:,} frames of {one['subjects']} people"
            for one in metrics["binary"]
        )
        + "."
        for name, metrics in run.metrics.items()
    ]


def specification(run: Run) -> list[str]:
    """Return where the networks are."""
    return [
        "Weights and settings of every fold: `experiments/<name>/seed-<s>/fold-<k>/"
        "model.safetensors` and `config.json` in the results; `aacsfnet predict` runs them."
    ]


def performance(run: Run) -> list[str]:
    """Return the figures with their intervals."""
    found = []
    for name, metrics in run.metrics.items():
        for view, words in (("pooled", "all frames"), ("by_subject", "mean of people")):
            figures = (f"{m.upper()} {shown(metrics[view][m])}" for m in ("pcc", "icc", "mae"))
            found.append(f"{name}, {words}: {', '.join(figures)}.")
        if geometry := metrics["baselines"].get("geometry"):
            less = geometry["network_less_geometry"]["pooled"]["mae"]
            found.append(
                f"{name}: MAE less that of the regression on facial measures: {shown(less)}."
            )
        agreement = metrics["agreement"]
        found.append(
            f"{name}: limits of agreement {shown(agreement['lower'])} to"
            f" {shown(agreement['upper'])}; minimal detectable change {shown(agreement['mdc'])}."
        )
    return found


def heterogeneity(run: Run) -> list[str]:
    """Return how figures differ between people."""
    return [
        *fairness(run)[1:],
        *(
            f"{name}: PCC undefined for {metrics['by_subject']['pcc']['undefined_subjects']} of"
            f" {metrics['subjects']} people."
            for name, metrics in run.metrics.items()
        ),
    ]


def limits(run: Run) -> list[str]:
    """Return what the figures do not say."""
    found = [
        "With few people intervals cover less often than they say.",
        "Whether the figures hold for other people, cameras and light must be measured on them.",
    ]
    if run.config.dataset == "demo":
        found.append("The people are rendered: nothing here says how pain is told in real faces.")
    return found
