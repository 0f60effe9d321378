"""Which rows of the merged data a fold may use, and the refusal to let anyone leak.

Training data is a filter over one merged table; this module is the only place that filters.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from aacsfnet.cohort.splits import ROLES, spelling
from aacsfnet.errors import DataError, LeakError, WorkError
from aacsfnet.tables import KINDS

#: Units are stored in single precision.
_LABEL_ROUNDING = 1e-3


@dataclass(frozen=True)
class Selection:
    """The merged table's rows of each role, in the order of the array of pictures.

    Attributes:
        train: those that the network is trained on.
        validation: those that select the epoch.
        test: those that are predicted.
        unlabelled: the training subjects' without a label, for pretraining on geometry alone.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    test: pl.DataFrame
    unlabelled: pl.DataFrame


def has_label() -> pl.Expr:
    """Return whether a row of the merged table has a picture that training and figures may use."""
    return pl.col("row").is_not_null() & (pl.col("status") == "ok")


def select(
    index: pl.DataFrame, splits: pl.DataFrame, fold: int, kinds: Collection[str]
) -> Selection:
    """Return the rows that one fold trains on, selects on and tests on.

    Args:
        index: the merged table; only rows with a place in the array of pictures are used.
        splits: columns `fold`, `subject`, `role`.
        fold: which fold.
        kinds: of the generated pictures that training takes too; the others take none.

    Raises:
        LeakError: a subject has two roles, or a picture is not from whom it says.
        WorkError: the fold does not exist, or has nothing to train on.
    """
    roles = _roles(splits, fold)
    used = index.filter(pl.col("row").is_not_null()).sort("row")
    check_origin(index, used)
    unknown = sorted(set(used["subject"]) - set(roles))
    if unknown:
        raise LeakError(f"fold {fold} gives no role to subjects {unknown[:5]}; run merge again")
    role = pl.col("subject").replace_strict(roles, return_dtype=pl.String)
    taken = ~pl.col("synthetic") | pl.col("kind").is_in(list(kinds)).fill_null(False)
    labelled = used.filter(has_label())
    train = labelled.filter((role == "train") & taken)
    validation = labelled.filter((role == "validation") & ~pl.col("synthetic"))
    test = labelled.filter((role == "test") & ~pl.col("synthetic"))
    unlabelled = used.filter((role == "train") & ~has_label())
    if not len(train):
        raise WorkError(f"fold {fold}: no picture of its training subjects is usable")
    selection = Selection(train, validation, test, unlabelled)
    check_apart(index, selection)
    return selection


def _roles(splits: pl.DataFrame, fold: int) -> dict[str, str]:
    rows = splits.filter(pl.col("fold") == fold)
    if not len(rows):
        raise WorkError(f"fold {fold}: splits hold folds {sorted(splits['fold'].unique())}")
    if rows["subject"].n_unique() != len(rows):
        twice = rows.filter(rows["subject"].is_duplicated())["subject"].unique().to_list()
        raise LeakError(f"fold {fold}: subjects {sorted(twice)[:5]} have several roles")
    wrong = set(rows["role"]) - set(ROLES)
    if wrong:
        raise WorkError(f"fold {fold}: unknown roles {sorted(wrong)}; expected {', '.join(ROLES)}")
    return dict(zip(rows["subject"], rows["role"], strict=True))


