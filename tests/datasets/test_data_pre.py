"""Arrays in the published code's layout; a pickle that would run a program must not."""

import numpy as np
import pytest

from aacsfnet.datasets import open_dataset
from aacsfnet.errors import DataError
from aacsfnet.tables import Fault

PICTURES = np.random.default_rng(3).integers(0, 256, (5, 112, 112, 3), np.uint8)
LABELS = np.array([0, 1, 2, 15, 16])


def save(root, number, pictures=PICTURES, labels=LABELS):
    folder = root / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    if pictures is not None:
        np.save(folder / f"{number}_image.npy", pictures)
    if labels is not None:
        np.save(folder / f"{number}_label1.npy", labels)


def opened(configured, root, **keys):
    return open_dataset(configured("data_pre", root=str(root), **keys))


def test_the_plain_case(tmp_path, configured):
    save(tmp_path, 0)
    save(tmp_path, 10, labels=LABELS.astype(np.float32)[:, None])
    save(tmp_path, 2)
    dataset = opened(configured, tmp_path)
    rows = dataset.index()
    assert dataset.subjects() == {"0": 5, "2": 5, "10": 5}
    assert set(rows["status"]) == {"ok"}
    assert rows["label"].to_list() == LABELS.tolist() * 3
    assert rows["frame_id"][0] == "0/frames/000000"
    np.testing.assert_array_equal(list(dataset.pictures(rows[:5])), PICTURES)
    (last,) = dataset.pictures(rows[14:])
    np.testing.assert_array_equal(last, PICTURES[4])


def test_colours_may_be_the_other_way_round(tmp_path, configured):
    save(tmp_path, 0)
    dataset = opened(configured, tmp_path, channels="bgr")
    np.testing.assert_array_equal(next(dataset.pictures(dataset.index())), PICTURES[0][..., ::-1])


def trap(path):
    """An object whose unpickling makes a file."""

    class Trap:
        def __reduce__(self):
            return open, (str(path), "w")

    return np.array([Trap()] * 5, dtype=object)


def test_pickles_are_refused_unless_the_folder_is_trusted(tmp_path, configured):
    data, sprung = tmp_path / "data", tmp_path / "sprung"
    save(data, 0, pictures=trap(sprung))
    save(data, 1, labels=trap(sprung))
    for trusted in ({}, {"trusted": str(tmp_path)}):
        dataset = opened(configured, data, **trusted)
        rows = dataset.index()
        assert [p for p in dataset.pictures(rows) if not isinstance(p, Fault)] == []
        assert not sprung.exists()
        assert set(rows["status"]) == {"unreadable", "bad_label"}
        assert rows["reason"].str.contains("index.data_pre.trusted").all()


def test_trusted_pickles_are_read(tmp_path, configured):
    boxed = np.empty(5, dtype=object)
    for i, pixels in enumerate(PICTURES):
        boxed[i] = pixels
    save(tmp_path, 0, pictures=boxed, labels=LABELS.astype(object))
    dataset = opened(configured, tmp_path, trusted=str(tmp_path))
    rows = dataset.index()
    assert rows["label"].to_list() == LABELS.tolist()
    np.testing.assert_array_equal(list(dataset.pictures(rows)), PICTURES)


@pytest.mark.parametrize(
    ("change", "statuses"),
    [
        ({"labels": None}, ["bad_label"] * 5),
        ({"labels": LABELS[:3]}, ["ok"] * 3 + ["bad_label"] * 2),
        ({"labels": np.array([0, np.nan, 17, -1, np.inf])}, ["ok"] + ["bad_label"] * 4),
        ({"labels": np.array(["a"] * 5)}, ["bad_label"] * 5),
        ({"labels": np.zeros((5, 2))}, ["bad_label"] * 5),
        ({"labels": np.float64(3)}, ["bad_label"] * 5),
        ({"pictures": None}, ["missing_file"] * 5),
        ({"pictures": PICTURES[:3]}, ["ok"] * 3 + ["missing_file"] * 2),
    ],
)
def test_what_is_odd_is_a_row(tmp_path, configured, change, statuses):
    save(tmp_path, 0, **change)
    save(tmp_path, 1)
    dataset = opened(configured, tmp_path)
    rows = dataset.index()
    assert rows["status"].to_list() == statuses + ["ok"] * 5
    assert dataset.subjects() == {"0": 5, "1": 5}
    assert all(bool(r) == (s != "ok") for s, r in rows.select("status", "reason").iter_rows())


@pytest.mark.parametrize(
    "pictures",
    [
        PICTURES.astype(np.float32),
        PICTURES[..., 0],
        PICTURES[..., :2],
        np.zeros_like(PICTURES),
        np.zeros((5, 4, 4, 3), np.uint8),
    ],
)
def test_pictures_of_another_form_are_faults(tmp_path, configured, pictures):
    save(tmp_path, 0, pictures=pictures)
    dataset = opened(configured, tmp_path)
    assert all(isinstance(p, Fault) for p in dataset.pictures(dataset.index()))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no array",
        b"\x93NUMPY\x01\x00\xff\xff",
        b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16,
        b"\x93NUMPY\x02\x00\xff\xff\xff\x7f",
        b"\x93NUMPY\x01\x00\x46\x00"
        + b"{'descr': '|u1', 'fortran_order': False, 'shape': (999999999999, 1, 1, 3)}"[:70],
        b"\x93NUMPY\x01\x00\x46\x00"
        + b"{'descr':'|u1','fortran_order':False,'shape':(99999999999,1,1,3),}".ljust(70),
        b"\x93NUMPY\x01\x00\x46\x00"
        + b"{'descr':'|u1','fortran_order':False,'shape':(5,112,112,3),}".ljust(70),
        b"\x93NUMPY\x01\x00\x46\x00"
        + b"{'descr':'|u1','fortran_order':False,'shape':(5,-112,112,3),}".ljust(70),
        b"\x93NUMPY\x01\x00\x46\x00" + b"{'descr':'|u1','shape':(5,112,112,3),}".ljust(70),
        b"\x93NUMPY\x09\x00\x46\x00" + b" " * 70,
    ],
)
def test_damaged_arrays_are_rows_not_memory(tmp_path, configured, content):
    save(tmp_path, 0)
    (tmp_path / "0/0_image.npy").write_bytes(content)
    dataset = opened(configured, tmp_path)
    rows = dataset.index()
    assert len(rows) == 5
    assert all(isinstance(p, Fault) for p in dataset.pictures(rows))


def test_an_array_that_is_mostly_hole_is_one_row(tmp_path, configured):
    """A sparse file of 50 GB costs nothing on the disk; its header tells the truth."""
    (tmp_path / "0").mkdir()
    np.save(tmp_path / "0/0_image.npy", np.full((2, 32, 32, 3), 99, np.uint8))
    np.save(tmp_path / "0/0_label1.npy", np.zeros(2))
    path = tmp_path / "1/1_label1.npy"
    path.parent.mkdir()
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (50 * 10**9,)}
        )
        file.truncate(50 * 10**9 + 200)
    dataset = open_dataset(configured("data_pre", root=str(tmp_path)))
    assert dataset.subjects() == {"0": 2, "1": 1}
    assert dataset.index()["status"].to_list() == ["ok", "ok", "missing_file"]


def test_no_array_is_one_clear_line(tmp_path, configured):
    with pytest.raises(DataError, match="or the like; name the folder"):
        opened(configured, tmp_path).subjects()
