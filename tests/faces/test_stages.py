"""Crop and landmarks as the workflow runs them: index table in, tables out."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from aacsfnet import tables
from aacsfnet.config import Config, validate
from aacsfnet.datasets.index import index
from aacsfnet.faces.crop import crop
from aacsfnet.faces.geometry import MEASURES, measure_all
from aacsfnet.faces.landmarks import landmarks
from aacsfnet.landmark_sets import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS

from .conftest import turned

#: Irises of the photograph, seen by eye.
IRISES = np.array([[203, 100.5], [246.5, 103]])


def run(folder: Path, config: Config) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Run index, crop and landmarks of the only shard."""
    index(config, folder / "index.parquet")
    shard = tables.read(folder / "index.parquet")["shard"][0]
    crop(config, folder / "index.parquet", shard, folder / "crop.parquet")
    landmarks(config, folder / "crop.parquet", folder / "landmarks.parquet")
    return tables.read(folder / "crop.parquet"), tables.read(folder / "landmarks.parquet")


def manifest(folder: Path, rows: str, **blocks: dict) -> Config:
    (folder / "m.csv").write_text(rows)
    settings = {"dataset": "manifest", "index": {"manifest": {"file": str(folder / "m.csv")}}}
    return validate(settings | blocks)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory, photograph) -> tuple[pl.DataFrame, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("photographs")
    pictures = {
        "plain": photograph,
        "turned": turned(photograph, 25, (224, 122)),
        "none": np.full((300, 400, 3), 140, np.uint8),
        "black": np.zeros((300, 400, 3), np.uint8),
        "tiny": cv2.resize(photograph, (128, 128), interpolation=cv2.INTER_AREA),
    }
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / f"{name}.png"), picture[..., ::-1])
    (folder / "text.png").write_text("no picture")
    rows = "path,subject,label,sequence\n" + "".join(
        f"{name}.png,p,1,{name}\n" for name in [*pictures, "text", "gone"]
    )
    # The photograph's broad smile may count as covered: here its measures are wanted.
    return run(folder, manifest(folder, rows, landmarks={"min_visibility": 0.0}))


def test_every_frame_keeps_its_row(photographs) -> None:
    crops, points = photographs
    expected = {
        "plain": "ok",
        "turned": "ok",
        "none": "no_face",
        "black": "black",
        "tiny": "small_face",
        "text": "unreadable",
        "gone": "missing_file",
    }
    for frames in (crops, points):
        assert dict(frames.select("sequence", "status").iter_rows()) == {
            f"{name}": status for name, status in expected.items()
        }
        bad = frames.filter(pl.col("status") != "ok")
        assert (bad["reason"].str.len_chars() > 0).all()
        assert (frames.filter(pl.col("status") == "ok")["reason"] == "").all()
    lost = crops.filter(pl.col("status") != "ok")
    assert lost["image"].struct.field("bytes").is_null().all()
    assert points.filter(pl.col("status") != "ok")["landmarks_px"].is_null().all()


@pytest.mark.parametrize("name", ["plain", "turned"])
def test_a_real_face_is_upright_and_maps_back(photographs, name: str) -> None:
    crops, points = photographs
    row = crops.row(by_predicate=pl.col("sequence") == name, named=True)
    found = points.row(by_predicate=pl.col("sequence") == name, named=True)
    assert tables.decode_png(row["image"]).shape == (128, 128, 3)
    assert row["frame_size"] == [512, 512]
    assert row["faces"] == 1
    assert row["inside"] == 1.0
    mesh = np.array(found["landmarks_px"])
    right, left = mesh[list(RIGHT_EYE)].mean(axis=0), mesh[list(LEFT_EYE)].mean(axis=0)
    assert abs(np.degrees(np.arctan2(*(left - right)[1::-1]))) < 1.5
    assert right[0] < left[0]
    assert abs(found["pose"][2]) < 3
    to_frame = np.reshape(row["to_frame"], (2, 3))
    irises = mesh[[RIGHT_IRIS[0], LEFT_IRIS[0]], :2] @ to_frame[:, :2].T + to_frame[:, 2]
    truth = IRISES
    if name == "turned":
        turn = cv2.getRotationMatrix2D((224, 122), 25, 1)
        truth = IRISES @ turn[:, :2].T + turn[:, 2]
        assert found["frame_roll"] == pytest.approx(3.5 - 25, abs=4)
    assert np.linalg.norm(irises - truth, axis=1).max() < 1.5


def test_measures_are_those_of_the_points(photographs) -> None:
    _, points = photographs
    row = points.row(by_predicate=pl.col("sequence") == "plain", named=True)
    again = measure_all(np.array(row["landmarks_px"], float))
    assert row["measures"].keys() == MEASURES.keys()
    for name, value in again.items():
        assert row["measures"][name] == pytest.approx(value, abs=1e-4)


def test_changes_are_against_the_persons_median(photographs) -> None:
    _, points = photographs
    found = points.filter(pl.col("status") == "ok")
    for name in MEASURES:
        values = found["measures"].struct.field(name).to_numpy()
        changes = found["changes"].struct.field(name).to_numpy()
        assert changes == pytest.approx(values - np.median(values), abs=1e-6)


