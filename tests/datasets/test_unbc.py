"""Every oddity of the archive's copies, planted in a small tree, is counted under its own name."""

import os
import shutil
import sys

import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import NOTES, shards_of
from aacsfnet.datasets.index import counts, index
from aacsfnet.datasets.unbc_labels import parse_facs, parse_scalar
from aacsfnet.errors import DataError, SettingsError
from aacsfnet.facs import ACTION_UNITS
from aacsfnet.tables import Fault

FIRST = "042-ll042/ll042t1aaaff/ll042t1aaaff001"


def opened(configured, tree, **keys):
    return open_dataset(configured("unbc", root=str(tree.root), **keys))


def row_of(rows, frame):
    return rows.filter(pl.col("frame_id") == frame).row(0, named=True)


def test_a_sound_tree_has_exact_labels_and_no_oddity(unbc_tree, configured):
    dataset = opened(configured, unbc_tree)
    rows = dataset.index()
    assert dict(rows.select("frame_id", "label").iter_rows()) == unbc_tree.truth
    assert set(rows["status"]) == {"ok"}
    assert dataset.subjects() == {"042-ll042": 10, "095-tv095": 5}
    assert counts(rows, "notes") == {
        "au43_without_intensity": 6,
        "facs_empty": 6,
        # none for AU12 and AU25, which the index holds
    }
    assert dataset.remarks() == {}
    assert rows["position"].to_list() == [0, 1, 2, 3, 4] * 3


def test_action_units_and_sequence_labels_are_read(unbc_tree, configured):
    rows = opened(configured, unbc_tree).index()
    row = row_of(rows, "042-ll042/ll042t1aaaff/ll042t1aaaff004")
    units = {unit: row[unit] for unit in ACTION_UNITS if row[unit]}
    assert units == {"au4": 2, "au6": 1, "au7": 3, "au43": 1, "au12": 4}
    assert (row["aff"], row["opr"], row["sen"], row["vas"]) == (4, 2, 6, 3)


def test_pictures_and_landmarks_come_in_the_order_asked(unbc_tree, configured, make_picture):
    dataset = opened(configured, unbc_tree)
    rows = dataset.index().sort("position", descending=True)
    for number, pixels in zip(rows["position"], dataset.pictures(rows), strict=True):
        np.testing.assert_array_equal(pixels, make_picture(number + 1))
    points = dataset.aam_landmarks(rows)
    assert points.shape == (15, 66, 2)
    assert points[3, 10].tolist() == [10.5, 11.25]


PSPI, FACS = "Frame_Labels/PSPI/", "Frame_Labels/FACS/"


@pytest.mark.parametrize(
    ("change", "status", "note"),
    [
        ({PSPI + FIRST + "_facs.txt": None}, "bad_label", "no_label_file"),
        ({PSPI + FIRST + "_facs.txt": ""}, "bad_label", "bad_label_file"),
        ({PSPI + FIRST + "_facs.txt": "three"}, "bad_label", "bad_label_file"),
        ({PSPI + FIRST + "_facs.txt": "1 2"}, "bad_label", "bad_label_file"),
        ({PSPI + FIRST + "_facs.txt": "NaN"}, "bad_label", "bad_label_file"),
        ({PSPI + FIRST + "_facs.txt": "1.7e+01"}, "bad_label", None),
        ({PSPI + FIRST + "_facs.txt": "x" * 100_000}, "bad_label", "bad_label_file"),
        ({"Images/" + FIRST + ".png": None}, "missing_file", "label_without_frame"),
        ({"Images/" + FIRST + ".png": ""}, "unreadable", None),
        ({FACS + FIRST + "_facs.txt": None}, "ok", "no_facs_file"),
        ({FACS + FIRST + "_facs.txt": "4 a 0 0\n"}, "ok", "bad_facs"),
        ({FACS + FIRST + "_facs.txt": "4 9 0 0\n"}, "ok", "bad_facs"),
        ({FACS + FIRST + "_facs.txt": "? ?"}, "ok", "bad_facs"),
        ({FACS + FIRST + "_facs.txt": "17 2 0 0\n"}, "ok", "other_action_unit"),
        ({FACS + FIRST + "_facs.txt": "4 2 0 0\n"}, "ok", "pspi_differs"),
        ({"AAM_landmarks/" + FIRST + "_aam.txt": None}, "ok", "no_aam_file"),
        ({"AAM_landmarks/" + FIRST + "_aam.txt": "1 2\n"}, "ok", "bad_aam"),
        ({"AAM_landmarks/" + FIRST + "_aam.txt": "x y\n" * 66}, "ok", "bad_aam"),
    ],
)
def test_an_oddity_is_counted_and_touches_its_row_only(unbc_tree, configured, change, status, note):
    for path, content in change.items():
        (unbc_tree.root / path).unlink()
        if content is not None:
            unbc_tree.write(path, content)
    dataset = opened(configured, unbc_tree)
    rows = dataset.index()
    row = row_of(rows, FIRST)
    assert row["status"] == status
    assert bool(row["reason"]) == (status != "ok")
    names = [text.partition(":")[0] for text in row["notes"]]
    if note:
        assert note in names
        assert counts(rows, "notes")[note] == 1
    assert set(names) <= set(NOTES)
    others = rows.filter(pl.col("frame_id") != FIRST)
    assert set(others["status"]) == {"ok"}
    truth = {frame: label for frame, label in unbc_tree.truth.items() if frame != FIRST}
    assert dict(others.select("frame_id", "label").iter_rows()) == truth
    assert sum(dataset.subjects().values()) == len(rows)


