import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aacsfnet.errors import SettingsError
from aacsfnet.training.splits import ROLES, fold_count, split


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


@pytest.mark.parametrize("folds", [1, 9])
def test_impossible_folds_are_named(folds):
    with pytest.raises(SettingsError, match=f"folds = {folds}"):
        fold_count(folds, 8)
