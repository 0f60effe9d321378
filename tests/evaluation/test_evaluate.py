"""From folds' predictions to an experiment's figures."""

import json

import numpy as np
import polars as pl
import pytest

from aacsfnet.errors import DataError, LeakError, WorkError
from aacsfnet.evaluation import metrics
from aacsfnet.evaluation.evaluate import evaluate
from aacsfnet.evaluation.predictions import gather
from aacsfnet.evaluation.summaries import compare, subject_table, summarise
from aacsfnet.labels import Label
from tests.made_results import LABEL, settings


def fold(number: int, subjects: str, seed: int = 1, frames: int = 20, **columns) -> pl.DataFrame:
    """A fold's predictions of subjects named by letters."""
    rng = np.random.default_rng([number, seed])
    count = frames * len(subjects)
    names = np.repeat(list(subjects), frames)
    labels = np.tile(np.arange(frames) % 5, len(subjects)).astype(float)
    rows = {
        "frame_id": [f"{name}/one/{place % frames:03d}" for place, name in enumerate(names)],
        "subject": names,
        "sequence": ["one"] * count,
        "label": labels,
        "prediction": 0.7 * labels - 0.4 + rng.normal(0, 0.8, count),
        "mean_label": np.full(count, 1.0 + number),
        "fold": np.full(count, number),
        "seed": np.full(count, seed),
    }
    return pl.DataFrame(rows | columns)


@pytest.fixture
def write(tmp_path):
    def written(*parts: pl.DataFrame):
        paths = []
        for number, part in enumerate(parts):
            paths.append(tmp_path / f"{number}.parquet")
            part.write_parquet(paths[-1])
        return paths

    return written


def test_figures_are_those_of_the_pooled_frames(write, tmp_path):
    parts = [fold(0, "abc"), fold(1, "de")]
    evaluate(settings(tmp_path), write(*parts), tmp_path / "out")
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    pooled = pl.concat(parts)
    labels = pooled["label"].to_numpy()
    clipped = np.clip(pooled["prediction"].to_numpy(), 0, 16)
    assert (found["frames"], found["subjects"], found["folds"]) == (100, 5, 2)
    for name in ("pcc", "icc", "ccc", "mae", "rmse", "mse", "macro_mae"):
        function = getattr(metrics, name)
        entry = found["pooled"][name]
        assert entry["value"] == pytest.approx(function(clipped, labels))
        assert entry["low"] <= entry["value"] <= entry["high"]
        unclipped = function(pooled["prediction"], labels)
        assert found["unclipped"]["pooled"][name]["value"] == pytest.approx(unclipped)
        mean = function(pooled["mean_label"], labels)
        assert found["baselines"]["mean"]["pooled"][name]["value"] == pytest.approx(mean)
    assert found["baselines"]["zero"]["pooled"]["mae"]["value"] == pytest.approx(labels.mean())
    assert found["baselines"]["zero"]["pooled"]["pcc"] == {
        "value": None, "low": None, "high": None, "undefined_resamples": 200,
    }  # fmt: skip
    assert found["clipped_predictions"] == (pooled["prediction"].to_numpy() < 0).sum() > 0
    assert found["label"]["meaning"] == LABEL.meaning
    by_level = {row["level"]: row["mae"]["value"] for row in found["per_level"]}
    assert by_level == pytest.approx(metrics.mae_by_level(clipped, labels))
    assert sum(row["frames"] for row in found["per_level"]) == 100
    written = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert written["frame_id"].to_list() == sorted(pooled["frame_id"])


def test_subjects_without_a_correlation_are_counted_not_zero(write):
    calm = fold(1, "d").with_columns(label=pl.lit(0.0))
    found = summarise(gather(write(fold(0, "abc"), calm), LABEL), LABEL, 200, 0.95)
    assert found["by_subject"]["pcc"]["undefined_subjects"] == 1
    assert found["by_subject"]["mae"]["undefined_subjects"] == 0
    each = [
        metrics.pcc(part["prediction"].clip(0, 16), part["label"])
        for part in fold(0, "abc").partition_by("subject")
    ]
    assert found["by_subject"]["pcc"]["value"] == pytest.approx(np.mean(each))
    assert found["baselines"]["mean"]["by_subject"]["pcc"]["value"] is None
    assert found["baselines"]["mean"]["by_subject"]["pcc"]["undefined_subjects"] == 4


