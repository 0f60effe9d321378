"""Where several people share a shard, a change redoes that shard and leaves the others."""

import polars as pl

from aacsfnet.cleaning import leftovers
from aacsfnet.config import load
from aacsfnet.datasets.base import shards_by_subject
from aacsfnet.stages import SHARDED
from tests.pretended_run import AFTER, SUBJECTS

LABELS = [stage for stage in SHARDED if stage not in ("crop", "landmarks")]


def shards(study):
    return shards_by_subject(dict.fromkeys(study.rows, 1), 512, 8)


def due_shards(study):
    return {shard for stage, shard in study.due() if stage in SHARDED}


def test_fewer_jobs_do_the_same_work(packed):
    assert packed.due() == []
    names = {name for each in shards(packed).values() for name in each}
    assert 4 <= len(names) <= 8
    assert {path.stem for path in packed.folder.glob("results/manifest/crop/*")} == names


def test_people_merge_in_the_same_order_however_they_share(packed, original):
    tables = [
        pl.read_parquet(each.folder / "results/manifest/merge/index.parquet")
        for each in (packed, original)
    ]
    assert tables[0].drop("shard").equals(tables[1].drop("shard"))


def test_an_exchanged_picture_and_a_label_redo_one_shard(packed):
    (own,) = shards(packed)["s07"]
    packed.picture("s07", 1000)
    assert packed.counts() == {"index": 1} | dict.fromkeys(SHARDED, 1) | AFTER
    assert due_shards(packed) == {own}
    packed.run()
    assert packed.due() == []
    packed.rows["s07"] = ("s07.png", "s07", 3)
    assert packed.counts() == {"index": 1} | dict.fromkeys(LABELS, 1) | AFTER
    assert due_shards(packed) == {own}


def test_an_added_subject_redoes_the_shard_that_it_joins(packed):
    before = shards(packed)
    joined = 0
    for number in range(20):
        name = f"new{number}"
        packed.add(name, 2, 500 + number)
        (own,) = shards(packed)[name]
        if all(shards(packed)[old] == before[old] for old in before):  # no part was split
            joined += 1
            assert packed.counts() == {"index": 1} | dict.fromkeys(SHARDED, 1) | AFTER
            assert due_shards(packed) == {own}
        else:
            moved = {old for old in before if shards(packed)[old] != before[old]}
            assert len({before[old][0] for old in moved}) == 1
            assert due_shards(packed) <= {shards(packed)[one][0] for one in {*moved, name}}
        del packed.rows[name]
    assert joined


def test_a_removed_subject_goes_from_its_shard(packed):
    name = next(
        n for n in SUBJECTS if len([*filter(shards(packed)[n].__eq__, shards(packed).values())]) > 3
    )
    (own,) = shards(packed)[name]
    del packed.rows[name]
    packed.write()
    config = load(str(packed.folder / "study.yaml"))
    left = {
        each.path.stem: each.of for each in leftovers(config, packed.folder / "results/manifest")
    }
    assert left[own] == "made of removed subjects among others"
    packed.run()
    for path in packed.folder.rglob("*.parquet"):
        if path.stem in {shard for each in shards(packed).values() for shard in each}:
            assert name not in pl.read_parquet(path, columns=["subject"])["subject"].to_list()
    assert packed.due() == []
    left = leftovers(config, packed.folder / "results/manifest")
    assert all("cut otherwise" in each.of or each.of.startswith("made of") for each in left)
