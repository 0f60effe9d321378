"""Data sets in the layouts that people have on disk, small, made in code."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from aacsfnet.config import Config, validate

#: PSPI, and FACS rows that add up to it.
EXPRESSIONS = {
    0: "",
    3: "4 1 0 0\n6 2 0 0\n",
    6: "4 2 0 0\n6 1 0 0\n7 3 0 0\n43 0 0 0\n12 4 0 0\n",
    9: "4 3 0 0\n7 2 0 0\n9 1 0 0\n10 3 0 0\n43 NaN 0 0\n25 2 0 0\n",
}


def picture(seed: int = 0, height: int = 24, width: int = 32) -> np.ndarray:
    """Return a small picture, `(H, W, 3)` uint8, with bright pixels, different for each seed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def settings(dataset: str, **keys: Any) -> Config:
    """Return the settings for a data set; `index__shard_frames=3` sets a key of the index."""
    index = {name.removeprefix("index__"): v for name, v in keys.items() if "index__" in name}
    own = {name: v for name, v in keys.items() if "index__" not in name}
    return validate({"dataset": dataset, "index": index | {dataset: own}})


@pytest.fixture
def configured() -> Callable[..., Config]:
    return settings


class UnbcTree:
    """Writes a tree in the archive's layout, file by file."""

    def __init__(self, root: Path, images: str = "Images", labels: str = "Frame_Labels") -> None:
        self.root, self.images, self.labels = root, images, labels
        self.truth: dict[str, float] = {}

    def frame(self, subject: str, sequence: str, number: int, pspi: int = 0) -> str:
        """Write one frame with all that belongs to it; return its name."""
        name = f"{sequence}{number:03d}"
        place = f"{subject}/{sequence}/{name}"
        self.write(f"{self.images}/{place}.png", encoded(picture(number)))
        self.write(f"{self.labels}/PSPI/{place}_facs.txt", f"   {pspi:.7e}\n")
        self.write(f"{self.labels}/FACS/{place}_facs.txt", EXPRESSIONS[pspi])
        points = "".join(f"{x}.5 {x + 1}.25\n" for x in range(66))
        self.write(f"AAM_landmarks/{place}_aam.txt", points)
        self.truth[place] = pspi
        return name

    def sequence_labels(self, subject: str, sequence: str, **values: object) -> None:
        for name, value in values.items():
            self.write(f"Sequence_Labels/{name}/{subject}/{sequence}.txt", f" {value}\n")

    def write(self, path: str, content: str | bytes) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file


def encoded(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, np.ascontiguousarray(pixels[..., ::-1]))[1].tobytes()


@pytest.fixture
def unbc_tree(tmp_path: Path) -> UnbcTree:
    """Two subjects, three sequences, every frame in order."""
    return fill(UnbcTree(tmp_path / "unbc"))


def fill(tree: UnbcTree) -> UnbcTree:
    for subject, sequence in (
        ("042-ll042", "ll042t1aaaff"),
        ("042-ll042", "ll042t2afunaff"),
        ("095-tv095", "tv095t1aeaff"),
    ):
        for number, pspi in enumerate((0, 0, 3, 6, 9), start=1):
            tree.frame(subject, sequence, number, pspi)
        tree.sequence_labels(subject, sequence, AFF=4, OPR=2, SEN="6.0000000e+00", VAS=3)
    return tree


def write_video(path: Path, levels: list[int], rate: float = 25.0, side: int = 64) -> None:
    """Write a video whose frames are grey, each with one of `levels` (0 to 255)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = cv2.VideoWriter_fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, rate, (side, side))
    assert writer.isOpened()
    for level in levels:
        writer.write(np.full((side, side, 3), level, np.uint8))
    writer.release()


@pytest.fixture
def make_picture() -> Callable[..., np.ndarray]:
    return picture


@pytest.fixture
def encode() -> Callable[..., bytes]:
    return encoded


@pytest.fixture
def make_video() -> Callable[..., None]:
    return write_video


@pytest.fixture
def make_unbc() -> Callable[..., UnbcTree]:
    """Return a function that fills a tree whose folders are called otherwise."""
    return lambda root, **names: fill(UnbcTree(root, **names))


@pytest.fixture
def make_manifest(tmp_path: Path) -> Callable[..., Config]:
    """Return a function that writes `manifest.csv` and pictures, and gives the settings."""

    def make(text: str | bytes, pictures: tuple[str, ...] = (), **keys: Any) -> Config:
        name = keys.pop("name", "manifest.csv")
        (tmp_path / name).write_bytes(text.encode() if isinstance(text, str) else text)
        for seed, path in enumerate(pictures):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(encoded(picture(seed)))
        return settings("manifest", file=str(tmp_path / name), **keys)

    return make
