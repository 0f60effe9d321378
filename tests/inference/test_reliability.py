"""Intervals and reasons to abstain in use: where they come from, and what rows say."""

import logging

import numpy as np
import polars as pl
import pytest

import aacsfnet
from aacsfnet.errors import ModelFileError, SettingsError
from aacsfnet.evaluation.abstention import Bounds
from aacsfnet.evaluation.conformal import Intervals
from aacsfnet.evaluation.reliability import Reliability
from aacsfnet.files import digest_of
from aacsfnet.inference.predict import predict
from aacsfnet.models.familiarity import Familiarity
from tests.made_videos import write

from .conftest import save

INTERVALS = Intervals(0.9, 2.0, (0.5, 0.1), (1.0, 0.0), 0.0, 16.0, 30)


def reliable(folder, *networks, bounds=None):
    """Write a `reliability.json` for some networks."""
    bounds = bounds or Bounds(0.01, {"sharpness": 0.2}, {"sharpness": 1e-6}, {})
    digests = tuple(digest_of(each / "model.safetensors") for each in networks)
    path = folder / "reliability.json"
    path.write_text(Reliability(INTERVALS, bounds, digests).as_json())
    return path


def crops(count, size=64):
    return list(np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8))


def test_scores_have_the_intervals_of_their_experiment(tmp_path):
    folds = [save(tmp_path / f"seed-1/fold-{fold}", seed=fold) for fold in range(2)]
    reliable(tmp_path, *folds)
    for folder in (tmp_path, folds[1]):
        judged = aacsfnet.Predictor(folder).judge(crops(5))
        low, high = INTERVALS.bounds(judged.prediction.astype(float))
        np.testing.assert_allclose(judged.low, low, rtol=1e-6)
        np.testing.assert_allclose(judged.high, high, rtol=1e-6)
        assert judged.why == [""] * 5


def test_a_model_without_says_so_once_and_leaves_the_columns_empty(folder, caplog):
    caplog.set_level(logging.WARNING)
    judged = aacsfnet.Predictor(folder).judge(crops(3))
    assert np.isnan([judged.low, judged.high, judged.doubt]).all()
    assert judged.why == [None] * 3
    assert caplog.text.count("no reliability.json") == 1


def test_intervals_of_other_networks_are_not_taken(tmp_path, caplog):
    folds = [save(tmp_path / f"seed-1/fold-{fold}", seed=fold) for fold in range(2)]
    reliable(tmp_path, folds[0])
    assert aacsfnet.Predictor(folds[0]).reliability is not None
    for folder in (tmp_path, folds[1]):
        assert aacsfnet.Predictor(folder).reliability is None
    assert caplog.text.count("is of other networks") == 2


def test_a_damaged_file_is_refused(folder):
    reliable(folder, folder).write_text("{}")
    with pytest.raises(ModelFileError, match=r"reliability\.json: cannot be read"):
        aacsfnet.Predictor(folder)


def test_each_reason_is_told(folder):
    """A sharp crop looked at from the front; turned; enlarged; covered; of one colour."""
    bounds = Bounds(
        0.01,
        {"yaw": 0.0, "detail": 2.0, "sharpness": 1.0, "distance": 1.0, "visible_mouth": 1.0},
        {"yaw": -30.0, "detail": 1.0, "sharpness": 1e-3, "visible_mouth": 0.5},
        {"yaw": 30.0, "distance": 1e6},
    )
    reliable(folder, folder, bounds=bounds)
    pictures = crops(1) * 4 + [np.full((64, 64, 3), 90, np.uint8)]
    poses = np.array([[0, 0], [40, 0], [0, 0], [0, 0], [0, 0]], float)
    to_frame = np.tile(np.array([[2.0, 0, 5], [0, 2.0, 7]]), (5, 1, 1))
    to_frame[2] /= 4
    visible = np.ones((5, 4))
    visible[3, 3] = 0.1
    judged = aacsfnet.Predictor(folder).judge(pictures, poses, to_frame, visible)
    assert judged.why == ["", "head turned", "face small", "mouth covered", "face blurred"]
    assert [value > 1 for value in judged.doubt] == [bool(why) for why in judged.why]
    # What is not told is no reason.
    assert aacsfnet.Predictor(folder).judge(pictures[:4]).why == [""] * 4


