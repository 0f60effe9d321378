"""The benchmark's archive, small: what was planted is told under its own name, exactly."""

import json

import polars as pl
import pytest

from aacsfnet import doctor, tables
from aacsfnet.datasets.index import index
from aacsfnet.faces.crop import crop
from benchmarks.archive.__main__ import config_of, make, wrong_landmarks
from benchmarks.archive.truth import differences, misjudged


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A small archive of rendered faces with every oddity, and its index."""
    folder = tmp_path_factory.mktemp("archive")
    made = make(folder, small=True)
    assert all(made["planted"].values())
    index(config_of(folder), folder / "index.parquet")
    return folder


@pytest.fixture
def truth(archive):
    return pl.read_parquet(archive / "truth.parquet")


def test_the_index_holds_exactly_what_was_written(archive, truth):
    rows = tables.read(archive / "index.parquet")
    assert differences(truth, rows) == {}
    assert wrong_landmarks(config_of(archive), rows, archive) == 0


def test_the_doctor_counts_each_oddity_under_its_name(archive, truth, monkeypatch):
    monkeypatch.setattr(doctor, "look_ahead", lambda *given: iter(()))
    monkeypatch.setattr(doctor, "look_at_models", lambda config: iter(()))
    findings = doctor.diagnose(config_of(archive))
    remarks = json.loads((archive / "remarks.json").read_text())
    assert len(remarks) == 10
    assert misjudged(truth, remarks, findings) == {}
    assert not [finding for finding in findings if finding.level == "error"]
    # The comparison itself would see one more or one less.
    fewer = truth.with_columns(notes=pl.col("notes").list.slice(1))
    assert "facs_empty" in misjudged(fewer, remarks, findings)
    assert len(misjudged(truth, remarks | {"never met": 1}, findings)) == 1


@pytest.mark.parametrize(("column", "value"), [("label", 3.5), ("au4", 1.0), ("status", "black")])
def test_one_wrong_value_would_be_seen(archive, truth, column, value):
    rows = tables.read(archive / "index.parquet")
    changed = pl.when(pl.int_range(pl.len()) == 7).then(pl.lit(value)).otherwise(column)
    wrong = differences(truth, rows.with_columns(changed.alias(column).cast(rows[column].dtype)))
    assert list(wrong) == [column]
    assert wrong[column]["rows"] == 1


def test_frames_that_cannot_be_read_are_rows_and_all_others_show_a_face(archive, truth):
    shards = tables.read(archive / "index.parquet", ["shard"])["shard"].unique()
    crops = []
    for shard in shards:
        crop(config_of(archive), archive / "index.parquet", shard, archive / "crop.parquet")
        crops.append(tables.read(archive / "crop.parquet", ["frame_id", "status", "reason"]))
    found = pl.concat(crops).join(truth.select("frame_id", "cropped"), on="frame_id")
    assert len(found) == len(truth)
    assert found.filter(pl.col("status") != pl.col("cropped")).to_dicts() == []
    assert (found["reason"] == "").to_list() == (found["status"] == "ok").to_list()
