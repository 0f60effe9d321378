"""Who is who in a user's table: names in several forms, words for nobody, copies of one file."""

import os
import shutil

import cv2
import numpy as np
import polars as pl
import pytest

from aacsfnet.datasets import identical, open_dataset
from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.identical import same_bytes
from aacsfnet.doctor import diagnose
from aacsfnet.errors import DataError
from aacsfnet.workflow import Workflow

PICTURES = ("a.png", "b.png", "c.png")


def rows_of(*subjects):
    lines = [f'{"abc"[i]}.png,"{name}",{i}\n' for i, name in enumerate(subjects)]
    return "path,subject,label\n" + "".join(lines)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("7", "07"),
        ("7", "7.0"),
        ("7.00", "007"),
        ("1,001", "1001"),
        ("s01", "S1"),
        ("Anna", "anna"),
        ("Anna B", "anna  b"),
        ("Anna B", "anna_b"),
        ("Anna B", "AnnaB"),
        ("s_7", "S7"),
        ("7e0", "7"),
        ("+7", "7"),
        ("anna\u00a0b", "anna b"),
        ("anna\u200b", "anna"),
        ("an\0na", "anna"),
        ("s-1", "s\u20131"),
        ("'s1'", "s1"),
        ("José", "JosÃ©"),  # UTF-8 read as Latin-1 by another program
        ("\uff41nna", "anna"),  # full width
    ],
)
def test_two_forms_of_one_name_are_refused_and_shown(make_manifest, one, other):
    with pytest.raises(DataError) as caught:
        open_dataset(make_manifest(rows_of(one, other, "x"), PICTURES)).subjects()
    assert "rows 2 and 3" in str(caught.value)
    assert str(caught.value).isprintable()
    assert other in str(caught.value) or not other.isprintable()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("7", "70"),
        ("1.05", "1.5"),
        ("s10", "s1"),
        ("a/b", "a.b"),
        ("anna", "annab"),
        ("1", "-1.5"),
        ("1_1", "11"),
    ],
)
def test_names_of_two_people_stay_two(make_manifest, one, other):
    found = open_dataset(make_manifest(rows_of(one, other), PICTURES)).subjects()
    assert found == {one: 1, other: 1}


@pytest.mark.parametrize(
    "word", ["NA", "NaN", "None", "null", "N/A", "n/a", "-", "#N/A", "#REF!", "", "####", "?"]
)
def test_words_for_nothing_are_no_subject_and_no_label(make_manifest, word):
    text = f"path,subject,label\na.png,{word},1\nb.png,s,{word}\nc.png,s,2\n"
    dataset = open_dataset(make_manifest(text, PICTURES))
    rows = dataset.index().sort("path")
    assert rows["status"].to_list()[::2] == ["bad_subject", "ok"]
    assert rows["label"].to_list()[1] is None
    assert rows["subject"].to_list() == ["", "s", "s"]
    assert dataset.subjects() == {"": 1, "s": 2}
    assert "" not in {who for who, said in dataset.splits().items() if said - {""}}


def copies(make_manifest, tmp_path, content=None):
    config = make_manifest("path,subject,label\na.png,p,0\nsub/d.png,q,1\nb.png,r,2\n", PICTURES)
    (tmp_path / "sub").mkdir()
    if content is None:
        shutil.copy(tmp_path / "a.png", tmp_path / "sub" / "d.png")
    else:
        for name in ("a.png", "sub/d.png"):
            (tmp_path / name).write_bytes(content)
    return config


def test_the_same_bytes_under_two_people_stop_run_and_doctor(make_manifest, tmp_path):
    config = copies(make_manifest, tmp_path)
    words = "manifest.csv rows 2 and 3: a.png and sub/d.png hold the same bytes"
    with pytest.raises(DataError, match=words):
        Workflow(config.model_dump(mode="json"))
    errors = [each for each in diagnose(config) if each.level == "error"]
    assert any(words in each.message for each in errors)


def test_black_and_damaged_pictures_may_be_alike(make_manifest, tmp_path, encode):
    for content in (encode(np.zeros((24, 32, 3), np.uint8)), b"damaged"):
        config = copies(make_manifest, tmp_path, content)
        assert set(open_dataset(config).subjects()) == {"p", "q", "r"}
        shutil.rmtree(tmp_path / "sub")


