"""Rows without a label in a user's table: left out, or given for pretraining where asked for."""

import polars as pl
import pytest

from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.index import judge, with_defaults
from aacsfnet.errors import DataError
from aacsfnet.labels import Label

PICTURES = tuple(f"{name}.png" for name in "abcdefgh")
HEAD = "path,subject,label\n"
FILM = "path,subject,label,start,stop\n"


@pytest.fixture
def look(make_manifest):
    """Return a function that gives the judged index of a table, and the data set."""

    def make(text, asked=True, **keys):
        unlabelled = "pretrain" if asked else "leave_out"
        dataset = open_dataset(make_manifest(text, PICTURES, unlabelled=unlabelled, **keys))
        dataset.subjects()
        return judge(with_defaults(dataset.index()), dataset.label), dataset

    return make


@pytest.fixture
def film(look, make_video, tmp_path):
    """Return a function that gives the index of a table about `v.mp4`: 15 frames in 3 seconds."""
    make_video(tmp_path / "v.mp4", list(range(60, 132)), rate=24.0)
    return lambda text, asked=True: look(text, asked)[0].sort("position")


def states(rows):
    return dict(rows.select("path", "status").iter_rows())


@pytest.mark.parametrize("word", ["", "NA", "n/a", "None", "null", "-", "?", "unknown", "missing"])
def test_only_where_it_is_asked_for_is_an_absent_label_unlabelled(look, word):
    text = f"{HEAD}a.png,s,1\nb.png,s,{word}\n"
    rows, _ = look(text)
    assert rows["status"].to_list() == ["ok", "unlabelled"]
    assert rows["label"].to_list() == [1, None]
    assert rows["reason"][1].startswith("manifest.csv row 3: ")
    rows, dataset = look(text, asked=False)
    assert rows["status"].to_list() == ["ok", "bad_label"]
    assert dataset.unlabelled() == set()


@pytest.mark.parametrize("word", ["nan", "NaN", "inf", "-1", "17", "x", "#N/A", "#REF!", "####"])
def test_a_label_that_was_lost_or_is_wrong_is_never_unlabelled(look, word):
    rows, _ = look(f"{HEAD}a.png,s,1\nb.png,s,{word}\n")
    assert rows["status"].to_list() == ["ok", "bad_label"]


def test_what_else_is_wrong_with_a_row_stays_so(look):
    text = f"{HEAD}a.png,s,1\nb.png,,\nno.png,s,\n../x.png,s,\na.png,t,\n"
    with pytest.raises(DataError, match="belongs to the subjects 's' and 't'"):
        look(text)
    rows, _ = look(text.removesuffix("a.png,t,\n"))
    assert states(rows) == {
        "a.png": "ok",
        "b.png": "bad_subject",
        "no.png": "missing_file",
        "../x.png": "outside_root",
    }


@pytest.mark.parametrize("labels", ["3|", "|3"])
def test_one_picture_with_a_label_and_without_is_refused(look, labels):
    one, other = labels.split("|")
    text = f"{HEAD}a.png,s,{one}\nb.png,s,1\na.png,s,{other}\n"
    with pytest.raises(DataError, match=r"rows 2 and 4: a\.png has the labels"):
        look(text)
    rows, _ = look(text, asked=False)  # as ever: the first counts
    assert sorted(rows["status"]) == sorted(["ok", "ok" if one else "bad_label", "duplicate"])


def test_a_copy_of_a_picture_under_another_person_is_refused(look, tmp_path):
    look(f"{HEAD}a.png,s,1\n")  # writes the pictures
    (tmp_path / "copy.png").write_bytes((tmp_path / "a.png").read_bytes())
    with pytest.raises(DataError, match="hold the same bytes, under the subjects 's' and 't'"):
        look(f"{HEAD}a.png,s,1\ncopy.png,t,\n")


def test_the_pictures_of_such_rows_can_be_read(look):
    rows, dataset = look(f"{HEAD}a.png,s,1\nb.png,s,\nc.png,s,99\n")
    found = [getattr(each, "status", "a picture") for each in dataset.pictures(rows)]
    assert found == ["a picture", "a picture", "bad_label"]


def test_who_has_no_label_at_all_is_told(look):
    text = f"{HEAD}a.png,s,1\nb.png,s,\nc.png,t,\nd.png,u,99\ne.png,w,NA\nf.png,w,99\n"
    assert look(text)[1].unlabelled() == {"t", "w"}


