"""Damaged and hostile files: each a row with a reason, or one clear line before the first job.

None hangs, none is read outside the data's folder, and memory stays small.
"""

import io
import os
import resource
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from aacsfnet import table
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import Fault
from aacsfnet.datasets.index import index
from aacsfnet.errors import DataError

SECRET = 200  # grey of a picture outside the folder


def chunk(name, body):
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def png(width, height, data, extra=b""):
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x08\x02\x00\x00\x00")
    return head + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def saved(kind, **options):
    file = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(file, kind, **options)
    return file.getvalue()


#: name of the file, its bytes, words of the reason
CONTENTS = {
    "zero bytes": ("x.png", b"", "empty (0 bytes)"),
    "text named .png": ("x.png", b"hello, I am no picture\n" * 9, "no picture"),
    "web page named .jpg": ("x.jpg", b"<!DOCTYPE html><html></html>", "no picture"),
    "zip named .png": ("x.png", b"PK\x03\x04" + bytes(500), "no picture"),
    "zip bomb PNG": ("x.png", png(40_000, 40_000, bytes(2**20)), "megapixels"),
    "PNG of the largest size": ("x.png", png(2**31 - 1, 2**31 - 1, b""), "megapixels"),
    "100,000x1 picture": ("x.png", png(100_000, 1, bytes(300_001)), "holds no face"),
    "1x100,000 picture": ("x.png", png(1, 100_000, bytes(400_000)), "holds no face"),
    "1x1 picture": ("x.png", png(1, 1, bytes(4)), "holds no face"),
    "strip": ("x.png", png(9_000, 20, bytes(27_001 * 20)), "strip"),
    "PNG with too few rows": ("x.png", png(64, 64, bytes(100)), "damaged PNG"),
    "truncated PNG": ("x.png", saved("PNG")[:3000], "damaged PNG"),
    "truncated JPEG": ("x.jpg", saved("JPEG")[:1500], "damaged JPEG"),
    "JPEG header alone": ("x.jpg", saved("JPEG")[:20], "damaged header|no picture"),
    "PNG with a wrong checksum": (
        "x.png",
        saved("PNG")[:60] + b"\x99" + saved("PNG")[61:],
        "damaged",
    ),
    "text bomb in a PNG": (
        "x.png",
        png(
            64, 64, bytes(100), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200 * 2**20), 1)) * 2
        ),
        "damaged",
    ),
    "PostScript": ("x.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
    "SVG with an outside reference": (
        "x.png",
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>',
        "no picture",
    ),
    "floating-point TIFF": ("x.tif", None, "no known scale"),
    "black picture": ("x.png", png(64, 64, bytes(193 * 64)), "no pixel is brighter"),
    "play list named .mp4": ("x.mp4", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "is no video"),
    "concat script named .mp4": (
        "x.mp4",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        "is no video",
    ),
    "MP4 header alone": ("x.mp4", b"\0\0\0\x18ftypisom" + bytes(16), "no video stream"),
    "zero bytes .mp4": ("x.mp4", b"", "empty (0 bytes)"),
}


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
    if content is None:
        Image.fromarray(np.ones((32, 32), np.float32)).save(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    config = make_manifest(f"path,subject,label\na.png,s,1\n{name},s,1\n", ("a.png",))
    (fault,) = look_at(config)
    assert fault.status in ("unreadable", "black")
    assert any(word in fault.reason for word in words.split("|")), fault.reason
    assert len(fault.reason) < 400
    assert "\n" not in fault.reason


def make_pipe(folder, outside):
    os.mkfifo(folder / "x.png")


def make_loop(folder, outside):
    (folder / "x.png").symlink_to("y.png")
    (folder / "y.png").symlink_to("x.png")


def make_link_out(folder, outside):
    (folder / "x.png").symlink_to(outside / "secret.png")


def make_folder_link_out(folder, outside):
    (folder / "sub").symlink_to(outside)


def make_device(folder, outside):
    (folder / "x.png").symlink_to("/dev/zero")


def make_sparse_giant(folder, outside):
    with (folder / "x.png").open("wb") as file:
        file.write(saved("PNG")[:200])
        file.truncate(50 * 2**30)


def make_folder(folder, outside):
    (folder / "x.png").mkdir()


def make_nothing(folder, outside):
    pass


#: how the file comes to be, the path in the table, status
PLACES = {
    "named pipe": (make_pipe, "x.png", "unreadable"),
    "loop of links": (make_loop, "x.png", "unreadable"),
    "link out of the folder": (make_link_out, "x.png", "outside_root"),
    "folder link out of the folder": (make_folder_link_out, "sub/secret.png", "outside_root"),
    "dots out of the folder": (make_nothing, "../outside/secret.png", "outside_root"),
    "dots by way of a link": (make_folder_link_out, "sub/../outside/secret.png", "outside_root"),
    "absolute path": (make_nothing, "/etc/passwd", "outside_root"),
    "device": (make_device, "x.png", "outside_root"),
    "process file": (make_nothing, "/proc/self/environ", "outside_root"),
    "sparse file of 50 GB": (make_sparse_giant, "x.png", "unreadable"),
    "folder named .png": (make_folder, "x.png", "unreadable"),
    "address": (make_nothing, "https://example.org/x.png", "missing_file"),
    "name of 5,000 letters": (make_nothing, "x" * 5000 + ".png", "missing_file"),
    "NUL in the name": (make_nothing, "x\0.png", "missing_file"),
    "colour codes in the name": (make_nothing, "\x1b[31mx.png", "missing_file"),
}


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


#: tables that cannot be used at all, and words of the one line
TABLES = {
    "pipe for a table": (None, "no such file"),
    "picture for a table": (saved("PNG"), "no column|columns named twice|field|row"),
    "unclosed quote": (b'path,subject,label\n"a.png,s,1\n' + b"a.png,s,1\n" * 20_000, "row 2"),
    "shifted columns": (b"path,subject,label\na,b.png,s,1\n", "row 2: 4 fields"),
    "no label": (b"path,subject\na.png,s\n", "no column 'label'"),
    "only rubbish": (bytes(range(1, 256)) * 50, "no column|columns named twice|field|row"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_bad_table_is_one_line_before_the_first_job(kind, configured, tmp_path):
    content, words = TABLES[kind]
    path = tmp_path / "m.csv"
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_dataset(configured("manifest", file=str(path))).index()
    assert any(word in str(caught.value) for word in words.split("|")), caught.value
    assert str(caught.value).isprintable()


def test_all_of_them_together_stay_one_table(make_manifest, tmp_path):
    lines = []
    for number, (name, content, _) in enumerate(CONTENTS.values()):
        if content is not None:
            (tmp_path / f"{number}{name}").write_bytes(content)
            lines.append(f"{number}{name},s{number % 3},{number % 20}\n")
    text = "path,subject,label\na.png,s0,1\n" + "".join(lines) + lines[0] + "a.png,s1,NaN\n"
    config = make_manifest(text, ("a.png",))
    for output in ("one", "two"):
        index(config, tmp_path / output)
    rows = table.read(tmp_path / "one")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert len(rows) == len(lines) + 3
    # Some show their damage only when they are decoded; one picture is sound.
    read = list(open_dataset(config).pictures(rows))
    assert sum(isinstance(found, np.ndarray) for found in read) == 1
    assert rows.filter(rows["status"] != "ok")["reason"].str.starts_with("manifest.csv row").all()


LARGEST = """
import resource, sys
from pathlib import Path
import numpy as np
from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.pictures import PictureReader
reader = PictureReader(DataFolder(Path(sys.argv[1])), 64.0)
for name in sys.argv[2:]:
    assert isinstance(reader.read(name), np.ndarray), reader.read(name)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in kilobytes on Linux only")
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
    assert int(done.stdout) / 2**20 < 2.0


def test_memory_stays_small_over_all_of_them(make_manifest, tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    test_all_of_them_together_stay_one_table(make_manifest, tmp_path)
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert growth < 500 * 1024 * (1 if sys.platform == "linux" else 1024)
