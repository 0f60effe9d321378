"""What stands in metrics.json beside the headline figures."""

import json

import numpy as np
import polars as pl
import pytest
import sklearn.metrics

from aacsfnet import tables
from aacsfnet.errors import SettingsError
from aacsfnet.evaluation import metrics
from aacsfnet.evaluation.binary import best_cut_off
from aacsfnet.evaluation.binary_summary import binary_summary, cut_offs_by_fold
from aacsfnet.evaluation.evaluate import evaluate
from aacsfnet.evaluation.geometry_baseline import fit_chosen, geometry_predictions
from aacsfnet.evaluation.paired import people_tests
from aacsfnet.evaluation.predictions import gather
from aacsfnet.evaluation.review import review, with_geometry
from aacsfnet.evaluation.statistics import resamples
from aacsfnet.evaluation.thresholds import thresholds_of
from aacsfnet.labels import Label
from tests.evaluation.test_evaluate import fold
from tests.made_results import LABEL, settings


@pytest.fixture
def rows(tmp_path):
    paths = []
    for number, names in enumerate(("abc", "de", "fgh")):
        for seed in (1, 2):
            paths.append(tmp_path / f"{number}-{seed}.parquet")
            fold(number, names, seed).write_parquet(paths[-1])
    return gather(paths, LABEL)


def test_thresholds_follow_the_label_unless_told():
    assert thresholds_of(LABEL, None) == (1, 2, 3)
    assert thresholds_of(Label("vas", 0, 10, ""), None) == (1, 4, 7)
    assert thresholds_of(Label("stimulus", 0, 4, ""), None) == (1, 2, 3, 4)
    assert thresholds_of(Label("vas", 0, 1, ""), None) == (1,)
    assert thresholds_of(Label("valence", -1, 1, ""), None) == (-0.5, 0, 0.5)
    assert thresholds_of(LABEL, [4, 2, 4]) == (2, 4)
    for wrong in (0, 17):
        with pytest.raises(SettingsError, match=f"evaluate.thresholds: {wrong} is outside pspi"):
            thresholds_of(LABEL, [1, wrong])


def test_cut_offs_come_from_the_people_of_the_other_folds(rows):
    part = rows.filter(pl.col("seed") == 1).with_columns(positive=pl.col("label") >= 2)
    found = cut_offs_by_fold(part)
    others = part.filter(pl.col("fold") != 1)
    assert found[1] == best_cut_off(others["prediction"], others["positive"])
    # Whatever the labels of those who are tested say, their own cut-off stays.
    shuffled = part.with_columns(
        positive=pl.when(pl.col("fold") == 1).then(~pl.col("positive")).otherwise("positive")
    )
    again = cut_offs_by_fold(shuffled)
    assert again[1] == found[1]
    assert again[0] != found[0]


def test_binary_figures_are_those_of_sklearn_averaged_over_seeds(rows):
    clipped = rows.with_columns(pl.col("prediction").clip(0, 16))
    (found,) = binary_summary(clipped, [2.0], resamples(8, 50, 1), 0.95)
    expected = {"auroc": [], "auprc": [], "f1": [], "f1_nominal": []}
    for part in clipped.partition_by("seed"):
        positive, scores = (part["label"] >= 2).to_numpy(), part["prediction"].to_numpy()
        cuts = cut_offs_by_fold(part.with_columns(positive=pl.Series(positive)))
        said = scores >= np.array([cuts[number] for number in part["fold"]])
        expected["auroc"].append(sklearn.metrics.roc_auc_score(positive, scores))
        expected["auprc"].append(sklearn.metrics.average_precision_score(positive, scores))
        expected["f1"].append(sklearn.metrics.f1_score(positive, said))
        expected["f1_nominal"].append(sklearn.metrics.f1_score(positive, scores >= 2))
    for name, values in expected.items():
        entry = found["pooled"][name]
        assert entry["value"] == pytest.approx(np.mean(values))
        assert entry["low"] <= entry["value"] <= entry["high"]
    assert (found["frames"], found["subjects"], found["prevalence"]) == (96, 8, 0.6)


