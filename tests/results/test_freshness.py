import os
from collections import Counter
from pathlib import Path

import pytest

from aacsfnet.config import load
from aacsfnet.datasets.files import DataFolder
from aacsfnet.evaluation.audit import audit
from aacsfnet.stages import SHARDED
from tests.pretended_run import AFTER, Study


def shards_of(jobs, stage):
    return [name for each, name in jobs if each == stage]


def test_moved_with_data_and_table_nothing_runs_again(study):
    assert study.due() == []


def test_the_state_of_each_file_is_asked_for_once(study, monkeypatch):
    looked_at, states = Counter(), DataFolder.states

    def counted(folder, names):
        looked_at.update(names := list(names))
        return states(folder, names)

    monkeypatch.setattr(DataFolder, "states", counted)
    assert study.due() == []
    assert looked_at == {path.name: 1 for path in study.table.parent.glob("*.png")}


def test_a_picture_exchanged_under_its_name_redoes_its_shard_and_what_follows(study):
    study.picture("s07", 1000)
    assert study.counts() == {"index": 1} | dict.fromkeys(SHARDED, 1) | AFTER
    assert shards_of(study.due(), "crop") == ["s07.00"]
    study.run()
    assert study.due() == []


def test_the_audit_tells_of_exchanged_pictures(study):
    def told():
        study.write()
        config = load(str(study.folder / "study.yaml"))
        found = audit(config, study.folder / "results" / "manifest")
        return [str(each) for each in found if "made from other bytes" in each.what]

    assert told() == []
    path = study.picture("s07", 1000)
    os.utime(path, ns=(0, Path(study.table).stat().st_mtime_ns))
    where = "crop/s07.00.parquet: made from other bytes than are there now: 1 (s07.png)"
    assert told() == [where]
    path.unlink()
    assert told() == [where]


def test_a_picture_of_the_same_size_is_exchanged_too(study):
    path = study.table.parent / "s07.png"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert study.counts() == {"index": 1} | dict.fromkeys(SHARDED, 1) | AFTER


def test_a_picture_touched_or_copied_without_its_time_is_the_same(study):
    for path in study.table.parent.glob("*.png"):
        os.utime(path, (1, 1))
    assert study.due() == []
    study.run()  # keeps what was read
    assert len((study.folder / "results/manifest/.verified.json").read_text()) > 25 * 32
    assert study.due() == []
    study.picture("s03", 77)
    assert shards_of(study.due(), "crop") == ["s03.00"]


def test_a_changed_label_touches_what_reads_labels_of_that_person(study):
    study.rows["s04"] = ("s04.png", "s04", 3)
    labels = [stage for stage in SHARDED if stage not in ("crop", "landmarks")]
    assert study.counts() == {"index": 1} | dict.fromkeys(labels, 1) | AFTER
    assert shards_of(study.due(), "generate") == ["s04.00"]
    study.run()
    assert study.due() == []


def test_a_label_that_becomes_unusable_leaves_the_frame_uncropped(study):
    study.rows["s04"] = ("s04.png", "s04", 99)
    assert shards_of(study.due(), "crop") == ["s04.00"]


@pytest.mark.parametrize("name", ["a", "s07a", "z"])
def test_an_added_subject_runs_alone_until_all_are_merged(study, name):
    study.add(name, 2, 500)
    assert study.counts() == {"index": 1} | dict.fromkeys(SHARDED, 1) | AFTER
    assert {shard for stage, shard in study.due() if stage in SHARDED} == {f"{name}.00"}
    study.run()
    assert study.due() == []


def test_a_removed_subject_runs_only_what_merges(study):
    del study.rows["s07"]
    assert study.counts() == {"index": 1} | AFTER
    study.run()
    assert study.due() == []


def test_the_order_of_rows_changes_nothing(study):
    study.rows = dict(reversed(study.rows.items()))
    assert study.due() == []


def test_a_split_touches_only_what_merges(study):
    study.rows = {name: (*row, "train") for name, row in study.rows.items()}
    study.rows["s01"] = (*study.rows["s01"][:3], "pool")
    write = Study.write

    def with_split(self):
        write(self)
        text = self.table.read_text().replace("path,subject,label", "path,subject,label,split")
        self.table.write_text(text)

    study.write = with_split.__get__(study)
    assert study.counts() == {"index": 1} | AFTER


def test_moved_results_with_changed_settings_are_made_again(study):
    study.settings["generate"] = {"strength": 0.4}
    changed = {"generate": 25, "quality": 25} | AFTER
    assert study.counts() == changed
    study.run()
    assert study.due() == []
    study.settings["evaluate"] = {"bootstrap": 100}
    assert study.counts() == {"evaluate": 1, "report": 1}


def test_times_of_results_do_not_matter(study):
    """As after `rsync` without times: every file is new, in any order."""
    for number, path in enumerate(sorted(study.folder.rglob("*.*"), reverse=True)):
        if "results" in path.parts:
            os.utime(path, (number, number))
    assert study.due() == []


def test_what_was_forced_runs_with_what_follows(study):
    found = study.due(frozenset({"depth", "depth_shard"}))
    assert {stage for stage, _ in found} == {"depth", "generate", "quality", *AFTER}


def test_a_table_of_an_earlier_version_is_made_again(study, monkeypatch):
    from aacsfnet import stages

    later = stages.STAGES["landmarks"].version + 1
    changed = stages.STAGES["landmarks"].__class__(later, ("landmarks",), ("crop",), sharded=True)
    monkeypatch.setitem(stages.STAGES, "landmarks", changed)
    assert set(study.counts()) == {*SHARDED[1:], *AFTER}


@pytest.mark.parametrize("content", [b"", b"PAR1 and no more"])
def test_a_damaged_table_is_made_again(study, content):
    (study.folder / "results/manifest/crop/s05.00.parquet").write_bytes(content)
    assert study.counts() == dict.fromkeys(SHARDED, 1) | AFTER
    study.picture("s03", 77)
    assert study.counts()["crop"] == 2


def test_a_lost_table_and_what_was_made_from_it_are_made_again(study):
    (study.folder / "results/manifest/landmarks/s05.00.parquet").unlink()
    assert study.counts() == dict.fromkeys(SHARDED[1:], 1) | AFTER
