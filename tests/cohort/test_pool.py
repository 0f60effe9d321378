"""The pool trains in every fold and is never held out, whatever is planted."""

import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.cohort.merge import merge
from aacsfnet.cohort.selection import select
from aacsfnet.cohort.splits import fold_count, given_roles, pool_of, split
from aacsfnet.config import validate
from aacsfnet.errors import DataError, LeakError, SettingsError
from aacsfnet.labels import Label
from aacsfnet.layout import Merged
from aacsfnet.training.material import read_material
from tests.cohort.test_merge import SETTINGS, _stages
from tests.merged_data import merged_rows

__all__ = ["_stages"]

SPLITS = pl.DataFrame(
    {
        "fold": [0] * 5,
        "subject": ["a", "b", "c", "p", "q"],
        "role": ["train", "validation", "test", "train", "train"],
    }
)


def rows():
    """Real and generated pictures of three people and of two of the pool, p and q."""
    return [row | {"pool": row["subject"] in "pq"} for row in merged_rows("abcpq", 10, 100)]


def choose(some_rows, splits=SPLITS):
    return select(tables.frame("merge", some_rows), splits, 0, tables.KINDS)


def with_role(subject, role):
    changed = pl.when(pl.col("subject") == subject).then(pl.lit(role)).otherwise("role")
    return SPLITS.with_columns(role=changed)


def generated(subject, source, pool):
    """A generated picture that says it shows `subject`, made from the frame `source`."""
    return rows()[0] | {
        "image_id": f"{source}#7",
        "frame_id": f"{subject}/a/000",
        "subject": subject,
        "source_frame_id": source,
        "synthetic": True,
        "pool": pool,
        "row": 10_000,
        "digest": "f" * 32,
    }


@pytest.mark.parametrize("folds", [2, 4, "loso", "given"])
def test_the_pool_trains_in_every_fold_and_the_others_are_dealt_as_without_it(folds):
    roles = ("train", "train", "val", "test", "test", "train")
    words = {name: [role] for name, role in zip("abcdef", roles, strict=True)}
    labels = [np.arange(n % 3 + 2.0) for n in range(6)]
    without = split(list("abcdef"), labels, folds, 1, 3, words)
    pool = {"P1": ["pool"], "Z": [" POOL"]}
    found = split(
        ["P1", *"abcdef", "Z"], [np.ones(3), *labels, np.empty(0)], folds, 1, 3, words | pool
    )
    pooled = pl.col("subject").is_in(["P1", "Z"])
    assert found.filter(~pooled).equals(without)
    count = found["fold"].n_unique()
    assert found.filter(pooled)["role"].to_list() == ["train"] * 2 * count
    assert count == {"loso": 6, "given": 1}.get(folds, folds)


def test_a_pool_alone_is_enough_to_train_on():
    assert fold_count(2, 4, 2, with_pool=True) == 2
    with pytest.raises(SettingsError, match="leave none to train on"):
        fold_count(2, 4, 2)
    words = {"v": ["val"], "t": ["test"], "p": ["pool"]}
    assert given_roles(words) == {"v": "validation", "t": "test", "p": "train"}
    with pytest.raises(DataError, match="expected at least 1, 1 of them to validate on"):
        given_roles({"t": ["test"], "p": ["pool"]}, validation_subjects=1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"p": {"pool", "test"}}, "'p' is in the pool, but some of its rows say 'test'"),
        ({"p": {"pool", "train"}}, "'p' is in the pool, but some of its rows say 'train'"),
        ({"p": {"pool", ""}}, "'p' is in the pool, but some of its rows say nothing"),
        ({"A ": {"pool"}}, "'A ' of the pool and subject 'a' differ in case or blanks only"),
        ({"ａ": {"pool"}}, "'ａ' of the pool and subject 'a' differ"),
    ],
)
@pytest.mark.parametrize("folds", [2, "loso", "given"])
def test_whoever_is_in_the_pool_and_outside_it_is_refused(folds, change, words):
    said = {"a": {"train"}, "b": {"val"}, "c": {"test"}, "d": {"train"}} | change
    with pytest.raises(DataError, match=words):
        split(list(said), [np.ones(2)] * len(said), folds, 1, 0, said)