def test_seeds_are_averaged_and_given_one_by_one(write):
    parts = [fold(number, "ab" if number else "cd", seed) for number in (0, 1) for seed in (1, 2)]
    found = summarise(gather(write(*parts), LABEL), LABEL, 200, 0.95)
    each = [found["per_seed"][seed]["pooled"]["pcc"]["value"] for seed in ("1", "2")]
    assert each[0] != each[1]
    assert found["pooled"]["pcc"]["value"] == pytest.approx(np.mean(each))
    assert found["frames"] == 80
    assert found["seeds"] == [1, 2]


def test_the_order_of_files_and_rows_changes_nothing(write):
    parts = [fold(0, "abc"), fold(1, "de")]
    first = summarise(gather(write(*parts), LABEL), LABEL, 200, 0.95)
    shuffled = [part.sample(fraction=1, shuffle=True, seed=3) for part in reversed(parts)]
    second = summarise(gather(write(*shuffled), LABEL), LABEL, 200, 0.95)
    assert json.dumps(first) == json.dumps(second)


def test_always_zero_means_the_lowest_label_where_zero_is_none(write):
    label = Label("level", 1.0, 5.0, "")
    part = fold(0, "abc").with_columns(label=pl.col("label") + 1)
    found = summarise(gather(write(part), label), label, 200, 0.95)
    zero = found["baselines"]["zero"]["pooled"]["mae"]["value"]
    assert zero == pytest.approx((part["label"] - 1).mean())


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        ([], DataError, "no predictions given"),
        ([fold(0, "ab").drop("mean_label")], DataError, "columns mean_label are missing"),
        ([fold(0, "ab", prediction=[None] * 40)], DataError, "40 of 40 rows have no prediction"),
        ([fold(0, "ab", prediction=[np.nan] * 40)], WorkError, "training diverged"),
        ([fold(0, "ab", label=[17.0] * 40)], DataError, "label 17 .* outside pspi 0–16"),
        ([fold(0, "ab", label=[np.nan] * 40)], DataError, "outside pspi"),
        ([fold(0, "ab", prediction=["?"] * 40)], DataError, "train the fold again"),
        ([fold(0, "ab"), fold(0, "ab")], WorkError, "more than once by one seed.*frame a/one"),
        ([fold(0, "ab"), fold(1, "bc", frames=30)], WorkError, r"more than once .*folds 0, 1"),
        ([fold(0, "ab"), fold(1, "bc", 2)], LeakError, r"'b' is held out in folds \[0, 1\]"),
        ([fold(0, "ab"), fold(0, "ab", 2, 19)], WorkError, r"not predicted by every seed.*seed 2"),
        (
            [fold(0, "ab"), fold(0, "ab", 2, label=[1.0] * 40)],
            WorkError,
            "another label under another seed",
        ),
        ([fold(0, "ab").head(0)], DataError, "hold no frame"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_a_reason(write, parts, error, words):
    with pytest.raises(error, match=words):
        gather(write(*parts), LABEL)


def test_a_subject_split_over_folds_is_refused_even_with_other_frames(write):
    halves = [fold(0, "a").head(10), fold(1, "a").tail(10)]
    with pytest.raises(LeakError):
        gather(write(*halves), LABEL)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="no such table"):
        gather([tmp_path / "predictions.parquet"], LABEL)


def test_paired_differences_are_narrower_than_unpaired_ones(write):
    rows = gather(write(fold(0, "abcdef")), LABEL)
    better = rows.with_columns(prediction=(pl.col("prediction") + 2 * pl.col("label")) / 3)
    found = compare(better, rows, LABEL, 400, 0.95)
    one, other = (summarise(each, LABEL, 400, 0.95)["pooled"] for each in (better, rows))
    for name in ("mae", "rmse"):
        entry = found["pooled"][name]
        assert entry["value"] == pytest.approx(one[name]["value"] - other[name]["value"])
        assert entry["high"] < 0
        assert entry["high"] - entry["low"] < other[name]["high"] - other[name]["low"]
    same = compare(rows, rows, LABEL, 200, 0.95)["pooled"]["pcc"]
    assert (same["value"], same["low"], same["high"]) == (0, 0, 0)


def test_experiments_on_other_frames_are_not_compared(write):
    rows = gather(write(fold(0, "abc")), LABEL)
    with pytest.raises(DataError, match="share 59 labelled frames of 59 and 60"):
        compare(rows.tail(59), rows, LABEL, 200, 0.95)


def test_each_subject_has_its_row(write):
    rows = gather(write(fold(0, "abc")), LABEL)
    found = subject_table(rows, LABEL)
    assert found["subject"].to_list() == ["a", "b", "c"]
    assert found["frames"].to_list() == [20, 20, 20]
    part = rows.filter(pl.col("subject") == "b")
    expected = metrics.mae(part["prediction"].clip(0, 16), part["label"])
    assert found["mae"][1] == pytest.approx(expected)
