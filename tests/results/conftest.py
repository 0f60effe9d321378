import shutil

import pytest

from aacsfnet.stages import SHARDED
from tests.pretended_run import AFTER, SUBJECTS, Study, without_models

__all__ = ["without_models"]


@pytest.fixture(scope="module")
def original(tmp_path_factory, without_models):
    """A finished run over 25 people that no test may change."""
    study = Study(tmp_path_factory.mktemp("study"), SUBJECTS)
    assert study.counts() == {"index": 1} | dict.fromkeys(SHARDED, 25) | AFTER
    study.run()
    return study


@pytest.fixture(scope="module")
def packed_original(tmp_path_factory, without_models):
    """The same with up to eight people a shard."""
    study = Study(tmp_path_factory.mktemp("packed"), SUBJECTS, packed=8)
    study.run()
    return study


@pytest.fixture
def study(original, tmp_path, monkeypatch):
    """A finished run in a folder of a test's own, copied as `cp -a` copies."""
    return copied(original, tmp_path, monkeypatch)


@pytest.fixture
def packed(packed_original, tmp_path, monkeypatch):
    """The same, packed."""
    return copied(packed_original, tmp_path, monkeypatch)


def copied(original, tmp_path, monkeypatch):
    shutil.copytree(original.folder, tmp_path / "study")
    own = object.__new__(Study)
    own.folder, own.table = tmp_path / "study", tmp_path / "study" / "data" / "t.csv"
    own.rows = dict(original.rows)
    own.settings = original.settings | {"results": str(own.folder / "results")}
    own.settings["index"] = original.settings["index"] | {"manifest": {"file": str(own.table)}}
    monkeypatch.chdir(own.folder)  # whose settings are laid over no others
    return own
