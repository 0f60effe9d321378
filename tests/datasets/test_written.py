"""Every table of `written.py` is read rightly or refused in one line that names row and cause."""

import shutil

import polars as pl
import pytest

from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import NOTES
from aacsfnet.datasets.index import check_plan, counts, judge, with_defaults
from aacsfnet.errors import DataError
from tests.datasets.written import TABLES


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A folder with two videos of 3 seconds at 24 frames a second."""
    from tests.datasets.conftest import write_video

    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "v.mp4", [60 + n for n in range(72)], rate=24.0)
    write_video(folder / "w.mp4", [160 - n for n in range(72)], rate=24.0)
    return folder


@pytest.fixture
def written(make_manifest, videos, tmp_path):
    """Return a function that writes a table beside pictures and videos, and gives the settings."""

    def write(text, name="m.csv", **keys):
        config = make_manifest(text, ("a.png", "b.png", "c.png"), name=name, **keys)
        shutil.copy(tmp_path / "a.png", tmp_path / "copy.png")
        for video in videos.iterdir():
            shutil.copy(video, tmp_path)
        return config

    return write


def look_at(config):
    """Return the judged index, as doctor and the stage have it."""
    dataset = open_dataset(config)
    planned = dataset.subjects()
    rows = judge(with_defaults(dataset.index()), dataset.label)
    check_plan(rows, planned, dataset.exact_scan)
    assert set(counts(rows, "notes")) <= set(NOTES)
    return rows


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_is_read_rightly_or_refused_in_one_line(kind, written):
    name, text, expected, *keys = TABLES[kind]
    config = written(text, name, **(keys[0] if keys else {}))
    if isinstance(expected, dict):
        usable = look_at(config).filter(pl.col("status") == "ok")
        assert dict(usable.select("path", "label").iter_rows()) == expected
    elif isinstance(expected, list):
        rows = look_at(config)
        assert rows["label"].to_list() == expected
        assert (rows["status"] == "ok").to_list() == [label is not None for label in expected]
    else:
        assert_refused(config, expected)


def assert_refused(config, words):
    """A line that names row and cause: before the first job, or where a video's length tells."""
    try:
        open_dataset(config).subjects()
    except DataError as error:
        line = str(error)
    else:
        rows = look_at(config)
        assert not (rows["status"] == "ok").any()
        line = rows["reason"][0]
    assert any(each in line for each in words.split("|")), line
    assert "m." in line
    assert "row" in line
    assert line.isprintable()
    assert len(line) < 500