def test_frames_in_gaps_and_with_empty_labels_are_unlabelled(film):
    text = f"{FILM}v.mp4,p,1,0,1\nv.mp4,p,,1,2\nv.mp4,p,3,2,2.5\n"
    rows = film(text)
    assert (
        rows["status"].to_list()
        == ["ok"] * 5 + ["unlabelled"] * 5 + ["ok"] * 3 + ["unlabelled"] * 2
    )
    assert rows["label"].null_count() == 7
    assert rows["reason"][14].startswith("manifest.csv row 4: the nearest before 2.79")
    usual = film(text, asked=False)
    assert usual["status"].to_list() == [
        "bad_label" if status == "unlabelled" else status for status in rows["status"]
    ]
    assert usual.drop("status", "reason").equals(rows.drop("status", "reason"))


@pytest.mark.parametrize(
    "text",
    [
        "v.mp4,p,1,0,1\nv.mp4,q,3,2,2.5\n",
        "v.mp4,p,1,0,1\nv.mp4,p,,1,2\nv.mp4,q,3,2,2.5\n",
        "v.mp4,p,1,0,1\nv.mp4,p,3,2,2.5\nv.mp4,,1,2.5,2.6\n",
    ],
)
def test_of_a_film_of_several_people_no_frame_is_unlabelled(film, text):
    """Whose face it shows between them nobody says; it might be trained on and tested."""
    rows = film(FILM + text)
    assert set(rows["status"]) - {"bad_subject"} == {"ok", "bad_label"}
    assert rows.filter(status="bad_label")["reason"].str.contains("shows several people").all()


def test_nor_where_another_person_is_named_by_frame(look, make_video, tmp_path):
    make_video(tmp_path / "v.mp4", list(range(60, 132)), rate=24.0)
    head, track = "path,subject,label,start,stop,frame\n", "v.mp4,p,1,0,1,\n"
    rows, _ = look(f"{head}{track}v.mp4,p,2,,,71\n")
    assert set(rows["status"]) == {"ok", "unlabelled"}
    rows, _ = look(f"{head}{track}v.mp4,q,2,,,71\n")
    assert set(rows["status"]) == {"ok", "bad_label"}


def test_labels_beyond_the_films_end_spoil_it_as_ever(film):
    rows = film(f"{FILM}v.mp4,p,1,0,1\nv.mp4,p,3,2,900\n")
    assert set(rows["status"]) == {"bad_label"}


def test_a_whole_film_may_be_without_a_label(film):
    rows = film("path,subject,label\nv.mp4,p,\na.png,p,1\n")
    assert rows["status"].to_list().count("unlabelled") == 15


def test_a_data_set_without_the_setting_keeps_its_rule():
    """The index calls no row unlabelled by itself."""
    row = {"frame_id": ["s/a/1"], "subject": ["s"], "sequence": ["a"], "label": [None]}
    table = with_defaults(
        pl.DataFrame(
            row | {"status": ["ok"], "reason": [""]}, schema_overrides={"label": pl.Float64}
        )
    )
    assert judge(table, Label("pspi", 0, 16, ""))["status"].to_list() == ["bad_label"]


@pytest.mark.parametrize("turned", [False, True])
def test_a_copy_of_a_film_of_several_people_is_refused_whoever_stands_first(
    film, tmp_path, make_video, turned
):
    make_video(tmp_path / "v.mp4", list(range(60, 132)), rate=24.0)
    (tmp_path / "w.mp4").write_bytes((tmp_path / "v.mp4").read_bytes())
    rows = ["v.mp4,p,1,0,1", "v.mp4,q,3,2.05,2.15"]
    text = "\n".join([*(reversed(rows) if turned else rows), "w.mp4,p,1,0,1", ""])
    with pytest.raises(DataError, match="hold the same bytes, under the subjects 'q' and 'p'"):
        film(FILM + text)


@pytest.mark.parametrize("other", ["99", "#REF!", "2"])
def test_one_picture_without_a_label_and_with_another_is_refused(look, other):
    for labels in (["", other], [other, ""]):
        text = "".join(f"a.png,s,{label}\n" for label in labels)
        with pytest.raises(DataError, match=r"a\.png has the labels"):
            look(f"{HEAD}{text}b.png,s,1\n")
