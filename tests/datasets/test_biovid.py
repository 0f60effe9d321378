"""Clips named as in BioVid, with what copies of it lack."""

import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import NOTES, shards_of
from aacsfnet.datasets.index import index
from aacsfnet.errors import DataError
from aacsfnet.tables import Fault

WOMAN, MAN = "071309_w_21", "082208_m_45"
CLASSES = ("BL1", "PA1", "PA2", "PA3", "PA4")


@pytest.fixture
def root(tmp_path, make_video):
    """Two people, five clips each, 10 frames at 25 a second."""
    lines = ["subject_id\tsubject_name\tclass_id\tclass_name\tsample_id\tsample_name"]
    for person, subject in enumerate((WOMAN, MAN)):
        for level, name in enumerate(CLASSES):
            clip = f"{subject}-{name}-08{level}"
            make_video(tmp_path / f"PartA/video/{subject}/{clip}.mp4", [60 + 30 * level] * 10)
            lines.append(f"{person}\t{subject}\t{level}\t{name}\t{level}\t{clip}")
    (tmp_path / "PartA/samples.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def opened(configured, root, rate=5.0):
    return open_dataset(
        configured("biovid", root=str(root), index__videos={"rate": rate, "seconds": 0.4})
    )


@pytest.mark.parametrize("start", ["", "PartA", "PartA/video"])
def test_clips_labels_and_people(root, configured, start):
    dataset = opened(configured, root / start)
    rows = dataset.index()
    assert len(rows) == 20  # frames 0 and 5 of ten clips
    assert set(rows["status"]) == {"ok"}
    truth = {f"{s}-{c}-08{i}": i for s in (WOMAN, MAN) for i, c in enumerate(CLASSES)}
    assert dict(rows.select("sequence", "label").iter_rows()) == truth
    people = rows.select("subject", "sex", "age_group").unique().sort("subject").rows()
    assert people == [(WOMAN, "f", "18-35"), (MAN, "m", "36-50")]
    assert rows["frame_id"][1] == f"{WOMAN}/{WOMAN}-BL1-080/000005"
    assert dataset.subjects() == {WOMAN: 10, MAN: 10}
    assert dataset.remarks() == {}


def test_the_label_is_the_stimulus_and_never_pspi(root, configured):
    label = opened(configured, root).label
    assert (label.name, label.low, label.high) == ("stimulus", 0, 4)
    assert "pspi" not in label.meaning.lower()


def test_frames_are_decoded_in_order(root, configured):
    dataset = opened(configured, root, rate=25.0)
    rows = dataset.index()
    found = [pixels.mean() for pixels in dataset.pictures(rows)]
    np.testing.assert_allclose(found, [60 + 30 * label for label in rows["label"]], atol=4)


def test_what_samples_csv_and_the_disk_disagree_on(root, configured, make_video):
    video = root / "PartA/video"
    (video / WOMAN / f"{WOMAN}-PA4-084.mp4").unlink()
    (video / WOMAN / f"{WOMAN}-PA3-083.mp4").write_bytes(b"")
    make_video(video / MAN / f"{MAN}-PA1-099.mp4", [90] * 10)
    make_video(video / MAN / f"{MAN}-XX1-001.mp4", [90] * 10)
    make_video(video / "trailer.mp4", [90] * 2)
    table_path = root / "PartA/samples.csv"
    table_path.write_text(table_path.read_text().replace(f"2\tPA2\t2\t{MAN}", f"3\tPA3\t2\t{MAN}"))
    dataset = opened(configured, root)
    rows = dataset.index()
    bad = rows.filter(pl.col("status") != "ok").select("sequence", "status").unique()
    assert dict(bad.iter_rows()) == {
        f"{WOMAN}-PA4-084": "missing_file",
        f"{WOMAN}-PA3-083": "unreadable",
        f"{MAN}-XX1-001": "bad_label",
    }
    notes = rows.explode("notes", empty_as_null=True).drop_nulls("notes")
    assert dict(notes.select("sequence", "notes").iter_rows()) == {
        f"{MAN}-PA1-099": "not_in_samples",
        f"{MAN}-XX1-001": "not_in_samples",
        f"{MAN}-PA2-082": "class_differs: samples.csv says 'PA3'",
    }
    assert {"not_in_samples", "class_differs"} <= set(NOTES)
    assert dataset.remarks() == {"video whose name is not <subject>-<class>-<number>, not used": 1}
    assert set(dataset.subjects()) == {WOMAN, MAN}
    faults = [p.status for p in dataset.pictures(rows) if isinstance(p, Fault)]
    assert sorted(faults) == ["bad_label", "bad_label", "missing_file", "unreadable"]


def test_the_stage_fills_the_planned_shards(root, configured, tmp_path):
    config = configured(
        "biovid",
        root=str(root),
        index__shard_frames=4,
        index__videos={"rate": 5.0, "seconds": 0.4},
    )
    index(config, tmp_path / "out.parquet")
    rows = tables.read(tmp_path / "out.parquet")
    planned = shards_of(open_dataset(config).subjects(), 4, 4)
    assert dict(rows.group_by("shard").len().iter_rows()) == planned


def test_without_samples_csv_the_clips_count(root, configured):
    (root / "PartA/samples.csv").unlink()
    assert len(opened(configured, root).index()) == 20


def test_no_clip_is_one_clear_line(tmp_path, configured):
    with pytest.raises(DataError, match="no clip like 071309_w_21-BL1-081"):
        opened(configured, tmp_path).subjects()
