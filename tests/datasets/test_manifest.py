"""A user's table in the forms that people write; the truth is what the test wrote."""

import gzip

import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import NOTES, shards_of
from aacsfnet.datasets.index import counts, index
from aacsfnet.errors import DataError, SettingsError
from aacsfnet.tables import Fault

PLAIN = "path,subject,label\na.png,s1,0\nb.png,s1,3.5\nc.png,s2,16\n"
PICTURES = ("a.png", "b.png", "c.png")


def rows_of(config):
    return open_dataset(config).index()


def labels_of(config):
    rows = rows_of(config)
    return dict(rows.filter(pl.col("status") == "ok").select("path", "label").iter_rows())


def test_the_plain_case(make_manifest, make_picture):
    config = make_manifest(PLAIN, PICTURES)
    dataset = open_dataset(config)
    rows = dataset.index()
    assert rows["frame_id"].to_list() == ["s1/a/a", "s1/b/b", "s2/c/c"]
    assert rows["label"].to_list() == [0, 3.5, 16]
    assert set(rows["status"]) == {"ok"}
    assert dataset.subjects() == {"s1": 2, "s2": 1}
    assert dataset.sources() == [config.index.manifest.file]
    for seed, pixels in enumerate(dataset.pictures(rows)):
        np.testing.assert_array_equal(pixels, make_picture(seed))


FORMS = {
    "manifest.csv": [
        PLAIN,
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\n\n"),
        PLAIN.replace(",", ";").replace("3.5", "3,5"),
        PLAIN.replace(",", "\t"),
        PLAIN.replace("path,subject,label", " Path , SUBJECT ,Label"),
        PLAIN.replace("path,subject,label", "path,subject,pspi"),
        PLAIN.replace("a.png", '"a.png"').replace("b.png", "./b.png"),
        PLAIN.replace("a.png,s1", "a.png , s1 "),
    ],
    "manifest.tsv": [PLAIN.replace(",", "\t")],
}


@pytest.mark.parametrize(
    ("name", "text"), [(n, text) for n, texts in FORMS.items() for text in texts]
)
def test_forms_of_text_mean_the_same(make_manifest, name, text):
    config = make_manifest(text, PICTURES, name=name)
    found = {path.removeprefix("./"): label for path, label in labels_of(config).items()}
    assert found == {"a.png": 0, "b.png": 3.5, "c.png": 16}
    assert open_dataset(config).subjects() == {"s1": 2, "s2": 1}


@pytest.mark.parametrize("subject", [["s1", "s1", "s2"], [1, 1, 2]])
def test_parquet(make_manifest, tmp_path, subject):
    config = make_manifest("", PICTURES, name="manifest.parquet")
    frames = pl.DataFrame({"path": PICTURES, "subject": subject, "label": [0.0, 3.5, None]})
    frames.write_parquet(tmp_path / "manifest.parquet")
    rows = rows_of(config)
    assert rows["status"].to_list() == ["ok", "ok", "bad_label"]
    assert rows["subject"].to_list() == [str(name) for name in subject]


def test_optional_columns(make_manifest):
    head = "path,subject,label,sequence,frame,split,sex,age_group,AU4,au06,AU43,AU1\n"
    lines = "b.png,s1,1,q,10,train,Female,adult,1,5,1,2\na.png,s1,0,q,9,train,m,,x,9,,\n"
    dataset = open_dataset(make_manifest(head + lines, PICTURES))
    rows = dataset.index()
    assert rows["frame_id"].to_list() == ["s1/q/9", "s1/q/10"]
    assert rows["position"].to_list() == [0, 1]
    assert rows["sex"].to_list() == ["m", "f"]
    assert rows["split"].to_list() == ["train", "train"]
    assert rows["au4"].to_list() == [None, 1]
    assert rows["au6"].to_list() == [None, 5]
    assert rows["au43"].to_list() == [None, 1]
    assert rows["notes"].to_list() == [["bad_action_unit"], []]
    assert dataset.remarks() == {"column 'au1' that is not known, and not used": 1}


