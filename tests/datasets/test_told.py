"""What a data set tells before a picture is opened: equal where nothing has changed."""

import os

import numpy as np
import pytest

from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.shards import altered, exchanged, files_of, rows_of, sources_of


def told(config):
    dataset = open_dataset(config)
    return rows_of(config, dataset, dataset.subjects())


def differing(one, other):
    return {shard for shard in one | other if one.get(shard) != other.get(shard)}


@pytest.fixture
def manifest(tmp_path, configured):
    def make(text, index__packed_frames=0, **keys):
        keys["index__packed_frames"] = index__packed_frames
        (tmp_path / "m.csv").write_text(text)
        return told(configured("manifest", file=tmp_path / "m.csv", **keys))

    return make


HEAD = "path,subject,label,au4,sex,split\n"
ONE, TWO = "1.png,a,0,1,f,train\n", "2.png,a,3,1,f,train\n"
ROWS = f"{HEAD}{ONE}{TWO}3.png,b,1,,m,test\n"


@pytest.mark.parametrize(
    ("old", "new", "frames", "labels", "everything"),
    [
        ("a,3,1", "a,4,1", False, True, True),
        ("a,3,1", "a,3.0,1", False, False, False),  # the same number
        ("a,3,1", "a,,1", True, True, True),  # the frame is not cropped any more
        ("a,3,1,f", "a,3,2,f", False, True, True),
        ("a,3,1,f", "a,3,1,m", False, True, True),
        ("f,train\n2", "f,pool\n2", False, False, True),
        ("2.png", "4.png", True, True, True),
        ("b,1,,m", "b, 1 ,,m", False, False, False),
        (f"{ONE}{TWO}", f"{TWO}{ONE}", False, False, False),
    ],
)
def test_a_changed_field_reaches_those_who_read_it(manifest, old, new, frames, labels, everything):
    before, after = manifest(ROWS), manifest(ROWS.replace(old, new))
    assert before != after or not everything
    assert differing(before.frames, after.frames) == ({"a.00"} if frames else set())
    assert differing(before.labels, after.labels) == ({"a.00"} if labels else set())
    assert (before.everything != after.everything) == everything


@pytest.mark.parametrize("unlabelled", ["leave_out", "pretrain"])
def test_a_label_that_comes_or_goes_is_noticed(manifest, unlabelled):
    for old, new in (("a,3,1", "a,,1"), ("a,3,1", "a,NA,1"), ("b,1,", "b,nan,")):
        before = manifest(ROWS, unlabelled=unlabelled)
        after = manifest(ROWS.replace(old, new), unlabelled=unlabelled)
        assert differing(before.frames, after.frames) == {f"{old[0]}.00"}


def test_pictures_of_one_name_keep_their_order(manifest):
    """The later of two is called `x~2`, so their order decides which frame is which."""
    rows = ["q,a/x.png,s,1\n", "q,b/x.png,s,1\n"]
    head = "sequence,path,subject,label\n"
    assert manifest(head + "".join(rows)).frames != manifest(head + "".join(rows[::-1])).frames


def test_who_shares_a_video_shares_its_times(manifest):
    text = "path,subject,label,time\nv.mp4,a,0,0\nv.mp4,b,1,5\nw.mp4,c,1,0\n"
    before, after = manifest(text), manifest(text.replace("b,1,5", "b,1,7"))
    assert differing(before.frames, after.frames) == {"a.00", "b.00"}


def test_shards_of_a_larger_subject_follow_their_size(manifest):
    few, many = (manifest(ROWS, index__shard_frames=most) for most in (1, 2))
    assert differing(few.frames, many.frames) == {"a.00", "a.01"}


def sources(config):
    dataset = open_dataset(config)
    rows = dataset.index()
    return dataset, sources_of(dataset, files_of(dataset, rows))


def test_labels_in_files_of_their_own_count_as_bytes(unbc_tree, configured):
    root = unbc_tree.root
    config = configured("unbc", root=root)
    before = told(config)
    dataset, was = sources(config)
    labels = [name for name in was if "PSPI" in name]
    assert labels
    assert any(name.endswith(".png") for name in was)
    os.utime(root / labels[0], (1, 1))
    assert exchanged(dataset, was) == altered(dataset, was) == []
    text = (root / labels[0]).read_text()
    (root / labels[0]).write_text(text[:-1] + " ")
    assert exchanged(dataset, was) == altered(dataset, was) == [labels[0]]
    assert told(config).frames == before.frames
    (root / labels[0]).unlink()
    assert differing(told(config).frames, before.frames) != set()


def test_an_array_counts_as_the_file_of_its_pictures_and_labels(tmp_path, configured):
    (tmp_path / "0").mkdir()
    np.save(tmp_path / "0/0_image.npy", np.full((2, 8, 8, 3), 90, np.uint8))
    np.save(tmp_path / "0/0_label1.npy", np.zeros(2))
    config = configured("data_pre", root=tmp_path)
    dataset, was = sources(config)
    assert sorted(was) == ["0/0_image.npy", "0/0_label1.npy"]
    np.save(tmp_path / "0/0_label1.npy", np.ones(2))
    assert altered(dataset, was) == ["0/0_label1.npy"]


def test_a_file_that_comes_or_goes_is_noticed(tmp_path, configured):
    (tmp_path / "m.csv").write_text("path,subject,label\n1.png,a,0\n2.png,a,0\n")
    (tmp_path / "1.png").write_bytes(b"no picture")
    dataset, was = sources(configured("manifest", file=tmp_path / "m.csv"))
    assert was["2.png"] == (None, None, "")
    (tmp_path / "2.png").write_bytes(b"came")
    (tmp_path / "1.png").unlink()
    assert exchanged(dataset, was) == altered(dataset, was) == ["1.png", "2.png"]


def test_a_file_without_end_is_not_looked_into(tmp_path, configured):
    (tmp_path / "m.csv").write_text("path,subject,label\n1.png,a,0\n")
    with (tmp_path / "1.png").open("wb") as file:
        file.truncate(50 * 2**30)
    dataset, was = sources(configured("manifest", file=tmp_path / "m.csv"))
    assert was["1.png"][2] == ""
    os.utime(tmp_path / "1.png", (1, 1))
    assert exchanged(dataset, was) == altered(dataset, was) == ["1.png"]