def test_a_disagreement_names_both_values(unbc_tree, configured):
    unbc_tree.write(FACS + FIRST + "_facs.txt", "4 2 0 0\n10 1 0 0\n")
    notes = row_of(opened(configured, unbc_tree).index(), FIRST)["notes"]
    assert "pspi_differs: 0 in the PSPI file, 3 from FACS" in notes


def test_black_frames_are_rows_with_that_status(unbc_tree, configured, encode):
    unbc_tree.write(f"Images/{FIRST}.png", encode(np.zeros((24, 32, 3), np.uint8)))
    dataset = opened(configured, unbc_tree)
    found = list(dataset.pictures(dataset.index()))
    assert [p.status for p in found if isinstance(p, Fault)] == ["black"]


def test_a_sequence_without_labels_is_remarked(unbc_tree, configured):
    (unbc_tree.root / "Sequence_Labels/VAS/095-tv095/tv095t1aeaff.txt").unlink()
    unbc_tree.sequence_labels("042-ll042", "ll042t1aaaff", OPR="99")
    dataset = opened(configured, unbc_tree)
    rows = dataset.index()
    assert dataset.remarks() == {
        "OPR label that is not a number from 0 to 5": 1,
        "sequence without a VAS label": 1,
    }
    assert rows["vas"].null_count() == 5


@pytest.mark.parametrize(
    "names",
    [
        {"images": "Images/Images", "labels": "Frame_Labels/Frame_Labels"},
        {"images": "images", "labels": "FRAME LABELS"},
        {"images": "copy/UNBC/Images", "labels": "copy/UNBC/Frame_Labels"},
    ],
)
def test_copies_give_the_same_index(make_unbc, configured, tmp_path, names):
    tree = make_unbc(tmp_path / "copy", **names)
    if "copy" in names["images"]:
        for part in ("AAM_landmarks", "Sequence_Labels"):
            (tree.root / part).rename(tree.root / "copy/UNBC" / part)
    rows = opened(configured, tree).index()
    plain = opened(configured, make_unbc(tmp_path / "plain")).index()
    assert rows.drop("path").equals(plain.drop("path"))


def test_case_differences_between_pictures_and_labels(unbc_tree, configured):
    for part in ("Images", "Frame_Labels/PSPI"):
        folder = unbc_tree.root / part / "042-ll042"
        folder.rename(folder.with_name("042-LL042" if part == "Images" else "042-Ll042"))
    picture = unbc_tree.root / "Images/095-tv095/tv095t1aeaff/tv095t1aeaff001.png"
    picture.rename(picture.with_name("TV095t1aeaff001.PNG"))
    dataset = opened(configured, unbc_tree)
    rows = dataset.index()
    assert set(rows["status"]) == {"ok"}
    assert dataset.subjects() == {"042-LL042": 10, "095-tv095": 5}
    assert rows["label"].sum() == sum(unbc_tree.truth.values())