def test_pspi_is_compared_with_action_units(make_manifest):
    head = "path,subject,label,au4,au6,au7,au9,au10,au43\n"
    lines = "a.png,s,7,1,2,3,1,2,1\nb.png,s,8,1,2,3,1,2,1\n"
    rows = rows_of(make_manifest(head + lines, PICTURES))
    assert rows["notes"].to_list() == [[], ["pspi_differs: 8 as label, 7 from action units"]]
    other = make_manifest(head + lines, PICTURES, label="vas", label_high=10)
    assert rows_of(other)["notes"].to_list() == [[], []]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "label is empty"),
        ("NaN", "NaN or missing"),
        ("nan", "NaN or missing"),
        ("high", "'high' is not a number"),
        ("17", "pspi=17 is outside 0–16"),
        ("-0.5", "outside 0–16"),
        ("inf", "outside 0–16"),
        ("1e999", "outside 0–16"),
        ("1_0", "not a number"),
    ],
)
def test_a_bad_label_keeps_its_row(make_manifest, text, words):
    rows = rows_of(make_manifest(PLAIN + f"d.png,s1,{text}\n", (*PICTURES, "d.png")))
    row = rows.filter(pl.col("path") == "d.png").row(0, named=True)
    assert row["status"] == "bad_label"
    assert row["reason"].startswith("manifest.csv row 5: ")
    assert words in row["reason"]
    assert rows["status"].to_list().count("ok") == 3


@pytest.mark.parametrize(
    ("row", "status", "words"),
    [
        ("missing.png,s1,1", "missing_file", "there is no file missing.png"),
        (",s1,1", "missing_file", "no path is given"),
        ("d.png,,1", "bad_subject", "no subject is given"),
        ("a.png,s1,0", "duplicate", "the same picture as manifest.csv row 2"),
        ("./a.png,s1,0", "duplicate", "the same picture as manifest.csv row 2"),
        ("sub/../a.png,s1,0", "duplicate", "the same picture as manifest.csv row 2"),
        ("a.png,s1,", "duplicate", "the same picture as manifest.csv row 2"),
        ("d.png", "bad_subject", "no subject is given"),
        (r"C:\data\d.png,s1,1", "missing_file", "absolute Windows path"),
        ("sub,s1,1", "unreadable", "no plain file"),
        ("/etc/hostname,s1,1", "outside_root", "was not opened"),
        ("../../x.png,s1,1", "outside_root", "was not opened"),
    ],
)
def test_a_bad_row_keeps_its_place(make_manifest, row, status, words):
    config = make_manifest(PLAIN + row + "\n", (*PICTURES, "d.png", "sub/e.png"))
    dataset = open_dataset(config)
    rows = dataset.index()
    bad = rows.filter(pl.col("status") != "ok")
    assert bad["status"].to_list() == [status]
    assert bad["reason"][0].startswith("manifest.csv row 5: ")
    assert words in bad["reason"][0]
    assert sum(dataset.subjects().values()) == len(rows) == 4
    assert rows["frame_id"].is_unique().all()
    assert list(dataset.pictures(bad)) == [Fault(status, bad["reason"][0])]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty; expected a header"),
        ("\n\n", "empty; expected a header"),
        ("path,subject,label\n", "a header but no row"),
        ("path,subject,pain\na.png,s,1\n", "no column 'label'; found path, subject, pain"),
        ("path,label\na.png,1\n", "no column 'subject'; found path, label"),
        ("path,subject,label,Label\na.png,s,1,1\n", "columns named twice: label"),
        ("path,subject,label\nx,y.png,s,1\n", "row 2: 4 fields, the header names 3"),
        ('path,subject,label\n"' + "x" * 200_000, "row 2: field larger than field limit"),
        ("path,subject,label,au4,AU04\na.png,s,1,1,1\n", "two columns hold au4"),
        (b"\xff\xfea\x00b", "not UTF-16"),
        (b"\x89PNG\x04" + bytes(range(256)) * 4, "NUL characters: no text"),
        (b"PK\x03\x04" + bytes(range(256)) * 4, "no text but a spreadsheet or a ZIP archive"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "no text but a spreadsheet of old Excel"),
        (
            gzip.compress(b"path,subject,label\na.png,s,1\n", mtime=0),
            "no text but compressed by gzip",
        ),
        (b"PAR1" + bytes(100) + b"PAR1", "a Parquet table without the suffix .parquet"),
    ],
)
def test_a_useless_table_is_one_line(make_manifest, text, words):
    config = make_manifest(text, PICTURES)
    with pytest.raises(DataError) as caught:
        rows_of(config)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"path,subject\n"]
)
def test_a_damaged_parquet_is_one_line(make_manifest, content):
    with pytest.raises(DataError, match="not a Parquet table"):
        open_dataset(make_manifest(content, name="manifest.parquet")).subjects()