def origin(index: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """Return the subject that each row's picture really shows; null where nobody can say.

    A generated picture shows the subject of the real frame it was made from, whatever its own
    row says.
    """
    frames = index.filter(~pl.col("synthetic"))
    subjects = dict(zip(frames["frame_id"], frames["subject"], strict=True))
    source = rows.select(
        pl.when(pl.col("synthetic")).then("source_frame_id").otherwise("frame_id")
    ).to_series()
    return pl.Series("origin", [subjects.get(each) for each in source], dtype=pl.String)


def check_origin(index: pl.DataFrame, rows: pl.DataFrame) -> None:
    """Refuse rows that say another subject than their frame's.

    Raises:
        LeakError: a row's subject differs from its frame's, or its frame is not in the table.
    """
    wrong = rows.with_columns(origin(index, rows)).filter(
        pl.col("origin").ne_missing(pl.col("subject"))
        | ~pl.col("frame_id").str.starts_with(pl.col("subject") + "/")
    )
    if len(wrong):
        row = wrong.row(0, named=True)
        raise LeakError(
            f"{row['image_id']}: says subject {row['subject']!r}, but was made from"
            f" {row['source_frame_id'] or row['frame_id']!r} of"
            f" {row['origin'] or 'nobody known'!r}; {len(wrong)} such pictures; run merge again"
        )


def mislabelled(rows: pl.DataFrame, frames: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose label is not what they were made to show, or that have no known kind.

    A picture of another level has the PSPI of its units, any other its frame's label.

    Args:
        rows: `frame_id`, `label`, `kind` and `units`.
        frames: `frame_id` and `label` of the real frames.
    """
    unit = pl.col("units").struct.field
    shown = (
        unit("au4")
        + pl.max_horizontal(unit("au6"), unit("au7"))
        + pl.max_horizontal(unit("au9"), unit("au10"))
        + unit("au43")
    )
    labels = frames.select("frame_id", pl.col("label").alias("of_frame"))
    level = pl.col("kind").eq("level").fill_null(False)
    right = (
        pl.when(level)
        .then(((shown - pl.col("label")).abs() < _LABEL_ROUNDING).fill_null(False))
        .otherwise(pl.col("label").eq_missing(pl.col("of_frame")))
    )
    known = pl.col("kind").is_null() | pl.col("kind").is_in(KINDS)
    joined = rows.join(labels, on="frame_id", how="left")
    return joined.filter(~(right & known)).drop("of_frame")


def check_labels(index: pl.DataFrame) -> None:
    """Refuse generated rows that say another label than they were made to show.

    Raises:
        DataError: `mislabelled` found some.
    """
    wrong = mislabelled(index.filter("synthetic"), index.filter(~pl.col("synthetic")))
    if len(wrong):
        row = wrong.row(0, named=True)
        raise DataError(
            f"{row['image_id']}: label {row['label']} is not that of a picture of kind"
            f" {row['kind']!r} made from {row['frame_id']!r}; {len(wrong)} such pictures; run"
            " prompts and all that follows again"
        )


def check_apart(index: pl.DataFrame, selection: Selection) -> None:
    """Refuse a selection in which anyone, or any picture, is on both sides.

    Raises:
        LeakError: a training picture, with a label or without, shows a subject of another role, the
            same picture stands in two roles, a generated picture or one of the pool is among those
            for selection or test, or somebody is in the pool and outside it.
    """
    pooled: dict[str, bool] = {}
    for subject, pool in index.select("subject", "pool").unique().sort("subject").iter_rows():
        if pooled.setdefault(spelling(subject), pool) != pool:
            raise LeakError(f"subject {subject!r} is in the pool and outside it; run merge again")
    sides = {name: getattr(selection, name) for name in ROLES}
    sides["train"] = pl.concat([selection.train, selection.unlabelled])
    people = {name: set(origin(index, rows)) for name, rows in sides.items()}
    pictures = {name: set(rows["digest"]) for name, rows in sides.items()}
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        shared = people[first] & people[second]
        if shared:
            raise LeakError(f"subjects {sorted(map(str, shared))[:5]} are in {first} and {second}")
        twins = pictures[first] & pictures[second]
        if twins:
            rows = sides[first].filter(pl.col("digest").is_in(list(twins)))
            raise LeakError(
                f"{rows['image_id'][0]}: the same picture is in {first} and {second}, under"
                " two subjects; remove the copy from the data set"
            )
    for name in ("validation", "test"):
        if sides[name]["synthetic"].any():
            raise LeakError(f"generated pictures are among those for {name}")
        if sides[name]["pool"].any():
            raise LeakError(f"pictures of the pool are among those for {name}")


def shares(rows: pl.DataFrame) -> dict[str, float]:
    """Return how many rows are real and generated, how many of the pool, and the mean label."""
    generated = int(rows["synthetic"].sum())
    mean = float(np.mean(rows["label"].to_numpy())) if len(rows) else float("nan")
    return {
        "real": len(rows) - generated,
        "synthetic": generated,
        "pool": int(rows["pool"].sum()),
        "mean_label": mean,
    }
