"""Attacks: whatever is planted, a held-out subject does not reach training."""

from dataclasses import replace

import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.cohort.selection import check_apart, check_labels, select
from aacsfnet.errors import DataError, LeakError, WorkError
from aacsfnet.facs import PSPI_UNITS
from tests.merged_data import merged_rows

SPLITS = pl.DataFrame(
    {
        "fold": [0, 0, 0, 0],
        "subject": ["a", "b", "c", "d"],
        "role": ["train", "train", "validation", "test"],
    }
)


def rows(synthetic=100):
    return merged_rows("abcd", 10, synthetic)


def index_of(some_rows):
    return tables.frame("merge", some_rows)


def planted(subject, source):
    """A generated picture that says it shows `subject`, made from the frame `source`."""
    return rows()[0] | {
        "image_id": f"{source}#7",
        "frame_id": f"{subject}/a/000",
        "subject": subject,
        "source_frame_id": source,
        "synthetic": True,
        "kind": "keep",
        "row": 10_000,
        "digest": "f" * 32,
    }


def test_only_training_subjects_and_their_synthetic_pictures_train():
    chosen = select(index_of(rows()), SPLITS, 0, tables.KINDS)
    assert set(chosen.train["subject"]) == {"a", "b"}
    assert chosen.train["synthetic"].sum() == 8  # labels 3 and 4: four of ten frames, two subjects
    assert set(chosen.validation["subject"]) == {"c"}
    assert set(chosen.test["subject"]) == {"d"}
    assert not chosen.validation["synthetic"].any()
    assert not chosen.test["synthetic"].any()


def test_training_takes_the_kinds_that_are_asked_for():
    kinds = iter(["keep", "level", "person", "level"] * 4)
    some = [row | {"kind": next(kinds)} if row["synthetic"] else row for row in rows()]
    chosen = select(index_of(some), SPLITS, 0, ("level", "person"))
    assert (
        chosen.train.filter("synthetic")["kind"].sort().to_list() == ["level"] * 4 + ["person"] * 2
    )
    assert not chosen.test["synthetic"].any()


def test_without_synthetic_pictures_real_ones_remain():
    chosen = select(index_of(rows()), SPLITS, 0, ())
    assert not chosen.train["synthetic"].any()
    assert len(chosen.train) == 20


def test_rows_without_a_picture_are_left_out():
    some = rows()
    some[0] = some[0] | {"row": None, "status": "no_face", "reason": "none found"}
    chosen = select(index_of(some), SPLITS, 0, tables.KINDS)
    assert some[0]["frame_id"] not in chosen.train["frame_id"].to_list()


def test_a_held_out_subjects_picture_that_says_so_does_not_train():
    chosen = select(index_of([*rows(), planted("d", "d/a/004")]), SPLITS, 0, tables.KINDS)
    assert "d" not in chosen.train["subject"].to_list()


@pytest.mark.parametrize("source", ["d/a/004", "c/a/004"])
def test_a_held_out_subjects_picture_that_lies_is_refused(source):
    with pytest.raises(LeakError, match=f"{source}#7: says subject 'a'"):
        select(index_of([*rows(), planted("a", source)]), SPLITS, 0, tables.KINDS)


def test_a_picture_from_nowhere_is_refused():
    with pytest.raises(LeakError, match="nobody known"):
        select(index_of([*rows(), planted("a", "z/a/001")]), SPLITS, 0, tables.KINDS)
    without_source = planted("a", "a/a/004") | {"source_frame_id": None}
    with pytest.raises(LeakError, match="nobody known"):
        select(index_of([*rows(), without_source]), SPLITS, 0, tables.KINDS)


def test_a_real_frame_under_another_subjects_name_is_refused():
    lying = rows()[0] | {"frame_id": "d/b/000", "image_id": "d/b/000", "row": 999}
    with pytest.raises(LeakError, match="d/b/000: says subject 'a'"):
        select(index_of([*rows(), lying]), SPLITS, 0, tables.KINDS)


def test_the_same_picture_under_two_subjects_is_refused():
    some = rows()
    of_d = next(row for row in some if row["subject"] == "d")
    some[0] = some[0] | {"digest": of_d["digest"]}
    with pytest.raises(LeakError, match="the same picture is in train and test"):
        select(index_of(some), SPLITS, 0, tables.KINDS)


def test_a_subject_with_two_roles_is_refused():
    twice = pl.concat(
        [SPLITS, SPLITS.filter(pl.col("subject") == "d").with_columns(role=pl.lit("train"))]
    )
    with pytest.raises(LeakError, match=r"\['d'\] have several roles"):
        select(index_of(rows()), twice, 0, tables.KINDS)


def test_a_subject_without_a_role_is_refused():
    with pytest.raises(LeakError, match=r"no role to subjects \['d'\]"):
        select(index_of(rows()), SPLITS.head(3), 0, tables.KINDS)


def test_a_selection_made_otherwise_is_checked_too():
    """The check does not trust the filter: it looks at who is really shown."""
    index = index_of([*rows(), planted("d", "d/a/004")])
    chosen = select(index, SPLITS, 0, tables.KINDS)
    of_d = index.filter(pl.col("image_id") == "d/a/004#7")
    with pytest.raises(LeakError, match=r"\['d'\] are in train and test"):
        check_apart(index, replace(chosen, train=pl.concat([chosen.train, of_d])))
    with pytest.raises(LeakError, match="generated pictures are among those for test"):
        check_apart(index, replace(chosen, test=of_d))


def test_a_fold_that_is_not_there_is_named():
    with pytest.raises(WorkError, match=r"fold 5: splits hold folds \[0\]"):
        select(index_of(rows()), SPLITS, 5, tables.KINDS)


def test_a_label_that_a_picture_was_not_made_to_show_is_refused():
    units = dict.fromkeys(PSPI_UNITS, 0.0) | {"au4": 3.0, "au10": 2.0}
    frame = rows()[4]
    level = frame | {
        "image_id": f"{frame['frame_id']}#level0",
        "source_frame_id": frame["frame_id"],
        "synthetic": True,
        "kind": "level",
        "label": 5.0,
        "units": units,
    }
    check_labels(index_of([*rows(), level]))
    wrong = (
        {"label": 4.0},  # its frame's
        {"units": None},
        {"kind": "keep"},
        {"kind": "other", "label": frame["label"]},
    )
    for change in wrong:
        with pytest.raises(DataError, match="label"):
            check_labels(index_of([*rows(), level | change]))
