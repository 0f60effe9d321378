"""Where the time of `merge` goes: real crops, in tables that hold them plain and packed, in turn.

    python -m benchmarks.merging --results RESULTS [--people 20 --frames 1000 --rounds 3]

The crops are those of a finished run, `results/demo` say, over and over. One study's tables hold
them as the stages write them (`aacsfnet/tables/png.py`), the other's as PNG files that pack
themselves, which is how earlier versions wrote them and others still do. The merged pictures of
both must be the same bytes. "Written" counts the bytes of `images.npy`, "read" the bytes of the
crops' pixels; a megabyte is a million. Steps are told for one thread, by picture.

The floor is what steps take that no `merge` can do without, each alone in a loop of its own:
decoding by the quickest library that is installed, resampling and writing; then besides these the
unpacking of the table's column by Arrow, and the hash. A merge's own time is that of its process
less that of one which only loads what it needs.
"""

import argparse
import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
from PIL import Image

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


def read(table: Path) -> list[dict[str, object]]:
    """Return some pictures of a table as `merge` reads them."""
    parts = (values for _, values in tables.read_pictures(table, "frame_id"))
    values = (value for part in parts for value in part if value is not None)
    return list(islice(values, _SOME))


def unpack(table: Path) -> None:
    """Read the column of a table's pictures, and do nothing with it."""
    with pq.ParquetFile(table) as file:
        for _ in islice(file.iter_batches(16, columns=["image"], use_threads=False), _SOME // 16):
            pass


def decoders(files: list[bytes]) -> dict[str, Callable[[], list[np.ndarray]]]:
    """Return how libraries decode some files, by their names; each in its own order of colours."""
    import torch  # late: the memory of processes counts from that of the one which starts them
    from torchvision.io import decode_png

    tensors = [torch.frombuffer(bytearray(file), dtype=torch.uint8) for file in files]
    arrays = [np.frombuffer(file, np.uint8) for file in files]
    return {
        "OpenCV": lambda: [cv2.imdecode(each, cv2.IMREAD_UNCHANGED) for each in arrays],
        "Pillow": lambda: [np.asarray(Image.open(BytesIO(file))) for file in files],
        "torchvision": lambda: [decode_png(each).permute(1, 2, 0).numpy() for each in tensors],
    }


def steps(config: Config, table: Path, folder: Path) -> dict[str, float]:
    """Return the microseconds of processor time that each step takes of one picture."""
    size, kept = config.merge.image_size, config.merge.kept
    values = read(table)
    crops = [tables.decode_png(value) for value in values]
    small = np.stack([resized(crop, size, kept) for crop in crops])
    todo: dict[str, Callable[[], object]] = {
        "read and unpack": lambda: read(table),
        "unpack alone": lambda: unpack(table),
        "decode": lambda: [tables.decode_png(value) for value in values],
        "resample": lambda: [resized(crop, size, kept) for crop in crops],
        "hash": lambda: [hashlib.blake2b(each, digest_size=16).hexdigest() for each in small],
        "write": lambda: (folder / "written").write_bytes(small.data),
    }
    for name, decode in decoders([bytes(value["bytes"]) for value in values]).items():
        turned = slice(None, None, -1 if name == "OpenCV" else 1)
        if any(
            (found[..., turned] != crop).any() for found, crop in zip(decode(), crops, strict=True)
        ):
            raise SystemExit(f"{name} decodes other pixels")
        todo[f"decode alone, {name}"] = decode
    found = {}
    for name, work in todo.items():
        taken = []
        for _ in range(5):
            began = time.process_time()
            work()
            taken.append(time.process_time() - began)
        found[name] = round(statistics.median(taken) / len(values) * 1e6, 1)
    (folder / "written").unlink()
    return found


def floors(taken: dict[str, float], merge: float) -> dict[str, float]:
    """Return what steps take together that no merge can do without, us, and how far it is off.

    Args:
        taken: by `steps`.
        merge: the microseconds that `merge` takes of a picture.
    """
    decode = min(value for name, value in taken.items() if name.startswith("decode alone"))
    least = decode + taken["resample"] + taken["write"]
    whole = least + taken["unpack alone"] + taken["hash"]
    return {
        "merge": round(merge, 1),
        "decode, resample, write": round(least, 1),
        "merge to these": round(merge / least, 2),
        "unpack, decode, resample, hash, write": round(whole, 1),
        "merge to all these": round(merge / whole, 2),
    }


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
        load = ("-c", "import cv2, aacsfnet.cohort.merge")
        starts = [measured(folders["plain"], *load)["cpu_s"] for _ in range(asked.rounds)]
        found["start, cpu_s"] = start = statistics.median(starts)
        found["us of a picture, plain"] = taken = steps(config, first, folders["plain"])
        own = (found["plain"]["cpu_s"] - start) / count * 1e6
        found["us of a picture, floor"] = floors(taken, own)
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