def test_one_fold_has_no_cut_off_and_says_so(tmp_path):
    fold(0, "abc").write_parquet(tmp_path / "0.parquet")
    (found,) = binary_summary(
        gather([tmp_path / "0.parquet"], LABEL), [2.0], resamples(3, 50, 1), 0.95
    )
    assert found["pooled"]["f1"]["value"] is None
    assert found["pooled"]["f1_nominal"]["value"] > 0
    assert found["cut_offs"] == {"lowest": None, "highest": None, "undefined": 1}


def test_calibration_by_hand():
    rows = pl.DataFrame(
        {
            "frame_id": ["a", "b", "c", "d"],
            "subject": ["s", "s", "t", "t"],
            "label": [0.0, 2.0, 2.0, 4.0],
            "prediction": [1.0, 1.0, 3.0, 3.0],
            "fold": 0,
            "seed": 1,
        }
    )
    found = review(rows, LABEL, 100, 0.95, (1.0,))["calibration"]
    by_label = {row["level"]: row["prediction"]["value"] for row in found["by_label"]}
    by_prediction = {row["level"]: row["label"]["value"] for row in found["by_prediction"]}
    assert by_label == {0.0: 1.0, 2.0: 2.0, 4.0: 3.0}
    assert by_prediction == {1.0: 1.0, 3.0: 3.0}
    assert (found["slope"]["value"], found["intercept"]["value"]) == (1.0, 0.0)


def test_the_spread_over_seeds_stands_beside_the_interval_over_people(rows):
    found = review(rows, LABEL, 100, 0.95, (1.0,))["over_seeds"]
    each = [
        metrics.mae(part["prediction"].clip(0, 16), part["label"])
        for part in rows.partition_by("seed")
    ]
    spread = found["pooled"]["mae"]
    assert (spread["lowest"], spread["highest"]) == pytest.approx((min(each), max(each)))
    assert spread["sd"] == pytest.approx(np.std(each, ddof=1))
    alone = rows.filter(pl.col("seed") == 1)
    assert review(alone, LABEL, 100, 0.95, (1.0,))["over_seeds"] is None


def test_a_person_counts_once_in_the_test_of_two_experiments(rows):
    better = rows.with_columns(prediction=(pl.col("prediction") + 2 * pl.col("label")) / 3)
    found = people_tests(better, rows, LABEL)
    assert found["mae"].people == 8
    assert found["mae"].p == pytest.approx(2 / 2**8)  # all of eight on one side
    assert found["mae"].median < 0
    assert np.isnan(people_tests(rows, rows, LABEL)["mae"].p)


def merged(people: int = 9, frames: int = 30, told: float = 1.0):
    """A merged table whose labels follow two measures, relative to each person's own face."""
    rng = np.random.default_rng(1)
    rows, labels = [], []
    for person in range(people):
        own = rng.normal(0, 1, len(tables.MEASURES))
        moved = rng.normal(0, 0.05, (frames, len(tables.MEASURES)))
        pain = np.clip(np.round(np.abs(rng.normal(0, 3, frames)) - 2), 0, 16)
        moved[:, 2] -= 0.1 * told * pain
        moved[:, 10] += 0.05 * told * pain
        for n in range(frames):
            measures = dict(zip(tables.MEASURES, (own + moved[n]).tolist(), strict=True))
            rows.append(
                {
                    "image_id": f"p{person}/q/{n}",
                    "frame_id": f"p{person}/q/{n}",
                    "subject": f"p{person}",
                    "sequence": "q",
                    "label": float(pain[n]),
                    "status": "ok",
                    "reason": "",
                    "synthetic": False,
                    "pool": False,
                    "row": len(rows),
                    "measures": measures,
                }
            )
            labels.append(pain[n])
    roles = [
        (number, f"p{person}", "test" if person % 3 == number else "train")
        for number in range(3)
        for person in range(people)
    ]
    splits = pl.DataFrame(roles, schema=["fold", "subject", "role"], orient="row")
    return tables.frame("merge", rows), splits


