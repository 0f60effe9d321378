import os
import subprocess
import time

import pytest

from aacsfnet.config import validate
from aacsfnet.errors import WorkError
from aacsfnet.jobs import working_on
from aacsfnet.layout import Layout
from aacsfnet.surroundings import check_records, oddities, own_temporary
from tests.small_disk import fill, mounted


@pytest.fixture
def frozen(tmp_path):
    """A folder that may not be written: by its mode, or for root by its file system."""
    folder = tmp_path / "frozen"
    if os.getuid():
        folder.mkdir(mode=0o555)
        yield folder
        return
    with mounted(folder, 4_000_000):
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield folder


def test_a_checkout_that_may_only_be_read_is_told_in_one_line(frozen, tmp_path):
    with pytest.raises(WorkError) as found:
        check_records(frozen, frozen / "Snakefile")
    assert str(found.value) == (
        f"{frozen} may not be written (by its mode or file system), and Snakemake keeps its records"
        " there; run in a folder of your own:"
        f" snakemake --snakefile {frozen}/Snakefile --directory FOLDER"
    )
    check_records(tmp_path, frozen / "Snakefile")


def test_results_that_may_only_be_read_are_told_in_one_line(frozen):
    layout = Layout(validate({"results": str(frozen)}))
    with pytest.raises(WorkError, match=rf"{frozen}/demo: .*give this run another `results`"):
        layout.hold()


def test_an_output_that_may_not_be_written_is_told_in_one_line(frozen):
    refused = pytest.raises(WorkError, match=rf"^crop: {frozen}/\S+: (Permission|Read-only)")
    with refused, working_on("crop", frozen / "a.parquet"):
        pass


def test_a_full_disk_is_told_before_the_first_job(tmp_path):
    with mounted(tmp_path / "disk", 4_000_000) as disk:
        check_records(disk, disk / "Snakefile")
        fill(disk, 100_000)
        words = rf"no space left in {disk}: [0-9.]+ kB free; make room"
        with pytest.raises(WorkError, match=words):
            check_records(disk, disk / "Snakefile")


@pytest.mark.parametrize(("seconds", "where"), [(7200, "ahead of"), (-60, "behind")])
def test_a_clock_that_is_wrong_is_told(tmp_path, seconds, where):
    lock = tmp_path / ".lock"
    lock.touch()
    assert list(oddities(lock)) == []
    os.utime(lock, (time.time() + seconds,) * 2)
    (words,) = oddities(lock)
    assert f" s {where} this machine's" in words


def test_a_temporary_folder_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = own_temporary("cache")
    assert own is not None
    assert own.stat().st_mode & 0o777 == 0o700
    assert own_temporary("cache") == own
    own.rename(tmp_path / "elsewhere")
    own.symlink_to(tmp_path / "elsewhere")
    assert own_temporary("cache") is None