def test_rows_without_a_subject_are_nobodys_even_in_the_pool():
    assert pool_of({"": {"pool", "test"}, "a": {"test"}}) == set()


def test_the_pools_pictures_and_those_made_from_them_train():
    chosen = choose(rows())
    assert chosen.train.filter(pl.col("pool"))["synthetic"].sum() == 8  # four of ten frames each
    assert set(chosen.train["subject"]) == {"a", "p", "q"}
    assert (set(chosen.validation["subject"]), set(chosen.test["subject"])) == ({"b"}, {"c"})


@pytest.mark.parametrize("role", ["validation", "test"])
def test_a_subject_of_the_pool_that_is_held_out_is_refused(role):
    with pytest.raises(LeakError, match=f"pictures of the pool are among those for {role}"):
        choose(rows(), with_role("p", role))


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (generated("p", "c/a/004", True), "c/a/004#7: says subject 'p'"),
        (generated("p", "b/a/004", True), "b/a/004#7: says subject 'p'"),
        (generated("c", "p/a/004", False), "p/a/004#7: says subject 'c'"),
        (generated("c", "c/a/004", True), "'c' is in the pool and outside it"),
        (generated("p", "p/a/004", False), "'p' is in the pool and outside it"),
        (
            rows()[0] | {"subject": "p", "pool": True, "image_id": "c/b/0", "frame_id": "c/b/0"},
            "c/b/0: says subject 'p'",
        ),
        (
            rows()[0]
            | {"subject": "C ", "pool": True, "image_id": "C /b/0", "frame_id": "C /b/0"}
            | {"row": 10_000, "digest": "f" * 32},
            "'.*' is in the pool and outside it",
        ),
    ],
)
def test_a_picture_that_would_carry_somebody_across_is_refused(picture, words):
    extra = pl.DataFrame({"fold": [0], "subject": ["C "], "role": ["train"]})
    with pytest.raises(LeakError, match=words):
        choose([*rows(), picture], pl.concat([SPLITS, extra]))


def test_a_copy_of_a_tested_picture_in_the_pool_is_refused():
    some = rows()
    tested = next(row for row in some if row["subject"] == "c")
    some = [row | {"digest": tested["digest"]} if row["subject"] == "p" else row for row in some]
    with pytest.raises(LeakError, match="the same picture is in train and test"):
        choose(some)


def run(stages, folds, said):
    index = tables.read(stages / "index.parquet")
    words = pl.col("subject").replace_strict(said)
    tables.write(stages / "index.parquet", index.with_columns(split=words), "index")
    config = validate({"merge": SETTINGS | {"folds": folds}})
    folders = (stages / name for name in ("crop", "landmarks", "generate", "quality", "merge"))
    merge(config, stages / "index.parquet", *folders)
    return Merged(stages / "merge")


@pytest.mark.parametrize("folds", [2, "loso", "given"])
def test_merge_deals_the_pool_to_training_and_statistics_leave_it_out(stages, folds):
    merged = run(stages, folds, {"a": "test", "b": "train", "c": "val", "d": "pool"})
    count = {"loso": 3, "given": 1}.get(folds, folds)
    for fold in range(count):
        material = read_material(merged, fold, tables.KINDS, Label("pspi", 0, 16, ""))
        train, own = material.chosen.train, material.own()
        assert train.filter(pl.col("subject") == "d")["pool"].to_list() == [True] * 3
        assert "d" not in own["subject"].to_list() or set(train["subject"]) == {"d"}
        assert "d" not in {*material.chosen.validation["subject"], *material.chosen.test["subject"]}


def test_merge_refuses_a_generated_picture_of_a_tested_person_under_the_pools_name(stages):
    path = stages / "quality" / "d.00.parquet"
    tables.write(path, tables.read(path).with_columns(source_frame_id=pl.lit("a/s/1")), "quality")
    with pytest.raises(LeakError, match="says subject 'd'"):
        run(stages, 2, {"a": "", "b": "", "c": "", "d": "pool"})
