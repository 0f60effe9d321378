"""Stretches that are left out: read strictly, obeyed exactly, and nothing else changes."""

import logging
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from aacsfnet.errors import DataError
from aacsfnet.inference.exclude import Excluded, Stretch, read_stretches
from aacsfnet.inference.predict import predict
from tests.made_videos import write

from .conftest import save

HEAD = "path,first_frame,last_frame,first_s,last_s,note\n"


def listed(folder, *lines, head=HEAD):
    path = folder / "out.csv"
    path.write_text(head + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_list_is_read_with_its_times_and_notes_or_without(tmp_path):
    full, bare = read_stretches(listed(tmp_path, 'a.mp4,3,7,0.1,0.3,"a, b"', "b.mp4,0,0,,,"))
    assert full == Stretch("a.mp4", 3, 7, 0.1, 0.3, "a, b", "out.csv row 2")
    assert (bare.first_s, bare.last_s, bare.note) == (None, None, "")
    head = "Path;First_Frame;Last_Frame\n"  # as a spreadsheet may write it
    assert read_stretches(listed(tmp_path, "a.mp4;1;2", head=head))[0][:3] == ("a.mp4", 1, 2)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a.mp4,7,3,,,", "first_frame 7 is after last_frame 3"),
        ("a.mp4,-1,3,,,", "first_frame = '-1'; expected"),
        ("a.mp4,1.5,3,,,", "first_frame = '1.5'; expected"),
        ("a.mp4,1,,,,", "last_frame = ''; expected"),
        (",1,2,,,", "no path"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(tmp_path, line, words):
    with pytest.raises(DataError, match=f"out.csv row 2: {words}"):
        read_stretches(listed(tmp_path, line))


def test_a_table_of_another_kind_is_refused(tmp_path):
    with pytest.raises(DataError, match="lacks the columns first_frame, last_frame"):
        read_stretches(listed(tmp_path, "a.mp4,1", head="path,frame\n"))


def stretch(path, first=1, last=2, first_s=None, last_s=None):
    return Stretch(path, first, last, first_s, last_s, "", "out.csv row 2")


def test_a_path_means_one_file_or_is_refused():
    files = [Path("x/a.mp4"), Path("y/a.mp4"), Path("y/b.mp4")]
    excluded = Excluded([stretch("x/a.mp4"), stretch("elsewhere/b.mp4")], files)
    assert excluded.reason("x/a.mp4", 1, None) == "left out"
    assert excluded.reason("y/b.mp4", 2, None) == "left out"
    assert excluded.reason("y/a.mp4", 1, None) is None
    assert excluded.reason("x/a.mp4", 3, None) is None
    with pytest.raises(DataError, match=r"a\.mp4 is several of the files .*x/a\.mp4, y/a\.mp4"):
        Excluded([stretch("a.mp4")], files)
    with pytest.raises(DataError, match=r"c\.mp4 is none of the files"):
        Excluded([stretch("c.mp4")], files)


def test_a_list_of_another_film_is_refused_by_its_times():
    excluded = Excluded([stretch("a.mp4", first_s=0.04, last_s=0.08)], [Path("a.mp4")])
    assert excluded.reason("a.mp4", 1, 0.0405)
    with pytest.raises(DataError, match=r"frame 2 of a.mp4 is at 0.080 s there and at 0.100 s"):
        excluded.reason("a.mp4", 2, 0.1)


@pytest.fixture(scope="module")
def scored(tmp_path_factory, photograph):
    """A film, its model, and its rows with nothing left out."""
    folder = tmp_path_factory.mktemp("film")
    modes = {"crop": {"mode": "video"}, "landmarks": {"mode": "video"}}
    model = save(folder / "model", **modes)
    pictures = [np.roll(photograph, at, axis=1) for at in range(10)]
    pictures[4] = np.full_like(photograph, 140)
    write(folder / "film.mp4", pictures)
    predict([folder / "film.mp4"], model, folder / "all.parquet", device="cpu")
    return folder, model, pl.read_parquet(folder / "all.parquet")


def test_rows_left_out_stay_and_all_others_are_the_same(scored, tmp_path):
    folder, model, everything = scored
    path = folder / "film.mp4"
    exclude = listed(tmp_path, f"{path},3,5,0.12,0.2,nurse", f"{path},8,8,,,")
    predict([path], model, tmp_path / "t.parquet", exclude=exclude, device="cpu")
    rows = pl.read_parquet(tmp_path / "t.parquet")
    out = rows["frame"].is_in([3, 4, 5, 8])
    # A pass of another size rounds a score otherwise.
    assert_frame_equal(rows.filter(~out), everything.filter(~out), abs_tol=1e-3)
    left = rows.filter(out)
    assert set(left["status"]) == {"excluded"}
    assert left["reason"].to_list() == ["left out: nurse"] * 3 + ["left out"]
    assert left["prediction"].null_count() == 4
    kept = ["path", "frame", "time_s", "face", "box"]
    assert left.select(kept).equals(everything.filter(out).select(kept))


def test_a_stretch_behind_the_end_is_warned_of(scored, tmp_path, caplog):
    folder, model, everything = scored
    exclude = listed(tmp_path, f"{folder / 'film.mp4'},90,99,,,")
    with caplog.at_level(logging.WARNING):
        predict([folder / "film.mp4"], model, tmp_path / "t.parquet", exclude=exclude, device="cpu")
    assert "has no frame 90" in caplog.text
    assert pl.read_parquet(tmp_path / "t.parquet").equals(everything)


def test_what_is_left_out_does_not_set_a_persons_own_level(scored, tmp_path):
    folder, model, _ = scored
    path = folder / "film.mp4"
    exclude = listed(tmp_path, f"{path},0,2,,,", f"{path},9,9,,,")
    how = {"exclude": exclude, "neutral": "median", "device": "cpu"}
    predict([path], model, tmp_path / "t.parquet", **how)
    rows = pl.read_parquet(tmp_path / "t.parquet")
    assert rows.filter(status="excluded")["relative"].null_count() == 4
    kept = rows.filter(status="ok")
    expected = kept["prediction"].to_numpy() - np.median(kept["prediction"].to_numpy())
    np.testing.assert_allclose(kept["relative"].to_numpy(), expected, atol=1e-5)
