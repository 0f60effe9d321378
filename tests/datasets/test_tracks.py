"""Labels of a video by time: which frame gets which, and what is refused."""

import pytest

from aacsfnet import tables
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import shards_of
from aacsfnet.datasets.index import index
from aacsfnet.errors import DataError

HEAD = "path,subject,label,start,stop\n"


@pytest.fixture
def film(make_manifest, make_video, tmp_path):
    """Return a function that gives the index of a table about `v.mp4`: 72 frames in 3 seconds."""
    make_video(tmp_path / "v.mp4", list(range(60, 132)), rate=24.0)

    def look(text, rate=24.0):
        dataset = open_dataset(make_manifest(text, index__videos={"rate": rate, "seconds": 3.0}))
        planned = dataset.subjects()
        rows = dataset.index().sort("subject", "position")
        assert set(rows["subject"]) == set(planned)
        return rows, dataset.remarks()

    return look


def test_an_interval_holds_from_its_start_to_before_its_stop(film):
    rows, _ = film(HEAD + "v.mp4,p,1,0,1\nv.mp4,p,2,1,2.5\n")
    expected = [1.0] * 24 + [2.0] * 36 + [None] * 12  # frame n at n / 24 s
    assert rows["label"].to_list() == expected
    assert rows["status"].to_list() == ["ok"] * 60 + ["bad_label"] * 12
    assert rows["reason"][71].startswith("manifest.csv row 3: the nearest before 2.958 s of v.mp4")


def test_order_and_other_spellings_of_the_path_make_no_difference(film):
    rows, _ = film(HEAD + "./v.mp4,p,2,1,3\nv.mp4,p,1,0,1\n")
    assert rows["label"].to_list() == [1.0] * 24 + [2.0] * 48


def test_the_last_time_holds_on_and_is_noted(film):
    rows, _ = film("path,subject,label,time\nv.mp4,p,1,0\nv.mp4,p,2,0.5\n")
    assert rows["label"].to_list() == [1.0] * 12 + [2.0] * 60
    held = [len(notes) > 0 for notes in rows["notes"]]
    assert held == [False] * 25 + [True] * 47  # half a second on, as far as the times lie apart
    assert rows["notes"][71].to_list() == ["label_held: since 0.5 s"]


def test_an_empty_label_ends_the_last_one(film):
    rows, _ = film("path,subject,label,time\nv.mp4,p,1,0\nv.mp4,p,,1\n")
    assert rows["status"].to_list() == ["ok"] * 24 + ["bad_label"] * 48


def test_a_short_interval_gives_the_frame_in_its_middle(film):
    rows, remarks = film(HEAD + "v.mp4,p,1,0,1.1\nv.mp4,p,9,1.1,1.2\nv.mp4,p,1,1.2,3\n", rate=1.0)
    assert rows["path"].to_list() == [f"v.mp4#{n:06d}" for n in (0, 24, 28, 48)]
    assert rows["label"].to_list() == [1, 1, 9, 1]
    assert remarks == {}
    _, remarks = film(HEAD + "v.mp4,p,1,0,1.1\nv.mp4,p,9,1.13,1.14\n")
    assert list(remarks.values()) == [1]


def test_one_video_may_show_two_people_in_turn(film):
    rows, _ = film(HEAD + "v.mp4,p,1,0,1\nv.mp4,q,2,1,3\n", rate=1.0)
    assert rows.select("subject", "label").rows() == [("p", 1), ("q", 2), ("q", 2)]


def test_two_people_at_one_time_are_refused(film):
    with pytest.raises(DataError, match=r"rows 2 and 3 both hold at 0\.5 s"):
        film(HEAD + "v.mp4,p,1,0,1\nv.mp4,q,1,0.5,3\n")


@pytest.mark.parametrize(
    ("label", "words"), [("x", "row 3: label 'x' is not a number"), ("99", "row 3: pspi=99 is")]
)
def test_a_bad_label_spoils_its_own_interval_only(film, label, words):
    rows, _ = film(HEAD + f"v.mp4,p,1,0,1\nv.mp4,p,{label},1,3\n")
    assert rows["status"].to_list() == ["ok"] * 24 + ["bad_label"] * 48
    assert words in rows["reason"][30]


def test_a_video_that_is_not_there_is_one_row(film):
    rows, _ = film(HEAD + "no.mp4,p,1,0,1\nno.mp4,p,2,1,2\nv.mp4,p,1,0,3\n", rate=1.0)
    assert sorted(rows["status"]) == ["missing_file", "ok", "ok", "ok"]


def test_other_columns_follow_the_interval(film):
    text = "path,subject,label,start,stop,au4\nv.mp4,p,1,0,1,2\nv.mp4,p,2,1,2,3\n"
    rows, _ = film(text, rate=1.0)
    assert rows["au4"].to_list() == [2, 3, None]


def test_the_index_stage_deals_a_track_into_planned_shards(film, make_manifest, tmp_path):
    config = make_manifest(
        HEAD + "v.mp4,p,1,0,1\nv.mp4,p,2,1,3\n",
        index__videos={"rate": 24.0, "seconds": 1.0},
        index__shard_frames=10,
    )
    index(config, tmp_path / "index.parquet")
    rows = tables.read(tmp_path / "index.parquet")
    assert set(rows["shard"]) == set(shards_of(open_dataset(config).subjects(), 10))
    assert len(rows) == 72
