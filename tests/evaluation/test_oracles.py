"""Every figure against scikit-learn, SciPy and pingouin: random cases and degenerate ones."""

import itertools
import math
import warnings

import numpy as np
import pingouin
import polars as pl
import pytest
import scipy.stats
import sklearn.linear_model
import sklearn.metrics

from aacsfnet.evaluation import binary, metrics
from aacsfnet.evaluation.agreement import Errors, agreement_draws
from aacsfnet.evaluation.calibration import line_draws
from aacsfnet.evaluation.geometry_baseline import Ridge
from aacsfnet.evaluation.paired import holm, signed_rank
from aacsfnet.evaluation.statistics import sums_of

CASES = 1000
EXACT = {"abs": 1e-9, "rel": 1e-9, "nan_ok": True}


def case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and labels as they come: imbalanced, of any length, some with many ties."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    labels = np.minimum(rng.geometric(rng.uniform(0.3, 0.9), n) - 1, 16).astype(float)
    predictions = rng.uniform(-0.5, 1.5) * labels + rng.normal(0, rng.choice([0.01, 1, 5]), n)
    if seed % 3 == 0:
        predictions = np.round(predictions)
    if seed % 5 == 0:
        labels = labels + rng.choice([0.0, 1e4]) + rng.normal(0, 0.1, n)
    return predictions, labels


#: Nothing varies, one side does not, two values, opposite, equal, all of one kind, huge offsets.
DEGENERATE = [
    *itertools.product(
        (np.zeros(6), np.full(6, 0.1), np.arange(6.0), -np.arange(6.0), np.full(6, 1e6)),
        (np.zeros(6), np.full(6, 3.0), np.arange(6.0), np.array([0, 0, 0, 0, 0, 2.0])),
    ),
    (np.array([1.0]), np.array([2.0])),
    (np.array([1.0, 1.0]), np.array([2.0, 2.0])),
    (np.array([1.0, 2.0]), np.array([2.0, 2.0])),
    (1e6 + np.arange(6.0), 1e6 + np.array([0.0, 2, 1, 3, 5, 4])),
]
RANDOM = [case(seed) for seed in range(CASES)]
EVERY = [*RANDOM, *DEGENERATE]

#: All degenerate cases with some random ones, and with all 1,000.
pairs_of = pytest.mark.parametrize(
    "pairs",
    [
        pytest.param([*RANDOM[:60], *DEGENERATE], id="some"),
        pytest.param(EVERY, id="all", marks=pytest.mark.slow),
    ],
)


def is_constant(values: np.ndarray) -> bool:
    return bool((values == values[0]).all())


def test_errors_are_those_of_sklearn():
    for predictions, labels in EVERY:
        pair = (labels, predictions)
        assert metrics.mae(predictions, labels) == pytest.approx(
            sklearn.metrics.mean_absolute_error(*pair), **EXACT
        )
        assert metrics.mse(predictions, labels) == pytest.approx(
            sklearn.metrics.mean_squared_error(*pair), **EXACT
        )
        assert metrics.rmse(predictions, labels) == pytest.approx(
            sklearn.metrics.root_mean_squared_error(*pair), **EXACT
        )


def test_correlation_is_that_of_scipy_and_undefined_where_it_is():
    for predictions, labels in EVERY:
        if len(labels) < 2 or is_constant(predictions) or is_constant(labels):
            assert math.isnan(metrics.pcc(predictions, labels))
            continue
        expected = scipy.stats.pearsonr(predictions, labels).statistic
        assert metrics.pcc(predictions, labels) == pytest.approx(expected, **EXACT)