def test_a_table_must_be_named_and_be_there(configured, tmp_path):
    with pytest.raises(SettingsError, match=r"index\.manifest\.file: not given"):
        open_dataset(configured("manifest"))
    with pytest.raises(DataError, match="no such file"):
        open_dataset(configured("manifest", file=str(tmp_path / "no.csv"))).subjects()
    with pytest.raises(DataError, match="no such file"):
        open_dataset(configured("manifest", file=str(tmp_path))).subjects()


def test_windows_paths_and_names_in_other_unicode_forms(make_manifest):
    pictures = ("frames/s1/a.png", "frames/ma\u0308dchen.png", "frames/日本.png")  # NFD on disk
    rows = ("frames\\s1\\a.png,s,1", "frames/m\u00e4dchen.png,s,2", "frames/日本.png,s,3")
    text = "path,subject,label\n" + "\n".join(rows)
    assert sorted(labels_of(make_manifest(text, pictures)).values()) == [1, 2, 3]


def test_one_person_in_two_unicode_forms_is_one_subject(make_manifest):
    text = "path,subject,label\na.png,Jose\u0301,1\nb.png,Jos\u00e9,2\n"
    assert open_dataset(make_manifest(text, PICTURES)).subjects() == {"José": 2}


def test_latin_1_rows_among_utf_8_ones_are_read_and_remarked(make_manifest):
    text = "path,subject,label\na.png,Zoë,1\n".encode() + "b.png,Jörg,2\n".encode("latin-1")
    dataset = open_dataset(make_manifest(text, PICTURES))
    assert set(dataset.index()["subject"]) == {"Zoë", "Jörg"}
    assert dataset.remarks() == {"rows of manifest.csv that are not UTF-8, read as Latin-1": 1}


HOSTILE_SUBJECTS = [
    "../x",
    "a/b",
    "a b",
    "..",
    ".",
    "x" * 5000,
    "日本",
    "-rf",
    "a%2Fb",
    "s#1",
    "$(id)",
]


def test_hostile_subjects_keep_their_names_and_have_safe_shards(make_manifest, tmp_path):
    pictures = tuple(f"p{i}.png" for i in range(len(HOSTILE_SUBJECTS)))
    lines = [f'{p},"{s}",1\n' for p, s in zip(pictures, HOSTILE_SUBJECTS, strict=True)]
    text = "path,subject,label\n" + "".join(lines)
    config = make_manifest(text, pictures, index__packed_frames=0)
    index(config, tmp_path / "out.parquet")
    rows = tables.read(tmp_path / "out.parquet")
    assert set(rows["subject"]) == set(HOSTILE_SUBJECTS)
    assert rows["frame_id"].is_unique().all()
    assert all(name.count("/") == 2 and "#" not in name for name in rows["frame_id"])
    assert rows["shard"].n_unique() == len(HOSTILE_SUBJECTS)
    assert rows["shard"].str.contains(r"^[A-Za-z0-9_-]{1,80}\.[0-9]{2}$").all()
    assert set(rows["shard"]) == set(shards_of(open_dataset(config).subjects(), 512))


def test_pictures_of_one_name_in_two_folders_stay_two_frames(make_manifest):
    pictures = ("day1/a.png", "day2/a.png")
    text = "path,subject,label,sequence\nday1/a.png,s,1,q\nday2/a.png,s,2,q\n"
    rows = rows_of(make_manifest(text, pictures))
    assert rows["status"].to_list() == ["ok", "ok"]
    assert rows["frame_id"].is_unique().all()


def test_a_frame_named_twice_with_other_pictures_is_a_duplicate(make_manifest):
    text = "path,subject,label,sequence,frame\na.png,s,1,q,1\nb.png,s,2,q,1.0\nc.png,s,3,q,2\n"
    rows = rows_of(make_manifest(text, PICTURES))
    assert rows["status"].to_list() == ["ok", "duplicate", "ok"]


