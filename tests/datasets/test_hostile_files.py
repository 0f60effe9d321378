"""Damaged and hostile files: each a row with a reason, or one clear line before the first job.

None hangs, none is read outside the data's folder, and memory stays small.
"""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from aacsfnet import tables
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.index import index
from aacsfnet.errors import DataError
from aacsfnet.tables import Fault
from aacsfnet.times import peak_mib
from tests.datasets.hostile import CONTENTS, PLACES, SECRET, TABLES, bad_table, video


def look_at(config, seconds=5.0):
    """Return the faults of a data set's frames from index and reading, in bounded time."""
    started = time.perf_counter()
    dataset = open_dataset(config)
    rows = dataset.index()
    found = [p for p in dataset.pictures(rows) if isinstance(p, Fault)]
    assert time.perf_counter() - started < seconds
    assert sum(dataset.subjects().values()) >= len(rows)
    return found


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_bad_file_is_a_row_with_a_reason(kind, make_manifest, tmp_path):
    name, content, words = CONTENTS[kind]
    (tmp_path / name).write_bytes(content)
    config = make_manifest(f"path,subject,label\na.png,s,1\n{name},s,1\n", ("a.png",))
    (fault,) = look_at(config)
    assert fault.status == ("black" if kind == "black picture" else "unreadable")
    assert any(word in fault.reason for word in words.split("|")), fault.reason
    assert len(fault.reason) < 400
    assert "\n" not in fault.reason


@pytest.mark.parametrize("kind", PLACES)
def test_a_bad_place_is_a_row_and_stays_unopened(kind, tmp_path, configured, encode, make_picture):
    make, path, status = PLACES[kind]
    folder, outside = tmp_path / "data", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret.png").write_bytes(encode(np.full((24, 24, 3), SECRET, np.uint8)))
    (folder / "a.png").write_bytes(encode(make_picture()))
    make(folder, outside)
    (folder / "m.csv").write_text(f"path,subject,label\na.png,s,1\n{path},s,1\n")
    (fault,) = look_at(configured("manifest", file=str(folder / "m.csv")))
    assert fault.status == status, fault.reason
    assert fault.reason.isprintable()
    assert len(fault.reason) < 500


@pytest.mark.parametrize(
    "kind", [kind for kind, (_, _, s) in PLACES.items() if s == "outside_root"]
)
def test_a_folder_that_the_user_names_too_is_read(kind, tmp_path, configured, encode):
    make, path, _ = PLACES[kind]
    folder, outside = tmp_path / "data", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret.png").write_bytes(encode(np.full((24, 24, 3), SECRET, np.uint8)))
    make(folder, outside)
    (folder / "m.csv").write_text(f"path,subject,label\n{path},s,1\n")
    keys = {"file": str(folder / "m.csv"), "index__further_roots": [str(outside)]}
    dataset = open_dataset(configured("manifest", **keys))
    (found,) = dataset.pictures(dataset.index())
    leads_there = "secret" in path or kind == "link out of the folder"
    assert isinstance(found, np.ndarray) == leads_there


def test_a_file_swapped_for_a_pipe_after_the_index_does_not_hang(make_manifest, tmp_path):
    config = make_manifest("path,subject,label\na.png,s,1\n", ("a.png",))
    dataset = open_dataset(config)
    rows = dataset.index()
    (tmp_path / "a.png").unlink()
    os.mkfifo(tmp_path / "a.png")
    found = []
    reader = threading.Thread(target=lambda: found.extend(dataset.pictures(rows)), daemon=True)
    reader.start()
    reader.join(5)
    assert [fault.status for fault in found] == ["unreadable"]


@pytest.mark.parametrize("kind", TABLES)
def test_a_bad_table_is_one_line_before_the_first_job(kind, configured, tmp_path):
    path, words = bad_table(kind, tmp_path)
    with pytest.raises(DataError) as caught:
        open_dataset(configured("manifest", file=str(path))).index()
    assert any(word in str(caught.value) for word in words.split("|")), caught.value
    assert str(caught.value).isprintable()


def test_all_of_them_together_stay_one_table(make_manifest, tmp_path):
    lines = []
    for number, (name, content, _) in enumerate(CONTENTS.values()):
        (tmp_path / f"{number}{name}").write_bytes(content)
        lines.append(f"{number}{name},s{number % 3},{number % 20}\n")
    text = "path,subject,label\na.png,s0,1\n" + "".join(lines) + lines[0] + "a.png,s0,NaN\n"
    config = make_manifest(text, ("a.png",))
    for output in ("one", "two"):
        index(config, tmp_path / output)
    rows = tables.read(tmp_path / "one")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert len(rows) == len(lines) + 3
    # Some show their damage only when they are decoded; one picture is sound.
    read = list(open_dataset(config).pictures(rows))
    assert sum(isinstance(found, np.ndarray) for found in read) == 1
    assert rows.filter(rows["status"] != "ok")["reason"].str.starts_with("manifest.csv row").all()


def test_a_video_that_claims_a_million_frames_is_counted(make_manifest, tmp_path):
    """Each claimed frame would be a row in every table."""
    (tmp_path / "x.avi").write_bytes(video(claimed=999_999, padding=17_000_000))
    config = make_manifest("path,subject,label\na.png,s,1\nx.avi,s,1\n", ("a.png",))
    rows = open_dataset(config).index()
    assert rows["status"].to_list() == ["ok"] * 21 + ["unreadable"]
    assert "after 20 frames the file ends; its header claims 999999 frames" in rows["reason"][-1]


LARGEST = """
import sys
from pathlib import Path
import numpy as np
from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.pictures import PictureReader
from aacsfnet.times import peak_mib
reader = PictureReader(DataFolder(Path(sys.argv[1])), 64.0)
for name in sys.argv[2:]:
    assert isinstance(reader.read(name), np.ndarray), reader.read(name)
print(peak_mib())
"""


@pytest.mark.slow
def test_the_largest_pictures_allowed_stay_under_two_gigabytes(tmp_path):
    side = 8000
    for mode, kind in (("RGBA", "png"), ("CMYK", "jpg"), ("L", "tif")):
        Image.new(mode, (side, side), 90).save(tmp_path / f"{mode}.{kind}")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (side, side), "red").save(tmp_path / "turned.jpg", exif=exif)
    grey = np.full((side, side), 30_000, np.uint16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    command = [sys.executable, "-c", LARGEST, str(tmp_path)]
    names = sorted(path.name for path in tmp_path.iterdir())
    done = subprocess.run([*command, *names], capture_output=True, text=True, check=True)
    assert float(done.stdout) / 2**10 < 2.0


def test_memory_stays_small_over_all_of_them(make_manifest, tmp_path):
    before = peak_mib()
    test_all_of_them_together_stay_one_table(make_manifest, tmp_path)
    assert peak_mib() - before < 500