def test_one_persons_copies_are_no_fault(make_manifest, tmp_path):
    config = make_manifest("path,subject,label\na.png,p,0\nd.png,p,1\nb.png,r,2\n", PICTURES)
    shutil.copy(tmp_path / "a.png", tmp_path / "d.png")
    rows = open_dataset(config).index()
    assert (rows["status"] == "ok").all()


def test_files_that_were_compared_are_not_opened_again_until_one_changes(
    make_manifest, tmp_path, monkeypatch
):
    config = make_manifest("path,subject,label\na.png,p,0\nd.png,q,1\nb.png,r,2\n", PICTURES)
    (tmp_path / "d.png").write_bytes((tmp_path / "a.png").read_bytes()[:-1] + b"x")
    settings = config.model_dump(mode="json") | {"results": str(tmp_path / "results")}
    settings["merge"] |= {"folds": 3, "validation_subjects": 1}
    opened, middles = [], DataFolder.middles
    monkeypatch.setattr(
        DataFolder,
        "middles",
        lambda folder, files, most: middles(folder, [*map(told(opened), files)], most),
    )

    def looked_at(settings=settings):
        opened.clear()
        with Workflow(settings).hold():
            return {name for name, _ in opened}

    assert looked_at() >= {"a.png", "d.png"}
    assert looked_at() == set()
    assert looked_at(settings | {"seed": 7}) >= {"a.png", "d.png"}  # may bear on what is usable
    assert looked_at(settings | {"seed": 7}) == set()
    times = (tmp_path / "d.png").stat()
    shutil.copy(tmp_path / "a.png", tmp_path / "d.png")
    os.utime(tmp_path / "d.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(DataError, match="hold the same bytes"):
        looked_at(settings | {"seed": 7})


def told(to):
    """A function that returns what it is given, and adds it to a list."""

    def passed(each):
        to.append(each)
        return each

    return passed


def test_only_files_of_one_size_are_opened(make_manifest, tmp_path, monkeypatch):
    for side in range(3):
        pixels = np.full((24, 32, 3), 90 + side, np.uint8)
        pixels[: side * 8] = np.random.default_rng(side).integers(0, 255, (side * 8, 32, 3))
        cv2.imwrite(str(tmp_path / f"{'abc'[side]}.png"), pixels)
    sizes = {(tmp_path / name).stat().st_size for name in PICTURES}
    assert len(sizes) == 3
    opened = []
    monkeypatch.setattr(identical, "_pieces", lambda folder, files, most: opened.extend(files))
    config = make_manifest(rows_of("x", "y", "z"))
    assert len(open_dataset(config).subjects()) == 3
    assert opened == []


def test_a_link_to_another_persons_picture_is_refused(make_manifest, tmp_path):
    config = make_manifest("path,subject,label\na.png,p,0\nd.png,q,1\n", PICTURES)
    (tmp_path / "d.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(DataError, match="the same bytes, under the subjects 'p' and 'q'"):
        open_dataset(config).subjects()


def test_a_link_with_another_label_is_refused(make_manifest, tmp_path):
    config = make_manifest("path,subject,label\na.png,p,0\nd.png,p,1\n", PICTURES)
    (tmp_path / "d.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"rows 2 and 3: d.png has the labels '0' and '1'"):
        open_dataset(config).index()


def test_two_columns_of_people_may_say_the_same(make_manifest):
    text = "path,subject,participant_id,label\na.png,anna,1,0\nb.png,ben,2,1\nc.png,ben,2,1\n"
    assert open_dataset(make_manifest(text, PICTURES)).subjects() == {"anna": 1, "ben": 2}


def test_two_columns_of_the_label_may_say_the_same(make_manifest):
    text = "path,subject,label,vas\na.png,s,1,1.0\nb.png,s,2,2\n"
    rows = open_dataset(make_manifest(text, PICTURES, label="vas", label_high=10)).index()
    assert rows["label"].to_list() == [1, 2]
    assert rows.filter(pl.col("status") == "ok").height == 2


def test_files_that_could_not_be_read_are_compared_again(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / name).write_bytes(b"x" * 100)
    folder = DataFolder(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(DataFolder, "digest", lambda self, name: "")
        unread = same_bytes(folder, ["a", "b"], ["p", "q"], lambda _: True)
    assert (unread.groups, unread.compared) == (0, "")
    found = same_bytes(folder, ["a", "b"], ["p", "q"], lambda _: True, unread.compared)
    assert (found.groups, found.pair) == (1, [("a", "p"), ("b", "q")])
