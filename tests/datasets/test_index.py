"""The index stage on tables made by hand; data sets have tests of their own."""

import logging

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aacsfnet import tables
from aacsfnet.config import validate
from aacsfnet.datasets.base import (
    Dataset,
    Label,
    check_label,
    frame_id,
    natural_key,
    shards_of,
)
from aacsfnet.datasets.index import check_plan, deal, index, judge, summarise, with_defaults
from aacsfnet.errors import DataError
from aacsfnet.tables import Fault

PSPI = Label("pspi", 0.0, 16.0, "observed expression")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def rows(**columns):
    size = len(next(iter(columns.values())))
    plain = {
        "frame_id": [f"s/q/{i}" for i in range(size)],
        "subject": ["s"] * size,
        "sequence": ["q"] * size,
        "position": list(range(size)),
        "label": [1.0] * size,
        "status": ["ok"] * size,
        "reason": [""] * size,
        "path": [f"{i}.png" for i in range(size)],
    }
    return with_defaults(pl.DataFrame(plain | columns))


def test_columns_that_a_data_set_leaves_out_are_empty():
    row = rows(label=[3.0]).row(0, named=True)
    assert (row["sex"], row["split"], row["notes"]) == ("", "", [])
    assert row["au4"] is None
    assert row["vas"] is None


def test_labels_outside_the_range_are_judged_and_worse_states_stay():
    judged = judge(
        rows(
            label=[0.0, 16.0, 16.001, -0.1, float("nan"), None, 99.0],
            status=["ok"] * 6 + ["unreadable"],
            reason=[""] * 6 + ["damaged"],
        ),
        PSPI,
    )
    assert judged["status"].to_list() == ["ok"] * 2 + ["bad_label"] * 4 + ["unreadable"]
    assert judged["reason"][2] == "pspi=16.001 is outside 0–16"
    assert judged["reason"][6] == "damaged"


def test_a_frame_that_stands_twice_is_refused():
    with pytest.raises(DataError, match="'s/q/0' stands twice"):
        judge(rows(frame_id=["s/q/0", "s/q/0"]), PSPI)


def test_the_plan_must_hold_the_same_people_and_frames():
    table_rows = rows(subject=["a", "a", "b"])
    check_plan(table_rows, {"a": 2, "b": 1}, exact=True)
    check_plan(table_rows, {"a": 9, "b": 1}, exact=False)
    for planned, exact in (
        ({"a": 3, "b": 1}, True),
        ({"a": 2}, False),
        ({"a": 2, "b": 1, "c": 1}, False),
    ):
        with pytest.raises(DataError, match="did the data change"):
            check_plan(table_rows, planned, exact)


@settings(deadline=None)
@given(
    st.dictionaries(TEXT, st.integers(1, 30), min_size=1, max_size=4),
    st.integers(1, 9),
)
def test_shards_are_dealt_as_planned(subjects, shard_frames):
    names = [name for name, frames in sorted(subjects.items()) for _ in range(frames)]
    dealt = deal(pl.DataFrame({"subject": names}), subjects, shard_frames)
    found = dict(dealt.group_by("shard").len().iter_rows())
    assert found == shards_of(subjects, shard_frames)
    for _, part in dealt.group_by("shard"):
        assert part["subject"].n_unique() == 1


@settings(deadline=None)
@given(
    st.dictionaries(TEXT, st.integers(1, 30), min_size=1, max_size=9),
    st.integers(1, 9),
    st.integers(0, 40),
)
def test_shared_shards_hold_whole_subjects(subjects, shard_frames, packed_frames):
    names = [name for name, frames in sorted(subjects.items()) for _ in range(frames)]
    dealt = deal(pl.DataFrame({"subject": names}), subjects, shard_frames, packed_frames)
    found = dict(dealt.group_by("shard").len().iter_rows())
    assert found == shards_of(subjects, shard_frames, packed_frames)
    assert max(found.values()) <= shard_frames
    for _, part in dealt.group_by("shard"):
        assert part["subject"].n_unique() == 1 or len(part) <= packed_frames


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=2, max_size=2, unique=True))
def test_frame_ids_are_unambiguous(names):
    first, second = (frame_id(*name) for name in names)
    assert first != second
    assert first.count("/") == second.count("/") == 2
    assert not {"#", "\\", "\n", "\0"} & set(first)
    assert not {"", ".", ".."} & set(first.split("/"))


@given(st.lists(st.integers(0, 10**30), min_size=2, max_size=8, unique=True), st.integers(0, 5))
def test_numbers_in_names_sort_by_value(numbers, zeros):
    names = [f"frame{'0' * zeros}{number}.png" for number in numbers]
    expected = [name for _, name in sorted(zip(numbers, names, strict=True))]
    assert sorted(names, key=natural_key) == expected


def test_long_numbers_do_not_hang_or_raise():
    assert natural_key("9" * 10_000) > natural_key("8" * 10_000)


@pytest.mark.parametrize(
    ("value", "fine"), [(0, True), (16, True), (-1e-9, False), (16.1, False), (float("inf"), False)]
)
def test_ends_of_a_range_belong_to_it(value, fine):
    assert (check_label(value, PSPI) == "") == fine


def test_what_is_odd_is_logged_with_counts(caplog):
    odd = rows(
        status=["ok", "black", "black"], notes=[["grey", "pspi_differs: 1, 2"], ["grey"], []]
    )
    with caplog.at_level(logging.INFO):
        summarise(odd, {"empty folder": 4})
    for words in ("status black: 2", "note grey: 2", "note pspi_differs: 1", "empty folder: 4"):
        assert words in caplog.text


def test_the_demo_gives_the_same_bytes_twice(tmp_path):
    demo = {"subjects": 3, "sequences": 1, "frames": 3}
    config = validate({"index": {"demo": demo, "shard_frames": 2}})
    for name in ("a", "b"):
        index(config, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    found = tables.read(tmp_path / "a")
    assert found.columns == list(tables.SCHEMAS["index"])
    assert found["shard"].n_unique() == 6


def test_an_empty_name_differs_from_any_other():
    assert frame_id("", "q", "1") not in {frame_id(odd, "q", "1") for odd in ("\0", "%", "%00")}


class Noting(Dataset):
    """A data set that notes what is asked of it."""

    label = PSPI

    def __init__(self):
        self.asked = []

    def subjects(self):
        return {"s": 3}

    def index(self):
        rows = (("a", "ok", ""), ("b", "black", "all black"), ("c", "ok", ""))
        table = pl.DataFrame(rows, schema=["path", "status", "reason"], orient="row")
        return table.with_columns(time_s=pl.lit(None, pl.Float64))

    def picture(self, path):
        self.asked.append(path)
        return path.upper()

    def close(self):
        self.asked.append("closed")


def test_pictures_come_in_order_and_rows_that_are_not_ok_are_not_opened():
    dataset = Noting()
    assert list(dataset.pictures(dataset.index())) == ["A", Fault("black", "all black"), "C"]
    assert dataset.asked == ["a", "c", "closed"]


def test_who_stops_early_leaves_no_file_open():
    dataset = Noting()
    pictures = dataset.pictures(dataset.index())
    assert next(pictures) == "A"
    pictures.close()
    assert dataset.asked == ["a", "closed"]