def test_files_of_other_kinds_are_no_frames(unbc_tree, configured):
    for name in ("Thumbs.db", ".DS_Store", "._ll042t1aaaff001.png", "notes.txt"):
        unbc_tree.write(f"Images/042-ll042/ll042t1aaaff/{name}", "x")
    assert len(opened(configured, unbc_tree).index()) == 15


def test_a_second_picture_of_a_frame_is_a_duplicate(unbc_tree, configured, encode, make_picture):
    unbc_tree.write(f"Images/{FIRST}.jpg", encode(make_picture(1), ".jpg"))
    dataset = opened(configured, unbc_tree)
    rows = dataset.index()
    assert rows["status"].to_list().count("duplicate") == 1
    assert rows["frame_id"].is_unique().all()
    assert sum(dataset.subjects().values()) == len(rows) == 16


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_utf8_are_written_in_letters_and_found_again(
    unbc_tree, configured, make_picture
):
    """As an archive packed on another system leaves them."""
    for part in ("Images", "Frame_Labels/PSPI", "Frame_Labels/FACS", "AAM_landmarks"):
        folder = os.fsencode(unbc_tree.root / part)
        os.rename(folder + b"/042-ll042", folder + b"/Andr\xe9")  # noqa: PTH104
    picture = os.fsencode(unbc_tree.root / "Images/095-tv095/tv095t1aeaff")
    os.rename(picture + b"/tv095t1aeaff001.png", picture + b"/x\xff\xfe.png")  # noqa: PTH104
    dataset = opened(configured, unbc_tree)
    rows = dataset.index()
    tables.write(unbc_tree.root / "i.parquet", rows.with_columns(shard=pl.lit("a")).select(
        list(tables.SCHEMAS["index"])), "index")  # fmt: skip
    assert dataset.subjects() == {"Andr\\xe9": 10, "095-tv095": 6}
    assert rows["status"].to_list().count("ok") == 14
    (odd,) = rows.filter(pl.col("path").str.contains("xff")).to_dicts()
    assert odd["frame_id"].endswith("x%5Cxff%5Cxfe")
    assert odd["status"] == "bad_label"
    andre = rows.filter(pl.col("subject") != "095-tv095")
    for number, pixels in zip(andre["position"], dataset.pictures(andre), strict=True):
        np.testing.assert_array_equal(pixels, make_picture(number + 1))
    assert not np.isnan(dataset.aam_landmarks(andre)).any()


def test_link_loops_and_links_out_are_not_followed(unbc_tree, configured, tmp_path, encode):
    (unbc_tree.root / "Images/Images").symlink_to("../Images")
    outside = tmp_path / "private/s/q"
    outside.mkdir(parents=True)
    (outside / "f.png").write_bytes(encode(np.full((24, 24, 3), 99, np.uint8)))
    (unbc_tree.root / "Images/099-out").symlink_to(tmp_path / "private/s")
    dataset = opened(configured, unbc_tree)
    assert len(dataset.index()) == 15
    inside = configured("unbc", root=str(unbc_tree.root), index__further_roots=[str(tmp_path)])
    assert "099-out" in open_dataset(inside).subjects()


def test_wrong_folders_are_one_clear_line(unbc_tree, configured, tmp_path):
    with pytest.raises(SettingsError, match=r"index\.unbc\.root: not given"):
        open_dataset(configured("unbc"))
    with pytest.raises(DataError, match="no such folder"):
        open_dataset(configured("unbc", root=str(tmp_path / "no"))).subjects()
    (tmp_path / "empty/Videos").mkdir(parents=True)
    with pytest.raises(DataError, match="it holds Videos"):
        open_dataset(configured("unbc", root=str(tmp_path / "empty"))).subjects()
    (unbc_tree.root / "Frame_Labels").rename(unbc_tree.root / "Other")
    with pytest.raises(DataError, match="no label at Frame_Labels/PSPI"):
        opened(configured, unbc_tree).subjects()


def test_the_stage_deals_subjects_into_the_planned_shards(unbc_tree, configured, tmp_path):
    config = configured("unbc", root=str(unbc_tree.root), index__shard_frames=4)
    for output in ("a", "b"):
        index(config, tmp_path / output)
    rows = tables.read(tmp_path / "a")
    planned = shards_of(open_dataset(config).subjects(), 4, 4)
    assert dict(rows.group_by("shard").len().iter_rows()) == planned
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("text", [b"\xff\xfe1", b"1_0", b"0x3", b"--1", b"\x00"])
def test_odd_scalars_are_no_numbers(text):
    assert parse_scalar(text)[0] is None


