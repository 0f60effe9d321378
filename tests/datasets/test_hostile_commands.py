"""All hostile files at once, by the commands as a user runs them: bounded and told in words."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aacsfnet import tables
from tests.datasets.hostile import CONTENTS, PLACES, SECRET, TABLES, bad_table

#: Runs a command and writes down every file that Python opens meanwhile.
WATCHED = """
import sys
from pathlib import Path
opened = []
sys.addaudithook(lambda event, args: event == "open" and opened.append(str(args[0])))
from aacsfnet.cli import main
from aacsfnet.times import peak_mib
try:
    main(sys.argv[2:])
finally:
    names = list(opened)
    Path(sys.argv[1]).write_text("\\n".join([str(peak_mib()), *names]))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


def run(folder, *arguments):
    """Run `aacsfnet`; return its exit status, words, files opened and peak bytes."""
    log = folder / "opened.txt"
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHED, str(log), *arguments],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    _, words = process.communicate()
    peak, *opened = log.read_text().splitlines()
    return process.returncode, words, opened, float(peak) * 2**20


@pytest.fixture
def hostile(tmp_path, encode, make_picture):
    """A manifest that names every hostile file and place, each in a folder of its own."""
    data, outside = tmp_path / "data", tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(encode(np.full((24, 24, 3), SECRET, np.uint8)))
    data.mkdir()
    (data / "a.png").write_bytes(encode(make_picture()))
    rows = [("a.png", "sound")]
    for number, (kind, (name, content, _)) in enumerate(CONTENTS.items()):
        folder = data / f"file{number}"
        folder.mkdir()
        (folder / name).write_bytes(content)
        rows.append((f"{folder.name}/{name}", kind))
    for number, (kind, (make, path, _)) in enumerate(PLACES.items()):
        folder = data / f"place{number}"
        folder.mkdir()
        make(folder, outside)
        relative = not path.startswith(("/", "https:"))
        # `../outside` as seen from the folder that the table stands in
        path = path.replace("../outside", "../../outside", 1) if path.startswith("..") else path
        rows.append((f"{folder.name}/{path}" if relative else path, kind))
    with (data / "m.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "subject", "label", "frame"))
        writer.writerows((path, "s", 1, kind) for path, kind in rows)
    settings = {"dataset": "manifest", "index": {"manifest": {"file": str(data / "m.csv")}}}
    return tmp_path, json.dumps(settings)


def test_each_is_a_row_with_a_reason_in_bounded_time_and_memory(hostile):
    folder, settings = hostile
    index, crops = folder / "index.parquet", folder / "crop.parquet"
    stages = (
        ("index", "--config", settings),
        ("crop", "--config", settings, "--index", str(index), "--shard", "s.00"),
    )
    for arguments, output in zip(stages, (index, crops), strict=True):
        status, words, opened, peak = run(folder, *arguments, "--output", str(output))
        assert status == 0, words
        assert "Traceback" not in words
        assert peak < 2 * 2**30
        inside = [name for name in opened if str(folder / "data") in name]
        assert inside  # the watch works
        real = {os.path.realpath(name) for name in opened}
        forbidden = {"/etc/passwd", "/dev/zero", str(folder / "outside" / "secret.png")}
        assert not forbidden & real
        assert not [name for name in opened if name.startswith("/proc/self/environ")]
    rows = tables.read(crops).with_columns(kind=pl.col("frame_id").str.split("/").list.last())
    assert len(rows) == 1 + len(CONTENTS) + len(PLACES)
    assert (rows["reason"] != "").all()
    assert rows.filter(pl.col("status") == "ok").is_empty()
    found = dict(rows.select("kind", "status").iter_rows())
    assert {kind: found[kind] for kind in PLACES} == {
        k: status for k, (*_, status) in PLACES.items()
    }
    assert {found[kind] for kind in CONTENTS} == {"unreadable", "black"}
    assert all(reason.isprintable() for reason in rows["reason"])


@pytest.mark.parametrize("kind", TABLES)
def test_a_bad_table_is_one_line_and_status_2(kind, tmp_path):
    path, words = bad_table(kind, tmp_path)
    settings = json.dumps({"dataset": "manifest", "index": {"manifest": {"file": str(path)}}})
    output = tmp_path / "index.parquet"
    status, said, _, peak = run(tmp_path, "index", "--config", settings, "--output", str(output))
    assert status == 2
    (line,) = said.splitlines()
    assert line.startswith("aacsfnet: ")
    assert any(word in line for word in words.split("|"))
    assert not output.exists()
    assert peak < 2 * 2**30


#: Parquet tables that are small on disk, and words of the one line
PACKED = {
    "three million rows": (["a.png"] * 3_000_000, "more than 1000000 rows"),
    "a gigabyte of text": ([f"{n}" + "a" * 40_000_000 for n in range(15)], "unpacks to"),
    "a long text a million times": (["a" * 10_000_000] * 900_000, "a field of more than 131072"),
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_small_table_that_unpacks_to_a_giant_is_one_line(kind, tmp_path):
    paths, words = PACKED[kind]
    path, texts = tmp_path / "m.parquet", paths
    if paths[0] == paths[-1]:
        texts = pa.DictionaryArray.from_arrays(pa.array([0] * len(paths), pa.int32()), paths[:1])
    numbers = pa.array([1] * len(paths), pa.int8())
    columns = {"path": texts, "subject": numbers, "label": numbers}
    pq.write_table(pa.table(columns), path, compression="zstd")
    assert path.stat().st_size < 2_000_000
    settings = json.dumps({"dataset": "manifest", "index": {"manifest": {"file": str(path)}}})
    status, said, _, peak = run(
        tmp_path, "index", "--config", settings, "--output", str(tmp_path / "i.parquet")
    )
    assert status == 2
    (line,) = said.splitlines()
    assert words in line
    assert peak < 2 * 2**30
