"""Each measure against an independent implementation, hand arithmetic, or its algebra."""

import math

import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from aacsfnet.errors import DataError
from aacsfnet.evaluation import metrics

AGREEMENT = (metrics.pcc, metrics.icc, metrics.ccc)
ERRORS = (metrics.mae, metrics.mse, metrics.rmse, metrics.macro_mae)

# Multiples of 1/8: sums of squares stay exact, so a property is not hidden by rounding.
values = st.integers(-160, 160).map(lambda number: number / 8)
pairs = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        arrays.arrays(np.float64, n, elements=values), arrays.arrays(np.float64, n, elements=values)
    )
)


def imbalanced(seed: int, n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.minimum(rng.geometric(0.7, n) - 1, 16).astype(float)
    return 0.4 * labels + rng.normal(0.8, 0.5, n), labels


def icc_by_anova(predictions: np.ndarray, labels: np.ndarray) -> float:
    """ICC(3,1) from the mean squares of a two-way layout: frames by raters."""
    ratings = np.stack([predictions, labels], axis=1)
    n, k = ratings.shape
    grand = ratings.mean()
    between = k * np.square(ratings.mean(axis=1) - grand).sum() / (n - 1)
    rows, columns = ratings.mean(axis=1, keepdims=True), ratings.mean(axis=0, keepdims=True)
    residual = np.square(ratings - rows - columns + grand).sum() / ((n - 1) * (k - 1))
    return float((between - residual) / (between + (k - 1) * residual))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_errors_against_sklearn(seed):
    got, expected = imbalanced(seed)
    assert metrics.mae(got, expected) == pytest.approx(
        sklearn.metrics.mean_absolute_error(expected, got)
    )
    assert metrics.mse(got, expected) == pytest.approx(
        sklearn.metrics.mean_squared_error(expected, got)
    )
    assert metrics.rmse(got, expected) == pytest.approx(
        sklearn.metrics.root_mean_squared_error(expected, got)
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_agreement_against_scipy_and_anova(seed):
    got, expected = imbalanced(seed)
    assert metrics.pcc(got, expected) == pytest.approx(scipy.stats.pearsonr(got, expected)[0])
    assert metrics.icc(got, expected) == pytest.approx(icc_by_anova(got, expected))


def test_icc_by_hand():
    # Shrout and Fleiss 1979, table 2: six targets; judges 1 and 4 alone.
    first, fourth = [9, 6, 8, 7, 10, 6], [8, 2, 6, 6, 9, 7]
    # ΣpΣy/n = 46*38/6, Sxx = 366-46²/6, Syy = 270-38²/6, Sxy = 306-46*38/6
    sxx, syy, sxy = 366 - 46**2 / 6, 270 - 38**2 / 6, 306 - 46 * 38 / 6
    assert metrics.icc(first, fourth) == pytest.approx(2 * sxy / (sxx + syy))


def test_ccc_by_hand():
    # var 2/3 each, cov 2/3, means 1 apart: 2*2/3 / (4/3 + 1)
    assert metrics.ccc([1, 2, 3], [2, 3, 4]) == pytest.approx(4 / 7)


def test_unbc_histogram_gives_the_known_baselines():
    # PSPI 0..15 of the UNBC-McMaster archive; always-0 and the mean, as everybody can compute them.
    counts = [40029, 2909, 2351, 1412, 802, 242, 270, 53, 79, 32, 67, 76, 48, 22, 1, 5]
    labels = np.repeat(np.arange(16.0), counts)
    assert len(labels) == 48398
    zero = np.zeros_like(labels)
    assert metrics.mae(zero, labels) == pytest.approx(0.447, abs=5e-4)
    assert metrics.mse(zero, labels) == pytest.approx(1.895, abs=5e-4)
    mean = np.full_like(labels, labels.mean())
    assert metrics.mse(mean, labels) == pytest.approx(1.695, abs=5e-4)
    assert math.isnan(metrics.pcc(mean, labels))
    assert metrics.icc(mean, labels) == 0


@pytest.mark.parametrize("function", AGREEMENT)
def test_agreement_is_undefined_not_zero(function):
    assert math.isnan(function([], []))
    assert math.isnan(function([1.0], [1.0]))
    assert math.isnan(function([2.0, 2.0, 2.0], [2.0, 2.0, 2.0]))


def test_correlation_with_a_constant_is_undefined_whatever_rounding_does():
    constant = np.full(7, 0.1)  # its mean is not exactly 0.1
    varying = np.arange(7.0)
    assert math.isnan(metrics.pcc(constant, varying))
    assert math.isnan(metrics.pcc(varying, constant))
    assert metrics.icc(constant, varying) == 0


def test_tiny_spreads_are_no_constants():
    small = np.array([0.0, 1e-160, 2e-160])
    # Its variance is so near to the smallest number there is that few digits are left of it.
    assert metrics.pcc(small, [0.0, 1.0, 2.0]) == pytest.approx(1, abs=1e-3)
    assert metrics.pcc(small * 1e60, [0.0, 1.0, 2.0]) == pytest.approx(1)


@pytest.mark.parametrize("function", ERRORS)
def test_errors_of_nothing_are_undefined(function):
    assert math.isnan(function([], []))


@pytest.mark.parametrize("function", AGREEMENT + ERRORS)
@pytest.mark.parametrize(
    ("got", "expected"),
    [((3,), (4,)), ((3, 1), (3, 1)), ((3,), (3, 1)), ((), ())],
)
def test_wrong_shapes_are_refused_with_both_printed(function, got, expected):
    with pytest.raises(DataError) as error:
        function(np.zeros(got), np.zeros(expected))
    assert str(got) in str(error.value)
    assert str(expected) in str(error.value)


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(DataError, match="1 of 2 predictions are not finite"):
        metrics.mae([np.nan, 1.0], [0.0, 0.0])


def test_a_torch_tensor_or_a_list_of_integers_will_do():
    assert metrics.mae(torch.tensor([1.0, 3.0]), [0, 0]) == 2


def test_levels_by_hand():
    got, labels = [1.0, 3.0, 2.0, 9.0], [0.0, 0.0, 4.0, 5.0]
    assert metrics.mae_by_level(got, labels) == {0.0: 2.0, 4.0: 2.0, 5.0: 4.0}
    assert metrics.macro_mae(got, labels) == pytest.approx(8 / 3)
    assert metrics.mae(got, labels) == pytest.approx(2.5)


def test_levels_of_fractions_and_of_short_ranges():
    assert metrics.level_of([0.49, 0.5, 15.9], 0, 16).tolist() == [0.0, 1.0, 16.0]
    assert metrics.level_of([-1.0, -0.81, 0.0], -1, 0).tolist() == [-1.0, -0.8, 0.0]


@given(pairs)
def test_agreement_is_symmetric_bounded_and_ordered(pair):
    got, expected = pair
    for function in AGREEMENT:
        value = function(got, expected)
        assert math.isnan(value) or -1 <= value <= 1
        np.testing.assert_allclose(value, function(expected, got), atol=1e-12)
    pcc, icc, ccc = (function(got, expected) for function in AGREEMENT)
    if not math.isnan(pcc):
        # Each counts one more way to differ, so it is nearer to 0.
        assert abs(ccc) <= abs(icc) + 1e-12 <= abs(pcc) + 2e-12


@given(pairs, values)
def test_what_each_measure_is_blind_to(pair, offset):
    got, expected = pair
    if np.ptp(got) == 0 or np.ptp(expected) == 0:
        return
    shifted = got + offset
    assert metrics.icc(shifted, expected) == pytest.approx(metrics.icc(got, expected), abs=1e-9)
    assert metrics.pcc(3 * shifted, expected) == pytest.approx(metrics.pcc(got, expected), abs=1e-9)
    assert metrics.pcc(-got, expected) == pytest.approx(-metrics.pcc(got, expected), abs=1e-9)


@given(pairs)
def test_errors_are_those_of_a_distance(pair):
    got, expected = pair
    assert metrics.mae(got, got) == 0
    assert metrics.mae(got, expected) <= metrics.rmse(got, expected) + 1e-9
    by_level = metrics.mae_by_level(got, expected)
    assert min(by_level.values()) - 1e-12 <= metrics.mae(got, expected)
    assert metrics.mae(got, expected) <= max(by_level.values()) + 1e-12
