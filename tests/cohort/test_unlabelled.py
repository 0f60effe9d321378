"""Attacks: a picture without a label reaches pretraining of its subject's folds, nothing else."""

import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.cohort.merge import merge
from aacsfnet.cohort.selection import select
from aacsfnet.cohort.unlabelled import labelled_people
from aacsfnet.config import validate
from aacsfnet.errors import DataError, LeakError
from aacsfnet.labels import Label
from aacsfnet.layout import Merged
from aacsfnet.training.material import read_material
from tests.cohort.test_merge import SETTINGS, SUBJECTS, _stages
from tests.merged_data import merged_rows

__all__ = ["_stages"]

ROLES = {"a": "train", "b": "train", "c": "validation", "d": "test", "u": "train"}
SPLITS = pl.DataFrame({"fold": [0] * 5, "subject": [*ROLES], "role": [*ROLES.values()]})
WITHOUT = {"label": None, "status": "unlabelled", "reason": "the label is empty"}


def rows():
    """Ten frames of each, every fifth without a label; of u, who is in the pool, none has one."""
    return [
        row
        | {"pool": row["subject"] == "u"}
        | (WITHOUT if row["subject"] == "u" or row["frame_id"][-1] in "05" else {})
        for row in merged_rows("abcdu", 10, 0)
    ]


def choose(some_rows, splits=SPLITS):
    return select(tables.frame("merge", some_rows), splits, 0, tables.KINDS)


def test_they_stand_apart_and_are_of_training_subjects_alone():
    chosen = choose(rows())
    assert chosen.unlabelled["subject"].value_counts().sort("subject").rows() == [
        *(("a", 2), ("b", 2), ("u", 10))
    ]
    for role, own in (("train", "ab"), ("validation", "c"), ("test", "d")):
        used = getattr(chosen, role)
        assert (set(used["subject"]), set(used["status"])) == (set(own), {"ok"})
        assert used["label"].null_count() == 0


def test_without_them_everything_is_as_if_they_were_not_there():
    few = [row for row in rows() if row["status"] == "ok"]
    few = [row | {"row": place} for place, row in enumerate(few)]
    with_them, without = choose(rows()), choose(few, SPLITS.filter(pl.col("subject") != "u"))
    for role in ("train", "validation", "test"):
        one, other = (getattr(each, role).drop("row", "digest") for each in (with_them, without))
        assert one.equals(other)
    assert not len(without.unlabelled)


def planted(subject, **changes):
    """A picture of d, who is tested, without a label, among another's."""
    return (
        rows()[0]
        | WITHOUT
        | {
            "image_id": "d/a/007",
            "frame_id": f"{subject}/a/777",
            "subject": subject,
            "row": 10_000,
            "digest": "f" * 32,
        }
        | changes
    )


@pytest.mark.parametrize("subject", ["a", "u"])
def test_the_picture_of_a_held_out_subject_under_another_name_is_refused(subject):
    of_d = next(row for row in rows() if row["subject"] == "d" and row["status"] == "ok")
    copy = {"image_id": f"{subject}/a/777", "digest": of_d["digest"], "pool": subject == "u"}
    with pytest.raises(LeakError, match="the same picture is in train and test"):
        choose([*rows(), planted(subject, **copy)])


def test_a_frame_that_names_another_subject_is_refused():
    with pytest.raises(LeakError, match="says subject 'a'"):
        choose([*rows(), planted("a", frame_id="d/a/777")])


def test_who_is_in_the_pool_and_outside_it_is_refused():
    with pytest.raises(LeakError, match="subject 'd' is in the pool and outside it"):
        choose([*rows(), planted("d", image_id="d/a/777", pool=True)])


def test_nobody_trains_on_them_alone():
    some = [row for row in rows() if row["subject"] not in "ab" or row["status"] != "ok"]
    with pytest.raises(Exception, match="no picture of its training subjects is usable"):
        choose(some)


@pytest.fixture(name="merged_stages")
def _merged_stages(stages):
    """The stages of `test_merge` with frame 0 without a label on purpose, frame 3 without one."""
    index = tables.read(stages / "index.parquet").to_dicts()
    for row in index:
        row |= WITHOUT if row["frame_id"].endswith("/0") else {}
    tables.write(stages / "index.parquet", tables.frame("index", index), "index")
    for subject in SUBJECTS:
        path = stages / "crop" / f"{subject}.00.parquet"
        crops = tables.read(path).to_dicts()
        crops[0] |= {name: WITHOUT[name] for name in ("status", "reason")}
        tables.write(path, tables.frame("crop", crops), "crop")
    return stages


def merged(folder, **settings):
    parts = ("crop", "landmarks", "generate", "quality", "merge")
    config = validate({"merge": SETTINGS | settings})
    merge(config, folder / "index.parquet", *(folder / part for part in parts))
    return tables.read(folder / "merge" / "index.parquet")


def test_merge_keeps_their_pictures_and_a_lost_label_stays_out(merged_stages):
    index = merged(merged_stages)
    found = {row["image_id"]: (row["status"], row["row"] is not None) for row in index.to_dicts()}
    assert found["a/s/0"] == ("unlabelled", True)
    assert found["a/s/1"] == ("ok", True)
    assert found["a/s/3"] == ("bad_label", False)
    assert len(np.load(merged_stages / "merge" / "images.npy")) == index["row"].count() == 12


def test_folds_are_dealt_by_labels_alone(stages, merged_stages):
    """Subject a has no label left; nobody tests on it as long as there are others."""
    index = tables.read(merged_stages / "index.parquet").to_dicts()
    index = [row | (WITHOUT if row["subject"] == "a" else {}) for row in index]
    tables.write(stages / "index.parquet", tables.frame("index", index), "index")
    path = stages / "crop" / "a.00.parquet"
    crops = [
        row | {"status": "unlabelled", "reason": "none"} for row in tables.read(path).to_dicts()
    ]
    tables.write(path, tables.frame("crop", crops[:2]), "crop")
    path = stages / "quality" / "a.00.parquet"
    tables.write(path, tables.read(path).head(0), "quality")
    merged(stages, folds=4)
    splits = pl.read_parquet(stages / "merge" / "splits.parquet")
    assert splits.filter(pl.col("subject") == "a", pl.col("role") == "validation").is_empty()
    fold = splits.filter(pl.col("subject") == "a", pl.col("role") == "train")["fold"][0]
    material = read_material(Merged(stages / "merge"), fold, tables.KINDS, Label("pspi", 0, 16, ""))
    chosen = material.chosen
    assert set(chosen.unlabelled.filter(pl.col("subject") == "a")["frame_id"]) == {"a/s/0", "a/s/1"}
    held_out = set(chosen.test["subject"]) | set(chosen.validation["subject"])
    assert not held_out & set(chosen.unlabelled["subject"])
    assert np.isfinite(material.training_labels()).all()


def test_whoever_has_no_label_must_be_in_the_pool():
    said = {"a": {""}, "u": {"pool"}, "v": {""}}
    assert labelled_people(said, {"u"}) == {"a": {""}, "v": {""}}
    with pytest.raises(DataError, match="no row of subject 'v' has a label"):
        labelled_people(said, {"u", "v"})
    many = {f"p{number}": {"train"} for number in range(9)}
    with pytest.raises(DataError, match="'p0', 'p1', 'p2' and 6 more has a label"):
        labelled_people(many, many)