def test_a_face_unlike_those_of_training_is_one(folder):
    import torch

    model = aacsfnet.load_model(folder)
    pictures = crops(40)
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        features = model.features(stacked)
        known = Familiarity.of(features.numpy())
        farthest = float(known(features).max())
    known.save(folder / "features.safetensors")
    bounds = Bounds(0.01, {"distance": farthest / 2}, {}, {"distance": 1.02 * farthest})
    reliable(folder, folder, bounds=bounds)
    white = np.full((64, 64, 3), 255, np.uint8)
    judged = aacsfnet.Predictor(folder).judge([*pictures[:3], white])
    assert judged.why == [""] * 3 + ["unlike the training faces"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    modes = {"crop": {"mode": "video"}, "landmarks": {"mode": "video"}}
    folder = save(tmp_path_factory.mktemp("model"), **modes)
    reliable(folder, folder)
    return folder


@pytest.fixture(scope="module")
def film(tmp_path_factory, photograph):
    """A face that gets lighter and lighter; in the middle nobody."""
    grey = np.full_like(photograph, 128)
    pictures = [np.clip(photograph * (0.6 + 0.05 * at), 0, 255).astype(np.uint8) for at in range(9)]
    path = tmp_path_factory.mktemp("film") / "film.mkv"
    write(path, [*pictures[:5], grey, *pictures[5:]])
    return path


def test_rows_hold_interval_and_reason(film, model, tmp_path):
    predict([film], model, tmp_path / "t.parquet", device="cpu")
    rows = pl.read_parquet(tmp_path / "t.parquet")
    assert rows["relative"].null_count() == len(rows) == 10
    found = rows.filter(status="ok")
    low, high = INTERVALS.bounds(found["prediction"].cast(pl.Float64).to_numpy())
    np.testing.assert_allclose(found["low"], low, atol=1e-5)
    np.testing.assert_allclose(found["high"], high, atol=1e-5)
    assert found["abstained"].to_list() == [False] * 9
    assert found["why"].null_count() == 9
    empty = rows.filter(pl.col("status") != "ok")
    for name in ("prediction", "low", "high", "abstained", "why"):
        assert empty[name].null_count() == len(empty) == 1, name


@pytest.mark.parametrize(("words", "first"), [("median", 9), ("first:4", 4)])
def test_scores_are_told_relative_to_the_own_neutral_level(film, model, tmp_path, words, first):
    predict([film], model, tmp_path / "plain.parquet", device="cpu")
    predict([film, film], model, tmp_path / "t.parquet", neutral=words, device="cpu")
    plain, rows = (pl.read_parquet(tmp_path / f"{name}.parquet") for name in ("plain", "t"))
    assert len(rows) == 10  # each file once
    assert rows.drop("relative").equals(plain.drop("relative"))
    score = plain["prediction"].drop_nulls().to_numpy()
    np.testing.assert_allclose(
        rows["relative"].drop_nulls(), score - np.median(score[:first]), atol=1e-5
    )


def test_python_yields_the_rows_of_a_video(film, model, tmp_path):
    predict([film], model, tmp_path / "t.parquet", neutral="first:3", device="cpu")
    expected = pl.read_parquet(tmp_path / "t.parquet")
    rows = aacsfnet.Predictor(model).video(film, neutral="first:3")
    found = [next(rows), *rows]
    assert [row["frame"] for row in found] == list(range(10))
    for name in ("prediction", "relative", "low", "high"):
        values = [row.get(name) for row in found]
        assert values == pytest.approx(expected[name].to_list(), abs=1e-5), name


def test_pictures_by_themselves_have_no_neutral_level(model, photograph, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), photograph[..., ::-1])
    predict([tmp_path], model, tmp_path / "t.parquet", neutral="median", device="cpu")
    assert pl.read_parquet(tmp_path / "t.parquet")["relative"].to_list() == [None]


def test_an_unknown_neutral_level_is_refused_before_anything_is_done(model, film, tmp_path):
    for words in ("mean", "first:0", "first:", "first:x"):
        with pytest.raises(SettingsError, match="expected median, or first:50"):
            predict([film], model, tmp_path / "t.csv", neutral=words)
    assert not list(tmp_path.iterdir())
