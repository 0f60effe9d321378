import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aacsfnet.cohort.splits import ROLES, fold_count, given_roles, split
from aacsfnet.errors import DataError, SettingsError


def labels_of(shares, frames=100):
    """Labels of subjects with these shares of frames in pain."""
    return [np.repeat([4.0, 0.0], [round(s * frames), frames - round(s * frames)]) for s in shares]


@given(
    subjects=st.integers(4, 15),
    folds=st.one_of(st.just("loso"), st.integers(2, 6)),
    validation=st.integers(1, 2),
    seed=st.integers(0, 50),
)
def test_every_subject_is_tested_once_and_has_one_role_a_fold(subjects, folds, validation, seed):
    names = [f"p{number}" for number in range(subjects)]
    count = subjects if folds == "loso" else folds
    if not 2 <= count <= subjects or subjects - -(-subjects // count) - validation < 1:
        with pytest.raises(SettingsError):
            split(names, labels_of([0.1] * subjects), folds, validation, seed)
        return
    found = split(names, labels_of(np.linspace(0, 0.6, subjects)), folds, validation, seed)
    assert set(found["role"]) == set(ROLES)
    assert len(found) == count * subjects
    assert not found.select("fold", "subject").is_duplicated().any()
    tests = found.filter(pl.col("role") == "test")
    assert sorted(tests["subject"]) == sorted(names)
    sizes = tests.group_by("fold").len()["len"]
    assert sizes.max() - sizes.min() <= 1
    per_fold = found.filter(pl.col("role") == "validation").group_by("fold").len()["len"]
    assert per_fold.unique().to_list() == [validation]


def test_pain_is_shared_out_between_folds():
    shares = [0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0]
    names = [f"p{number}" for number in range(8)]
    found = split(names, labels_of(shares), 4, 1, 0).filter(pl.col("role") == "test")
    share_of = dict(zip(names, shares, strict=True))
    pain = [sum(share_of[name] for name in fold["subject"]) for fold in found.partition_by("fold")]
    # The best deal of these eight is 0.6 + 0.0, 0.5 + 0.05, 0.4 + 0.1, 0.3 + 0.2.
    assert max(pain) - min(pain) <= 0.1 + 1e-9


def test_validation_subjects_resemble_the_others():
    """Not the ones without any pain, on which every epoch would look alike."""
    shares = [0.3] * 6 + [0.0] * 4
    names = [f"p{number}" for number in range(10)]
    found = split(names, labels_of(shares), 5, 2, 3).filter(pl.col("role") == "validation")
    share_of = dict(zip(names, shares, strict=True))
    for fold in found.partition_by("fold"):
        assert sum(share_of[name] for name in fold["subject"]) > 0


def test_the_same_whatever_the_order_of_subjects():
    names = [f"p{number}" for number in range(9)]
    labels = labels_of(np.linspace(0, 0.5, 9))
    forward = split(names, labels, 3, 2, 5)
    backward = split(names[::-1], labels[::-1], 3, 2, 5)
    assert forward.equals(backward)
    assert not forward.equals(split(names, labels, 3, 2, 6))


def test_subjects_without_pictures_are_dealt_too():
    found = split(["a", "b", "c", "d"], [np.empty(0)] * 4, "loso", 1, 0)
    assert set(found["subject"]) == set("abcd")


@pytest.mark.parametrize("seed", range(8))
def test_subjects_without_pictures_leave_no_fold_empty_and_validate_nothing(seed):
    names = [f"p{number}" for number in range(9)]
    labels = labels_of([0.5, 0.3, 0.0, 0.0, 0.0]) + [np.empty(0)] * 4
    found = split(names, labels, 5, 2, seed)
    useful = set(names[:5])
    for fold in found.partition_by("fold"):
        role = dict(fold.select("subject", "role").iter_rows())
        assert [role[name] for name in useful].count("test") == 1
        assert {name for name, each in role.items() if each == "validation"} <= useful


@pytest.mark.parametrize("folds", [1, 9])
def test_impossible_folds_are_named(folds):
    with pytest.raises(SettingsError, match=f"folds = {folds}"):
        fold_count(folds, 8, 1)


GIVEN = {"a": {"train"}, "b": {"Training"}, "c": {"val"}, "d": {"test"}, "e": {" TEST "}, "": {""}}


def test_a_given_split_is_one_fold_with_the_roles_it_says():
    found = split([*"edcba", ""], labels_of([0.1] * 6), "given", 2, 0, GIVEN)
    assert dict(found.select("subject", "role").iter_rows()) == {
        "a": "train",
        "b": "train",
        "c": "validation",
        "d": "test",
        "e": "test",
    }
    assert found["fold"].unique().to_list() == [0]


def test_validation_is_drawn_from_training_where_the_split_names_none():
    given = {key: {"train"} for key in "abcd"} | {"x": {"test"}, "y": {"test"}}
    found = split(list("abcdxy"), labels_of([0.1] * 6), "given", 2, 0, given)
    by_role = found.group_by("role").agg(pl.col("subject")).rows_by_key("role", named=True)
    assert sorted(by_role["test"][0]["subject"]) == ["x", "y"]
    assert len(by_role["validation"][0]["subject"]) == 2
    assert set(by_role["validation"][0]["subject"]) < set("abcd")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"a": {"train", "test"}}, "subject 'a' is in several splits: train and test"),
        ({"c": {"val", "training"}}, "subject 'c' is in several splits: train and validation"),
        ({"b": {""}}, "subject 'b': the split says nothing"),
        ({"b": {"train", ""}}, "subject 'b': the split says nothing"),
        ({"b": {"fold1"}}, "'b': the split says 'fold1'; with merge.folds: given, each"),
        ({"d": {"train"}, "e": {"train"}}, "no subject's split is test"),
        ({"a": {"test"}, "b": {"test"}}, "marks 0 subjects for training; expected at least 1"),
        ({"c": {"train"}}, "marks 3 subjects for training; expected at least 4"),
    ],
)
def test_a_given_split_that_leaks_or_lacks_somebody_is_refused(change, words):
    with pytest.raises(DataError, match=words):
        given_roles(GIVEN | change, validation_subjects=3)
