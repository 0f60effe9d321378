"""Intervals, abstention and relative scores on held-out people."""

import json

import numpy as np
import polars as pl
import pytest

from aacsfnet.errors import ModelFileError
from aacsfnet.evaluation.held_out import calibrate, judged
from aacsfnet.evaluation.reliability import read
from aacsfnet.evaluation.reliability_figures import (
    abstention_figures,
    interval_figures,
    relative_figures,
    relative_scores,
)
from tests.made_results import LABEL

ASKED = (0.9, 0.01)


def predictions(people=40, folds=4, frames=15, seeds=(1,), seed=0):
    """Predictions whose people differ in bias; a tenth of the frames is blurred and useless."""
    rng = np.random.default_rng(seed)
    count = people * frames
    who = np.repeat(np.arange(people), frames)
    labels = np.round(rng.gamma(0.7, 2.0, count).clip(0, 16))
    blurred = rng.random(count) < 0.005
    parts = []
    for each in seeds:
        score = 0.8 * labels + rng.normal(0, 0.5, people)[who] + rng.normal(0, 0.4, count)
        score = np.where(blurred, rng.uniform(0, 16, count), score)
        rows = {
            "frame_id": [f"s{at}/q/{i % frames}" for i, at in enumerate(who)],
            "subject": [f"s{at}" for at in who],
            "sequence": ["q"] * count,
            "label": labels,
            "prediction": score,
            "mean_label": np.ones(count),
            "fold": who % folds,
            "seed": np.full(count, each),
            "row": np.arange(count),
            "yaw": rng.normal(0, 9, count),
            "sharpness": np.where(blurred, 1e-4, np.exp(rng.normal(-3, 0.2, count))),
        }
        parts.append(pl.DataFrame(rows))
    return pl.concat(parts)


def test_nobodys_own_labels_set_their_interval():
    rows = predictions()
    own = pl.col("fold") == 2
    changed = rows.with_columns(label=pl.when(own).then(16 - pl.col("label")).otherwise("label"))
    before, after = (judged(each, LABEL, *ASKED) for each in (rows, changed))
    ends = ["low", "high", "doubt", "why"]
    assert before.filter(own).select(ends).equals(after.filter(own).select(ends))
    assert not before.filter(~own).select(ends).equals(after.filter(~own).select(ends))


def test_a_fold_has_what_the_others_give():
    rows = predictions()
    own = rows.filter(pl.col("fold") == 1)
    found = calibrate(rows.filter(pl.col("fold") != 1), LABEL, *ASKED)
    low, high = found.intervals.bounds(own["prediction"].clip(0, 16).to_numpy())
    of_fold = judged(rows, LABEL, *ASKED).filter(pl.col("fold") == 1)
    np.testing.assert_array_equal(of_fold["low"], low)
    np.testing.assert_array_equal(of_fold["high"], high)


def test_rows_keep_their_order():
    rows = predictions(seeds=(1, 2))
    found = judged(rows, LABEL, *ASKED)
    assert found.select(rows.columns).equals(rows)


def test_one_fold_alone_judges_each_by_the_others():
    rows = predictions(folds=1)
    found = judged(rows, LABEL, *ASKED)
    assert found["low"].null_count() == 0
    others = calibrate(rows.filter(pl.col("subject") != "s3"), LABEL, *ASKED)
    low, _ = others.intervals.bounds(rows.filter(subject="s3")["prediction"].clip(0, 16).to_numpy())
    np.testing.assert_array_equal(found.filter(subject="s3")["low"], low)


def test_one_person_alone_is_judged_by_nobody():
    rows = predictions(people=1)
    found = judged(rows, LABEL, *ASKED)
    assert found["low"].null_count() == found["why"].null_count() == len(rows)
    assert interval_figures(found, LABEL, 0.9, 100, 0.95) is None
    assert abstention_figures(found, LABEL, 0.01, 100, 0.95) is None


def test_coverage_is_the_share_of_frames_held():
    rows = judged(predictions(), LABEL, *ASKED)
    found = interval_figures(rows, LABEL, 0.9, 200, 0.95)
    inside = rows.with_columns(
        hit=(pl.col("label") >= pl.col("low")) & (pl.col("label") <= pl.col("high"))
    )
    by = inside.group_by("subject").agg(pl.col("hit").mean())["hit"]
    assert found["by_subject"]["value"] == pytest.approx(by.mean())
    assert found["by_subject"]["low"] < by.mean() < found["by_subject"]["high"]
    assert found["pooled"]["value"] == pytest.approx(inside["hit"].mean())
    assert 0.87 < by.mean() < 0.97
    for entry in found["per_level"]:
        part = inside.filter(pl.col("label") == entry["level"])
        assert entry["frames"] == len(part)
        assert entry["subjects"] == part["subject"].n_unique()
        assert entry["coverage"]["value"] == pytest.approx(part["hit"].mean())
        assert entry["width"] == pytest.approx((part["high"] - part["low"]).mean())
    json.dumps(found, allow_nan=False)