def test_facs_left_unknown_is_not_zero():
    units, notes = parse_facs(b"6 2 0 0\n9 -1 0 0\n")
    assert "au9" not in units
    assert units["au6"] == 2
    assert units["au10"] == 0
    assert notes == ["bad_facs"]


@pytest.mark.slow
def test_a_whole_archive_is_planned_and_indexed(tmp_path, configured, encode, make_picture):
    root = tmp_path / "archive"
    truth = write_archive(root, encode(make_picture()))
    config = configured("unbc", root=str(root))
    planned = open_dataset(config).subjects()
    assert len(planned) == 25
    assert sum(planned.values()) == len(truth) == 48_398
    index(config, tmp_path / "index.parquet")
    rows = tables.read(tmp_path / "index.parquet", ["frame_id", "label", "sequence"])
    assert rows["sequence"].n_unique() == 200
    assert dict(rows.select("frame_id", "label").iter_rows()) == truth


def write_archive(root, png):
    """25 subjects, 200 sequences, 48,398 frames; one picture, linked to be light on the disk."""
    truth = {}
    (root / "one").mkdir(parents=True)
    (root / "one/p.png").write_bytes(png)
    for number in range(200):
        subject, sequence = f"{number % 25:03d}-s", f"q{number:03d}"
        frames = 242 if number < 198 else 241
        folders = [root / part / subject / sequence for part in ("Images", PSPI)]
        for folder in folders:
            folder.mkdir(parents=True)
        for frame in range(frames):
            name, label = f"{sequence}_{frame:03d}", (frame * number) % 16
            os.link(root / "one/p.png", folders[0] / f"{name}.png")
            (folders[1] / f"{name}_facs.txt").write_text(f"{label:.7e}")
            truth[f"{subject}/{sequence}/{name}"] = label
    return truth


@pytest.mark.slow
def test_rendered_faces_in_the_archives_layout_are_found(tmp_path, configured, make_unbc, encode):
    from aacsfnet.faces.crop import crop

    demo = open_dataset(configured("demo", subjects=3, sequences=1, frames=6))
    faces = demo.index()
    tree = make_unbc(tmp_path / "copy", images="Images/Images", labels="Frame_Labels/Frame_Labels")
    shutil.rmtree(tree.root)
    truth = {}
    for row, pixels in zip(faces.iter_rows(named=True), demo.pictures(faces), strict=True):
        place = f"{row['subject']}/{row['subject']}t1/f{row['position']:03d}"
        units = ((unit[2:], row[unit]) for unit in ACTION_UNITS if row[unit])
        tree.write(f"{tree.images}/{place}.png", encode(pixels))
        tree.write(f"{tree.labels}/PSPI/{place}_facs.txt", f"{row['label']:.17e}")
        tree.write(
            f"{tree.labels}/FACS/{place}_facs.txt", "".join(f"{u} {v} 0 0\n" for u, v in units)
        )
        truth[place] = row["label"]
    sound = encode(pixels)
    odd = {
        "s001/s001t1/f000": encode(np.zeros_like(pixels)),
        "s002/s002t1/f000": sound[: len(sound) // 2],
        "s003/s003t1/f000": b"",
    }
    for place, content in odd.items():
        tree.write(f"{tree.images}/{place}.png", content)
    config = configured("unbc", root=str(tree.root))
    index(config, tmp_path / "index.parquet")
    rows = tables.read(tmp_path / "index.parquet")
    assert dict(rows.select("frame_id", "label").iter_rows()) == truth
    assert "pspi_differs" not in counts(rows, "notes")
    found = {}
    for shard in rows["shard"].unique():
        crop(config, tmp_path / "index.parquet", shard, tmp_path / "crop.parquet")
        found |= dict(tables.read(tmp_path / "crop.parquet", ["frame_id", "status"]).iter_rows())
    expected = dict.fromkeys(truth, "ok") | dict(
        zip(odd, ("black", "unreadable", "unreadable"), strict=True)
    )
    assert found == expected