def test_measures_that_tell_pain_are_read():
    index, splits = merged()
    found = geometry_predictions(index, splits).join(index, on="frame_id")
    assert len(found) == len(index)
    assert metrics.pcc(found["geometry"], found["label"]) > 0.9
    index, splits = merged(told=0.0)
    found = geometry_predictions(index, splits).join(index, on="frame_id")
    assert metrics.pcc(found["geometry"], found["label"]) < 0.2


def test_who_is_held_out_has_no_part_in_the_baseline_but_a_face():
    index, splits = merged()
    before = geometry_predictions(index, splits).filter(pl.col("fold") == 0)
    tested = pl.col("subject").is_in(["p0", "p3", "p6"])
    others = index.with_columns(label=pl.when(tested).then(16 - pl.col("label")).otherwise("label"))
    after = geometry_predictions(others, splits).filter(pl.col("fold") == 0)
    assert before.equals(after)


def test_frames_without_a_label_change_nothing_of_the_baseline():
    index, splits = merged()
    rows = index.to_dicts()
    for row in rows[::4]:
        row.update(label=None, status="unlabelled", measures=dict.fromkeys(row["measures"], 9.0))
    some = tables.frame("merge", rows)
    found = geometry_predictions(some, splits)
    assert found.equals(geometry_predictions(some.filter(status="ok"), splits))
    assert len(found) == len(rows) - len(rows[::4])


def test_the_penalty_follows_what_helps_people_left_out():
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(6), 20)
    features = rng.normal(size=(120, 15))
    _, clear = fit_chosen(features, features[:, 0], people)
    _, noise = fit_chosen(features, rng.normal(size=120), people)
    assert clear < noise
    ridge, _ = fit_chosen(features[:20], features[:20, 0], people[:20])  # nobody to choose by
    assert np.isfinite(ridge.predict(features)).all()


def test_unknown_measures_say_the_training_mean_and_are_counted(tmp_path):
    index, splits = merged()
    tested = [f"p{person}" for person in (0, 3, 6)]
    part = index.filter(pl.col("subject").is_in(tested))
    rows = part.select(
        *("frame_id", "subject", "sequence", "label"),
        prediction=pl.col("label"),
        mean_label=pl.lit(2.5),
        fold=pl.lit(0, pl.Int64),
        seed=pl.lit(1, pl.Int64),
    )
    geometry = geometry_predictions(index, splits).with_columns(
        geometry=pl.when(pl.col("frame_id") == "p0/q/3").then(None).otherwise("geometry")
    )
    found = with_geometry(rows, geometry, LABEL, 100, 0.95)
    assert found["unknown_frames"] == 1
    told = rows.join(geometry, on=["fold", "frame_id"], maintain_order="left")
    clipped = told["geometry"].fill_null(2.5).clip(0, 16)
    assert found["pooled"]["mae"]["value"] == pytest.approx(metrics.mae(clipped, told["label"]))
    less = found["network_less_geometry"]["pooled"]["mae"]
    assert less["value"] == pytest.approx(-found["pooled"]["mae"]["value"])
    assert less["high"] < 0


def test_the_stage_adds_keys_and_changes_none(made):
    folder = made.experiment("full")
    paths = sorted(folder.glob("seed-*/fold-*/predictions.parquet"))
    evaluate(made.config, paths, folder)
    without = json.loads((folder / "metrics.json").read_text())
    evaluate(made.config, paths, folder, made.folder / "index.parquet", made.folder / "merge")
    found = json.loads((folder / "metrics.json").read_text())
    assert set(found["baselines"]) - set(without["baselines"]) == {"geometry"}
    assert set(found["groups"]["columns"]) == {"sex", "age_group"}
    assert found["groups"]["columns"]["sex"]["unknown_subjects"] == 4
    for key in without.keys() - {"groups", "baselines"}:
        assert found[key] == without[key]


def test_a_threshold_outside_the_label_stops_the_stage(made, tmp_path):
    config = settings(tmp_path, evaluate={"bootstrap": 100, "thresholds": [20]})
    paths = sorted(made.experiment("full").glob("seed-*/fold-*/predictions.parquet"))
    with pytest.raises(SettingsError, match="20 is outside pspi 0–16"):
        evaluate(config, paths, tmp_path)