def test_frames_that_are_abstained_on_are_those_with_the_larger_error():
    rows = judged(predictions(people=60), LABEL, *ASKED)
    found = abstention_figures(rows, LABEL, 0.01, 200, 0.95)
    assert found["mae_abstained"]["value"] > 2 * found["mae_kept"]["value"]
    away = (rows["why"] != "").to_numpy()
    error = (rows["prediction"].clip(0, 16) - rows["label"]).abs().to_numpy()
    assert found["mae_kept"]["value"] == pytest.approx(error[~away].mean())
    assert found["reasons"]["face blurred"]["value"] == pytest.approx(
        rows["why"].str.contains("blurred").mean()
    )
    assert set(found["reasons"]) == {"face blurred", "head turned"}
    curve = found["risk"]["doubt"]
    assert curve[0]["mae"]["value"] == pytest.approx(error.mean())
    kept = rows["doubt"].to_numpy() <= np.sort(rows["doubt"].to_numpy())[int(0.9 * len(rows)) - 1]
    (at,) = (each for each in curve if each["coverage"] == 0.9)
    assert at["mae"]["value"] == pytest.approx(error[kept].mean())
    json.dumps(found, allow_nan=False)


def test_relative_scores_are_less_the_recordings_own_level():
    rows = judged(predictions(people=6, seeds=(1, 2)), LABEL, *ASKED)
    rows = rows.with_columns(why=pl.lit(""))
    for words, first in (("median", 15), ("first:4", 4)):
        found = rows.with_columns(relative=relative_scores(rows, LABEL, words))
        for _, part in found.group_by("seed", "subject"):
            score = part["prediction"].clip(0, 16).to_numpy()
            level = np.median(score[np.argsort(part["row"])][:first])
            np.testing.assert_allclose(part["relative"], score - level)


def test_scores_not_trusted_do_not_set_the_level():
    rows = pl.DataFrame(
        {
            "frame_id": ["a", "b", "c"],
            "subject": ["s"] * 3,
            "sequence": ["q"] * 3,
            "seed": [1] * 3,
            "prediction": [9.0, 1.0, 2.0],
            "why": ["head turned", "", ""],
        }
    )
    assert relative_scores(rows, LABEL, "first:1").to_list() == [8.0, 0.0, 1.0]
    none = rows.with_columns(why=pl.lit("head turned"))
    assert relative_scores(none, LABEL, "first:1").to_list() == [0.0, -8.0, -7.0]


def test_permuted_labels_leave_scores_and_relative_scores_as_they_are():
    rows = judged(predictions(), LABEL, *ASKED)
    permuted = rows.with_columns(pl.col("label").shuffle(seed=1))
    assert permuted["label"].to_list() != rows["label"].to_list()
    for words in ("median", "first:5"):
        first, second = (relative_scores(each, LABEL, words) for each in (rows, permuted))
        assert first.equals(second)


def test_figures_of_relative_scores_stand_beside_the_plain_ones():
    """People's biases are all that is wrong here: their own level takes them away."""
    rng = np.random.default_rng(0)
    rows = predictions(people=30)
    bias = dict(zip(rows["subject"].unique(), rng.uniform(1, 6, 30), strict=True))
    rows = rows.with_columns(
        label=pl.when(pl.col("row") % 15 < 8).then(0.0).otherwise(pl.col("label").clip(0, 9))
    )
    rows = rows.with_columns(
        prediction=pl.col("label") + pl.col("subject").replace_strict(bias),
    )
    found = relative_figures(judged(rows, LABEL, *ASKED), LABEL, ("median",), 200, 0.95)
    assert found["median"]["pooled"]["mae"]["value"] == pytest.approx(0, abs=1e-9)
    assert found["median"]["difference"]["pooled"]["mae"]["high"] < -1
    assert found["median"]["difference"]["by_subject"]["pcc"]["value"] == pytest.approx(0, abs=0.05)


def test_what_is_written_is_read_again(tmp_path):
    found = calibrate(predictions(), LABEL, *ASKED, networks=["b" * 64, "a" * 64])
    path = tmp_path / "reliability.json"
    path.write_text(found.as_json())
    assert read(path) == found
    for text in ("{", "[]", '{"format": 1}', found.as_json().replace('"usual"', '"other"')):
        path.write_text(text)
        with pytest.raises(ModelFileError, match="evaluate"):
            read(path)
    path.write_text(found.as_json().replace('"format": 1', '"format": 2'))
    with pytest.raises(ModelFileError, match="expected 1"):
        read(path)
