"""Where the time of `merge` goes: real crops, in tables that hold them plain and packed, in turn.

    python -m benchmarks.merging --results RESULTS [--people 20 --frames 1000 --rounds 3]

The crops are those of a finished run, `results/demo` say, over and over. One study's tables hold
them as the stages write them (`aacsfnet/tables/png.py`), the other's as PNG files that pack
themselves, which is how earlier versions wrote them and others still do. The merged pictures of
both must be the same bytes. "Written" counts the bytes of `images.npy`, "read" the bytes of the
crops' pixels; a megabyte is a million. Steps are told for one thread, by picture.
"""

import argparse
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from aacsfnet import tables
from aacsfnet.config import Config, validate
from aacsfnet.layout import Layout
from aacsfnet.models.pictures import resized
from benchmarks.records import record
from benchmarks.scale import MERGED, apart, measured, settings, write_data, write_shards

#: Pictures by which the steps are timed.
_SOME = 512


def crops_of(results: Path) -> list[np.ndarray]:
    """Return the crops of a finished run, `(S, S, 3)` uint8."""
    paths = sorted((results / "crop").glob("*.parquet"))
    values = (value for path in paths for value in tables.read(path, ["image"])["image"])
    return [tables.decode_png(value) for value in values if value is not None]


def packed(crop: np.ndarray) -> dict[str, object]:
    """Return a crop as a PNG file that packs itself."""
    return {"bytes": cv2.imencode(".png", crop[..., ::-1])[1].tobytes(), "path": "crop.png"}


def study(folder: Path, asked: argparse.Namespace, pictures: list[dict[str, object]]) -> Layout:
    """Write the tables that `merge` reads, and return where they are."""
    folder.mkdir()
    layout = Layout(validate(settings(folder)))
    write_data(folder, asked.people, asked.frames)
    options = ("--config", json.dumps(settings(folder)), "--output", str(layout.index))
    measured(folder, "-m", "aacsfnet", "index", *options)
    apart(write_shards, folder, pictures)
    return layout


def merged(folder: Path, layout: Layout) -> dict[str, float | str]:
    """Merge in a process of its own and return what that took."""
    stages = [(f"--{each}", str(layout.stage("", each))) for each in MERGED]
    options = ["--config", json.dumps(settings(folder)), "--index", str(layout.index)]
    options += [word for pair in stages for word in pair]
    options += ["--output", str(layout.merged("").folder)]
    return measured(folder, "-m", "aacsfnet", "merge", *options)


def steps(config: Config, table: Path) -> dict[str, float]:
    """Return the microseconds of processor time that each step takes of one picture."""
    size, kept = config.merge.image_size, config.merge.kept

    def read() -> list[dict[str, object]]:
        parts = (values for _, values in tables.read_pictures(table, "frame_id"))
        values = (value for part in parts for value in part if value is not None)
        return list(islice(values, _SOME))

    values = read()
    crops = [tables.decode_png(value) for value in values]
    small = [resized(crop, size, kept) for crop in crops]
    todo: dict[str, Callable[[], object]] = {
        "read and unpack": read,
        "decode": lambda: [tables.decode_png(value) for value in values],
        "resample": lambda: [resized(crop, size, kept) for crop in crops],
        "hash": lambda: [hashlib.blake2b(each, digest_size=16).hexdigest() for each in small],
    }
    found = {}
    for name, work in todo.items():
        taken = []
        for _ in range(5):
            began = time.process_time()
            work()
            taken.append(time.process_time() - began)
        found[name] = round(statistics.median(taken) / len(values) * 1e6, 1)
    return found


def disk(folder: Path, size: int) -> float:
    """Return how many MB a second the disk takes of bytes that do not pack."""
    block, path = os.urandom(2**24), folder / "written"
    began = time.monotonic()
    with path.open("wb") as file:
        for _ in range(max(size // len(block), 1)):
            file.write(block)
        os.fsync(file.fileno())
    seconds = time.monotonic() - began
    written = path.stat().st_size
    path.unlink()
    return round(written / 1e6 / seconds)


def main() -> None:
    """Write both studies, merge them in turn and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--frames", type=int, default=1000, help="of each of them")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    began = time.monotonic()
    crops = crops_of(asked.results)
    encoders = {
        "plain": lambda crop: tables.encode_png(crop, "crop.png"),
        "packed": packed,
    }
    with tempfile.TemporaryDirectory() as place:
        folders = {name: Path(place) / name for name in encoders}
        layouts = {
            name: study(folders[name], asked, [encode(crop) for crop in crops])
            for name, encode in encoders.items()
        }
        rounds = [
            {name: merged(folders[name], layout) for name, layout in layouts.items()}
            for _ in range(asked.rounds)
        ]
        images = [layout.merged("").images for layout in layouts.values()]
        if images[0].read_bytes() != images[1].read_bytes():
            raise SystemExit("the merged pictures differ")
        written, count = images[0].stat().st_size / 1e6, asked.people * asked.frames
        read = count * crops[0].nbytes / 1e6
        first = sorted(layouts["plain"].stage("", "crop").glob("*.parquet"))[0]
        found = {"pictures": count, "different": len(crops), "shape": list(crops[0].shape)}
        found |= {
            name: of_rounds([each[name] for each in rounds], written, read) for name in encoders
        }
        config = validate(settings(folders["plain"]))
        found["us of a picture, plain"] = steps(config, first)
        found["disk, MB/s"] = disk(Path(place), images[0].stat().st_size)
    found["rounds"] = rounds
    record("merging", found, time.monotonic() - began)


def of_rounds(rounds: list[dict], written: float, read: float) -> dict[str, float]:
    """Return medians of rounds, and MB written and read by second."""
    cpu, wall = (statistics.median(each[name] for each in rounds) for name in ("cpu_s", "wall_s"))
    return {
        "cpu_s": cpu,
        "wall_s": wall,
        "MB written per cpu_s": round(written / cpu, 1),
        "MB read per cpu_s": round(read / cpu, 1),
        "MB written per wall_s": round(written / wall, 1),
        "MB read per wall_s": round(read / wall, 1),
    }


if __name__ == "__main__":
    main()