def test_paths_may_start_from_another_folder(make_manifest, tmp_path):
    text = "path,subject,label\na.png,s,1\n"
    config = make_manifest(text, ("elsewhere/a.png",), root=str(tmp_path / "elsewhere"))
    assert labels_of(config) == {"a.png": 1}


def test_no_usable_frame_stops_with_the_first_reason(make_manifest, tmp_path):
    config = make_manifest("path,subject,label\nno.png,s,1\n")
    with pytest.raises(DataError, match=r"no frame can be used; the first: manifest.csv row 2"):
        index(config, tmp_path / "out.parquet")


def test_a_table_that_changed_since_the_scan_is_noticed(make_manifest, tmp_path, monkeypatch):
    config = make_manifest(PLAIN, PICTURES)
    monkeypatch.setattr("aacsfnet.datasets.manifest.Manifest.subjects", lambda self: {"s1": 2})
    with pytest.raises(DataError, match=r"index of 's2' has 1 frames, the scan at start counted 0"):
        index(config, tmp_path / "out.parquet")


def test_videos_whole_and_by_frame(make_manifest, make_video, tmp_path):
    make_video(tmp_path / "clip.mp4", list(range(30, 230, 4)))  # 50 frames, 25 a second
    make_video(tmp_path / "b.mp4", list(range(30, 230, 4)), rate=20.0)
    names = ("clip.mp4,s1,2,", "b.mp4,s2,3,7", "b.mp4,s2,4,99", "b.mp4,s2,4,x")
    text = "path,subject,label,frame\n" + "".join(f"{name}\n" for name in names)
    dataset = open_dataset(make_manifest(text, index__videos={"rate": 5.0, "seconds": 3.0}))
    rows = dataset.index()
    whole = rows.filter(pl.col("subject") == "s1")
    assert whole["path"].to_list() == [f"clip.mp4#{n:06d}" for n in range(0, 50, 5)]
    assert set(whole["label"]) == {2}
    single = rows.filter(pl.col("subject") == "s2")
    assert sorted(single["status"]) == ["missing_file", "ok", "unreadable"]
    assert dataset.subjects() == {"s1": 15, "s2": 3}
    assert not dataset.exact_scan
    found = [p.mean() for p in dataset.pictures(rows) if not isinstance(p, Fault)]
    np.testing.assert_allclose(found, [*(30 + 4 * n for n in range(0, 50, 5)), 58], atol=4)


def test_more_frames_than_planned_fill_the_planned_shards(make_manifest, make_video, tmp_path):
    make_video(tmp_path / "clip.mp4", [90] * 50)
    text = "path,subject,label\nclip.mp4,s1,2\n"
    config = make_manifest(
        text, index__shard_frames=4, index__videos={"rate": 25.0, "seconds": 0.4}
    )
    index(config, tmp_path / "out.parquet")
    rows = tables.read(tmp_path / "out.parquet")
    planned = shards_of(open_dataset(config).subjects(), 4)
    assert dict(rows.group_by("shard", maintain_order=True).len().iter_rows()) == {
        "s1.00": 17,
        "s1.01": 17,
        "s1.02": 16,
    }
    assert set(rows["shard"]) == set(planned)


def test_notes_are_counted_by_name(make_manifest, tmp_path, encode, make_picture):
    from PIL import Image

    Image.fromarray(make_picture(5)).convert("L").save(tmp_path / "d.png")
    rows = rows_of(make_manifest(PLAIN + "d.png,s1,1\n", PICTURES))
    assert counts(rows, "notes") == {"grey": 1}
    assert set(counts(rows, "notes")) <= set(NOTES)


def test_a_large_study_is_scanned_from_names_alone(make_manifest):
    lines = (f"f/s{i % 25}/{i:06d}.png,s{i % 25},{i % 16},q{i % 200},{i}\n" for i in range(48_398))
    config = make_manifest("path,subject,label,sequence,frame\n" + "".join(lines))
    # None of the pictures is there.
    expected = {f"s{i}": 48_398 // 25 + (i < 48_398 % 25) for i in range(25)}
    assert open_dataset(config).subjects() == expected
