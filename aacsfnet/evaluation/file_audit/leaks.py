"""Whoever is tested was trained on: by person, by frame, by a generated picture."""

from collections.abc import Iterator

import numpy as np
import polars as pl

from aacsfnet.datasets.fields import person_key
from aacsfnet.evaluation.file_audit.findings import Finding, some
from aacsfnet.evaluation.file_audit.submission import Submission

#: Sides alternate along a sequence this often, of how often they would by chance, in a frame split.
_LIKE_CHANCE = 0.5


def leaks(submission: Submission) -> Iterator[Finding]:
    """Yield people on both sides of a split, and generated pictures of people who are tested."""
    rows = submission.once().filter(pl.col("person") != "")
    real = rows.filter(~pl.col("synthetic"))
    yield from _people(real)
    yield from _generated(submission, rows)


def _people(rows: pl.DataFrame) -> Iterator[Finding]:
    sided = rows.with_columns(side=_side(rows))
    by_role = (rows["role"] == "train").any() and (rows["role"] == "test").any()
    keys = ["fold", "person"] if by_role else ["person"]
    sided = sided.filter(pl.col("side") != "")
    met = sided.group_by(keys).agg(pl.col("side").n_unique()).filter(pl.col("side") > 1)
    if not len(met):
        return
    shared = sorted(set(met["person"]))
    people = sided["person"].n_unique()
    both = sided.join(met.select(keys), on=keys, how="semi")
    alternating, sequences, changes = _alternating(both, keys)
    names = both.group_by("person").agg(pl.col("subject").first()).sort("person")["subject"]
    words = "in training and test" if by_role else "in several folds"
    if sequences and alternating >= max(1, sequences / 2) and len(shared) >= people / 2:
        yield Finding(
            "random_split",
            f"{len(shared)} of {people} people stand {words}, and along {alternating} of"
            f" {sequences} sequences the sides alternate from frame to frame ({changes} times):"
            " frames were dealt at random",
        )
    else:
        yield Finding(
            "subject_overlap",
            f"{len(shared)} of {people} people stand {words} ({some(names.to_list())})",
        )


def _side(rows: pl.DataFrame) -> pl.Expr:
    """Return on which side of the split a row is: its role, or the fold that tests it."""
    if (rows["role"] == "train").any() and (rows["role"] == "test").any():
        return pl.when(pl.col("role") == "validation").then(pl.lit("")).otherwise("role")
    return pl.col("fold")


def _alternating(rows: pl.DataFrame, keys: list[str]) -> tuple[int, int, int]:
    """Return in how many sequences the sides alternate as by chance, of how many, how often."""
    alternating = sequences = total = 0
    groups = ["fold", "person", "sequence"] if "fold" in keys else ["person", "sequence"]
    for _, part in rows.group_by(groups, maintain_order=True):
        part = part.sort("position", "row", nulls_last=True)
        sides = part["side"].to_numpy()
        _, counts = np.unique(sides, return_counts=True)
        if len(counts) < 2:
            continue
        sequences += 1
        shares = counts / counts.sum()
        by_chance = (1 - (shares**2).sum()) * (len(sides) - 1)
        changes = int((sides[1:] != sides[:-1]).sum())
        total += changes
        alternating += changes > max(2, _LIKE_CHANCE * by_chance)
    return alternating, sequences, total


def _generated(submission: Submission, rows: pl.DataFrame) -> Iterator[Finding]:
    generated = rows.filter("synthetic")
    if not len(generated):
        return
    tested = submission.rows.filter((pl.col("role") == "test") & pl.col("synthetic"))
    has_roles = (submission.rows["role"] != "").any()
    if len(tested) or not has_roles:
        count = len(tested) if has_roles else len(generated)
        yield Finding("synthetic_tested", f"{count} generated pictures stand among the tested")
    real = submission.rows.filter(~pl.col("synthetic"))
    owner = dict(real.select("frame", "person").iter_rows())
    people = set(real["person"]) - {""}
    held_out = set(real.filter(pl.col("role") == "test").select("fold", "person").iter_rows())
    leaked: dict[str, int] = {}
    for role, fold, person, source in generated.select(
        "role", "fold", "person", "source"
    ).iter_rows():
        origin = _origin(source, owner, people) or person
        if role != "test" and (fold, origin) in held_out:
            leaked[origin] = leaked.get(origin, 0) + 1
    if leaked:
        yield Finding(
            "synthetic_leak",
            f"{sum(leaked.values())} generated pictures in training are made from"
            f" {len(leaked)} people who are tested ({some(sorted(leaked))})",
        )


def _origin(source: str, owner: dict[str, str], people: set[str]) -> str:
    """Return whose face a picture was made from: its source's, by frame, name or first part."""
    if not source:
        return ""
    if source in owner:
        return owner[source]
    for name in (source, source.split("/")[0]):
        if person_key(name) in people:
            return person_key(name)
    return ""
