import errno
import os
import resource
import subprocess
import sys
import threading

import numpy as np
import polars as pl
import pytest
import torch

from aacsfnet import tables
from aacsfnet.cohort import merge
from aacsfnet.files import replacing
from aacsfnet.jobs import working_on
from aacsfnet.space import NoSpaceError, allocate, lacks_space
from aacsfnet.training.state import AtomicCheckpoints
from tests.small_disk import fill, mounted


@pytest.fixture
def disk(tmp_path):
    with mounted(tmp_path / "disk", 4_000_000) as folder:
        yield folder


def test_what_is_missing_is_told_and_nothing_is_left(disk):
    def write():
        with replacing(disk / "images.npy") as temporary:
            allocate(temporary, 10_000_000)

    with pytest.raises(NoSpaceError) as found:
        write()
    assert found.value.in_words("merge") == f"no space left in {disk}: 6.0 MB more needed for merge"
    assert not list(disk.iterdir())


def test_merge_takes_its_room_before_it_writes_pictures(disk, monkeypatch):
    """A map of a file with holes would end the process with SIGBUS."""
    monkeypatch.setattr(merge, "_pictures", lambda *_: pytest.fail("the room was not taken"))
    used = pl.DataFrame({"row": range(200)})
    with pytest.raises(NoSpaceError, match=r"26\.1 MB more needed"):
        merge._write_images(disk / "images.npy", used, disk, disk, 224, 1.0)
    assert not list(disk.iterdir())


def test_a_table_and_a_checkpoint_tell_it_too(disk):
    fill(disk, 100_000)
    rng = np.random.default_rng(0)
    picture = {"bytes": rng.bytes(3_000_000), "path": "a.png"}
    table = tables.frame("crop", [{"frame_id": "a", "status": "ok", "image": picture}])
    with pytest.raises(NoSpaceError, match=r"2\.9 MB more needed"):
        tables.write(disk / "a.parquet", table, "crop")
    with pytest.raises(NoSpaceError):
        AtomicCheckpoints().save_checkpoint({"w": torch.zeros(10**6)}, disk / "last.ckpt")
    assert [path.name for path in disk.iterdir()] == ["ballast"]


def test_a_checkpoint_does_not_pass_through_the_temporary_folder(disk, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    fill(disk, 0)
    AtomicCheckpoints().save_checkpoint({"w": torch.zeros(10**6)}, tmp_path / "last.ckpt")
    assert torch.load(tmp_path / "last.ckpt", weights_only=True)["w"].shape == (10**6,)


@pytest.mark.parametrize("named", [True, False])
def test_a_thread_tells_which_disk_is_full(disk, tmp_path, monkeypatch, capsys, named):
    monkeypatch.setenv("TMPDIR", str(disk))
    fill(disk, 0)
    error = OSError(errno.ENOSPC, "No space left on device", *[f"{disk}/events"] * named)

    def fail():
        raise error

    (tmp_path / "results").mkdir()
    with working_on("train", tmp_path / "results" / "fold-0"):
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
    assert capsys.readouterr().err == f"no space left in {disk}: more is needed for train\n"


def test_a_limit_on_files_is_told_in_one_line(tmp_path):
    """Without root: the shell's limit on the size of a file stands for the disk's."""
    code = "from aacsfnet.cli import main; main()"
    settings = '{"index": {"demo": {"subjects": 3, "frames": 2, "picture_size": 96}}}'
    output = tmp_path / "index.parquet"
    arguments = ["index", "--config", settings, "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)),
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"aacsfnet: no space left in {tmp_path}: ")
    assert done.stderr.endswith(" for index\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), True),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), True),
        (RuntimeError('IoError(Os { code: 28, kind: StorageFull, message: "…" })'), True),
        (PermissionError(errno.EACCES, "Permission denied"), False),
        (ValueError("28"), False),
    ],
)
def test_which_errors_mean_a_full_disk(error, full):
    assert lacks_space(error) == full
    outer = RuntimeError("writing failed")
    outer.__cause__ = error
    assert lacks_space(outer) == full


@pytest.mark.parametrize("left", range(0, 16_385, 4096))
def test_rows_that_find_no_room_say_so_however_little_is_left(tmp_path, left):
    rows = pl.DataFrame(
        {f"column_{number}": [0.5] for number in range(60)}
    )  # more footer than rows
    with mounted(tmp_path / "disk", 1 << 20) as disk:
        fill(disk, left)
        with pytest.raises(NoSpaceError, match="no space left in"):
            tables.write_rows(disk / "predictions.parquet", rows)
        assert [path.name for path in disk.iterdir()] == ["ballast"]