def test_no_face_at_all_is_a_table_too(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((200, 200, 3), 140, np.uint8))
    crops, points = run(tmp_path, manifest(tmp_path, "path,subject,label\na.png,p,1\n"))
    assert crops["status"].to_list() == points["status"].to_list() == ["no_face"]


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A folder with the demo's first sequence in its index."""
    return tmp_path_factory.mktemp("film")


def demo(**blocks: dict) -> Config:
    data = {"subjects": 3, "sequences": 1, "frames": 16, "picture_size": 224}
    index = {"demo": data, "packed_frames": 0}
    return validate({"dataset": "demo", "index": index} | blocks)


def test_two_runs_are_identical_to_the_byte(film: Path) -> None:
    run(film, demo())
    first = {path.name: path.read_bytes() for path in film.glob("*.parquet")}
    run(film, demo())
    assert {path.name: path.read_bytes() for path in film.glob("*.parquet")} == first


def in_frame(crops: pl.DataFrame, points: pl.DataFrame) -> np.ndarray:
    """Return the landmarks `(frames, 478, 2)` mapped back to frame pixels."""
    matrices = np.array(crops["to_frame"].to_list()).reshape(-1, 2, 3)
    meshes = np.array(points["landmarks_px"].to_list())[..., :2]
    return np.einsum("nij,npj->npi", matrices[:, :, :2], meshes) + matrices[:, None, :, 2]


def test_video_mode_agrees_with_still_mode(film: Path, tmp_path: Path) -> None:
    still_crops, still = run(film, demo())
    modes = {"crop": {"mode": "video"}, "landmarks": {"mode": "video"}}
    video_crops, video = run(tmp_path, demo(**modes))
    assert (video["status"] == "ok").all()
    # Only the first frame was searched; the control that the mode does something.
    assert video_crops["confidence"].is_null().to_list() == [False] + 15 * [True]
    one, other = in_frame(still_crops, still), in_frame(video_crops, video)
    eyes = np.linalg.norm(one[:, 468] - one[:, 473], axis=1)
    error = np.linalg.norm(one - other, axis=2).mean(axis=1) / eyes
    assert 0 < error.max() < 0.05
    assert error.mean() < 0.03


def test_video_mode_does_not_follow_into_another_picture(tmp_path: Path, photograph) -> None:
    moved = np.roll(photograph, 150, axis=1)
    none = np.full_like(photograph, 140)
    names = ["here", "here", "there", "none", "here"]
    for name, picture in {"here": photograph, "there": moved, "none": none}.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture[..., ::-1])
    rows = []
    for position, name in enumerate(names):
        (tmp_path / f"{position}.png").write_bytes((tmp_path / f"{name}.png").read_bytes())
        rows.append(f"{position}.png,p,1,s,{position}")
    config = manifest(
        tmp_path,
        "path,subject,label,sequence,frame\n" + "\n".join(rows) + "\n",
        crop={"mode": "video"},
        landmarks={"mode": "video"},
    )
    crops, _ = run(tmp_path, config)
    seen = crops.filter(pl.col("status") != "duplicate")
    assert seen.height == 5, "the manifest took the repeated picture for a duplicate"
    assert crops["status"].to_list() == ["ok", "ok", "ok", "no_face", "ok"]
    assert crops["confidence"].is_null().to_list() == [False, True, False, True, False]
    middles = [np.reshape(m, (2, 3)) @ (63.5, 63.5, 1) for m in crops["to_frame"] if m is not None]
    assert middles[2][0] - middles[1][0] == pytest.approx(150, abs=3)


def test_smoothing_steadies_the_crops_of_a_sequence(film: Path, tmp_path: Path) -> None:
    def jitter(frames: pl.DataFrame) -> np.ndarray:
        matrices = np.array(frames["to_frame"].to_list()).reshape(-1, 2, 3)
        middle = matrices @ (63.5, 63.5, 1)
        scale = np.hypot(matrices[:, 0, 0], matrices[:, 1, 0])
        angle = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
        path = np.column_stack([middle, 100 * np.log(scale), 100 * angle])
        return np.sqrt((np.diff(path, 2, axis=0) ** 2).mean(axis=0))

    smooth, _ = run(film, demo())
    shard = tables.read(film / "index.parquet")["shard"][0]
    crop(demo(crop={"smoothing": 0}), film / "index.parquet", shard, tmp_path / "raw.parquet")
    raw = tables.read(tmp_path / "raw.parquet")
    assert (jitter(smooth) < 0.7 * jitter(raw)).all()


def test_one_core_and_all_give_the_same_tables(film: Path, tmp_path: Path) -> None:
    run(film, demo())
    code = (
        "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from pathlib import Path\n"
        "from aacsfnet.config import load\n"
        "from aacsfnet.faces.crop import crop\n"
        "from aacsfnet.faces.landmarks import landmarks\n"
        "config, index, shard, folder = load(sys.argv[1]), *sys.argv[2:]\n"
        "crop(config, Path(index), shard, Path(folder) / 'crop.parquet')\n"
        "landmarks(config, Path(folder) / 'crop.parquet', Path(folder) / 'landmarks.parquet')\n"
    )
    shard = tables.read(film / "index.parquet")["shard"][0]
    arguments = [demo().model_dump_json(), str(film / "index.parquet"), shard, str(tmp_path)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True)
    for name in ("crop.parquet", "landmarks.parquet"):
        assert (film / name).read_bytes() == (tmp_path / name).read_bytes()