def by_pingouin(predictions: np.ndarray, labels: np.ndarray, kind: str) -> float:
    n = len(labels)
    table = pl.DataFrame(
        {
            "frame": np.tile(np.arange(n), 2),
            "rater": np.repeat(["network", "label"], n),
            "score": np.concatenate([predictions, labels]),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # F tests of perfect agreement divide by 0
        found = pingouin.intraclass_corr(table.to_pandas(), "frame", "rater", "score")
    found = found.set_index("Type")
    return float(found.loc[kind, "ICC"])


@pairs_of
def test_consistency_is_that_of_pingouin(pairs):
    compared = 0
    for predictions, labels in pairs:
        if len(labels) < 5:  # pingouin refuses fewer
            continue
        if is_constant(predictions) and is_constant(labels):
            assert math.isnan(metrics.icc(predictions, labels))
            continue
        # Consistency is blind to offsets, and pingouin loses digits to large ones.
        centred = predictions - predictions.mean(), labels - labels.mean()
        expected = by_pingouin(*centred, "ICC(C,1)")
        assert metrics.icc(predictions, labels) == pytest.approx(expected, **EXACT)
        compared += 1
    assert compared > 0.8 * len(pairs)


def test_concordance_by_lins_formula_from_scipys_moments():
    for predictions, labels in EVERY:
        equal = is_constant(np.concatenate([predictions, labels]))
        if len(labels) < 2 or equal:
            assert math.isnan(metrics.ccc(predictions, labels))
            continue
        covariance = np.cov(predictions, labels, bias=True)
        shift = scipy.stats.tmean(predictions) - scipy.stats.tmean(labels)
        expected = 2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + shift**2)
        assert metrics.ccc(predictions, labels) == pytest.approx(expected, **EXACT)


@pairs_of
def test_ranking_is_that_of_sklearn(pairs):
    both = 0
    for predictions, labels in pairs:
        for level in (1, 2, 3):
            positive = labels >= level
            if positive.all() or not positive.any():
                assert math.isnan(binary.auroc(predictions, positive))
            else:
                both += 1
                expected = sklearn.metrics.roc_auc_score(positive, predictions)
                assert binary.auroc(predictions, positive) == pytest.approx(expected, **EXACT)
            if not positive.any():
                assert math.isnan(binary.average_precision(predictions, positive))
                continue
            expected = sklearn.metrics.average_precision_score(positive, predictions)
            found = binary.average_precision(predictions, positive)
            assert found == pytest.approx(expected, **EXACT)
    assert both > len(pairs)


@pairs_of
def test_f1_is_that_of_sklearn_and_its_best_cut_off_that_of_all_tried(pairs):
    for predictions, labels in pairs:
        for level in (1, 2, 3):
            positive = labels >= level
            said = predictions >= level
            expected = sklearn.metrics.f1_score(positive, said, zero_division=np.nan)
            assert binary.f1(predictions, positive, level) == pytest.approx(expected, **EXACT)
            if not positive.any():
                assert math.isnan(binary.best_cut_off(predictions, positive))
                continue
            best = binary.best_cut_off(predictions, positive)
            tried = [
                2 * (positive & (predictions >= cut)).sum()
                / (positive.sum() + (predictions >= cut).sum())
                for cut in np.unique(predictions)
            ]  # fmt: skip
            found = binary.f1(predictions, positive, best)
            assert found == pytest.approx(max(tried), **EXACT)
            assert found == pytest.approx(
                sklearn.metrics.f1_score(positive, predictions >= best), **EXACT
            )


def weighted(seed: int):
    """Scores of several people, and how often each is drawn."""
    rng = np.random.default_rng(seed)
    codes = np.sort(rng.integers(0, 5, 60))
    positive = rng.random(60) < 0.3
    scores = np.round(positive + rng.normal(0, 1, 60), seed % 2)
    weights = rng.multinomial(5, np.full(5, 0.2), size=6).astype(float)
    return scores, positive, codes, weights


def test_resampled_ranking_is_that_of_the_resampled_frames(monkeypatch):
    monkeypatch.setattr(binary, "_BLOCK", 130)  # two rows of weights at a time
    for seed in range(60):
        scores, positive, codes, weights = weighted(seed)
        found = binary.ranking_draws(scores, positive, codes, weights)
        for row, drawn in enumerate(weights):
            times = drawn[codes]
            if len(set(positive[times > 0])) < 2:
                assert math.isnan(found["auroc"][row])
                continue
            expected = sklearn.metrics.roc_auc_score(positive, scores, sample_weight=times)
            assert found["auroc"][row] == pytest.approx(expected, **EXACT)
            expected = sklearn.metrics.average_precision_score(
                positive, scores, sample_weight=times
            )
            assert found["auprc"][row] == pytest.approx(expected, **EXACT)


def test_the_limits_of_agreement_and_the_error_within_people():
    once = np.ones((1, 4))
    for seed in range(200):
        rng = np.random.default_rng(seed)
        codes = np.sort(np.concatenate([np.arange(4), np.arange(4), rng.integers(0, 4, 20)]))
        errors = rng.normal(0, 1, 4)[codes] + rng.normal(0, 1, len(codes)) + rng.choice([0, 1e3])
        found = {
            name: values[0]
            for name, values in agreement_draws(Errors.of(errors, codes, 4), once).items()
        }
        assert found["bias"] == pytest.approx(scipy.stats.tmean(errors), **EXACT)
        assert found["sd"] == pytest.approx(scipy.stats.tstd(errors), **EXACT)
        assert found["upper"] - found["lower"] == pytest.approx(2 * 1.96 * found["sd"], **EXACT)
        table = pl.DataFrame({"error": errors, "person": codes}).to_pandas()
        anova = pingouin.anova(table, dv="error", between="person", detailed=True)
        within = math.sqrt(anova.set_index("Source").loc["Within", "MS"])
        assert found["sem"] == pytest.approx(within, **EXACT)
        assert found["mdc"] == pytest.approx(1.96 * math.sqrt(2) * within, **EXACT)


@pytest.mark.parametrize(
    ("errors", "codes", "sd", "sem"),
    [
        ([0.5], [0], math.nan, math.nan),  # one frame has no spread
        ([0.1, 0.1, 0.1], [0, 0, 0], 0.0, 0.0),
        ([1.0, 3.0], [0, 1], math.sqrt(2), math.nan),  # one frame a person: none within
        ([1.0, 1.0, 3.0, 3.0], [0, 0, 1, 1], math.sqrt(4 / 3), 0.0),
    ],
)
def test_degenerate_agreement(errors, codes, sd, sem):
    of_people = Errors.of(np.array(errors), np.array(codes), 2)
    found = agreement_draws(of_people, np.ones((1, 2)))
    assert found["sd"][0] == pytest.approx(sd, **EXACT)
    assert found["sem"][0] == pytest.approx(sem, **EXACT)


def test_the_line_of_calibration_is_that_of_scipy():
    for predictions, labels in EVERY:
        levels = np.zeros(len(labels), np.int64)
        sums = sums_of(predictions, labels, levels, levels, (1, 1))
        found = {name: values[0] for name, values in line_draws(sums, np.ones((1, 1))).items()}
        if is_constant(predictions):
            assert math.isnan(found["slope"])
            assert math.isnan(found["intercept"])
            continue
        expected = scipy.stats.linregress(predictions, labels)
        assert found["slope"] == pytest.approx(expected.slope, **EXACT)
        assert found["intercept"] == pytest.approx(expected.intercept, **EXACT)


@pytest.mark.parametrize("count", [100, pytest.param(CASES, marks=pytest.mark.slow)])
def test_signed_ranks_are_those_of_scipy_and_pingouin(count):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        differences = rng.normal(0.2, 1, int(rng.integers(1, 80)))
        if seed % 2:
            differences = np.round(differences, 1)  # ties and zeros
        moved = differences[differences != 0]
        if not moved.size:
            assert math.isnan(signed_rank(differences))
            continue
        expected = scipy.stats.wilcoxon(moved, correction=True).pvalue
        assert signed_rank(np.append(differences, np.nan)) == pytest.approx(expected, **EXACT)
        if seed < 200 and moved.size == differences.size:
            found = pingouin.wilcoxon(differences)["p_val"].iloc[0]
            assert signed_rank(differences) == pytest.approx(found, **EXACT)
    assert math.isnan(signed_rank([]))
    assert math.isnan(signed_rank([0.0, 0.0]))


def test_holm_is_that_of_pingouin():
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        p_values = rng.random(int(rng.integers(1, 12))) ** 3
        if seed % 4 == 0:
            p_values[0] = p_values[-1]
        if seed % 5 == 0:
            p_values = np.append(p_values, np.nan)
        _, expected = pingouin.multicomp(p_values, method="holm")
        assert holm(p_values.tolist()) == pytest.approx(expected.tolist(), **EXACT)
    assert holm([]) == []


def test_the_ridge_is_that_of_sklearn():
    for seed in range(200):
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(40, 6)) * rng.uniform(0.1, 10, 6)
        features[:, 5] = features[:, 0] + features[:, 1]  # measures depend on each other
        if seed % 2:
            features[:, 2] = 0.3  # one that does not vary
        labels = features[:, 0] + rng.normal(0, 1, 40)
        penalty = 10.0 ** rng.integers(-1, 3)
        standard = (features - features.mean(0)) / np.where(
            features.std(0) > 1e-9, features.std(0), 1.0
        )
        expected = sklearn.linear_model.Ridge(alpha=penalty).fit(standard, labels)
        found = Ridge.fit(features, labels, penalty).predict(features)
        np.testing.assert_allclose(found, expected.predict(standard), atol=1e-9)
