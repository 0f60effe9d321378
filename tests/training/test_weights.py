import numpy as np
import pytest

from aacsfnet.training.weights import density, draw_weights, loss_weights, phase_weights

LABELS = np.repeat([0.0, 1.0, 8.0], [80, 15, 5])
SUBJECTS = np.array(["a"] * 60 + ["b"] * 40)
SYNTHETIC = np.arange(100) % 4 == 0
RANGE = {"low": 0.0, "high": 16.0}


def test_density_is_the_smoothed_share_of_labels_near():
    found = density(LABELS, 0.0, 16.0)
    assert found[0] == pytest.approx((0.25 * 80 + 0.5 * 80 + 0.25 * 15) / 100)  # the edge repeats
    assert found[-1] == pytest.approx(0.5 * 5 / 100)


def test_loss_weights_are_even_unless_asked():
    plain = loss_weights(LABELS, SYNTHETIC, **RANGE, rarity=0.0, synthetic_weight=1.0)
    np.testing.assert_allclose(plain, 1.0)


def test_full_rarity_weighs_by_the_inverse_density():
    found = loss_weights(LABELS, SYNTHETIC, **RANGE, rarity=1.0, synthetic_weight=1.0)
    assert found.mean() == pytest.approx(1.0)
    shares = density(LABELS, 0.0, 16.0)
    assert found[-1] / found[0] == pytest.approx(shares[0] / shares[-1])


def test_generated_pictures_count_as_told():
    found = loss_weights(LABELS, SYNTHETIC, **RANGE, rarity=0.0, synthetic_weight=0.25)
    assert found[0] / found[1] == pytest.approx(0.25)
    assert found.mean() == pytest.approx(1.0)


def test_subjects_are_shown_evenly():
    found = draw_weights(LABELS, SUBJECTS, SYNTHETIC, **RANGE, balance=("subjects",))
    assert found[:60].sum() == pytest.approx(found[60:].sum())
    assert np.ptp(found[:60]) == pytest.approx(0.0)


def test_subjects_and_levels_together_still_show_subjects_evenly():
    found = draw_weights(LABELS, SUBJECTS, SYNTHETIC, **RANGE, balance=("levels", "subjects"))
    assert found[:60].sum() == pytest.approx(found[60:].sum())
    assert found[-1] > found[60]


def test_rare_levels_are_shown_more_often():
    found = draw_weights(LABELS, SUBJECTS, SYNTHETIC, **RANGE, balance=("levels",))
    shares = density(LABELS, 0.0, 16.0)
    assert found[-1] / found[0] == pytest.approx((shares[0] / shares[-1]) ** 0.5)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_share_of_generated_pictures_is_the_one_asked(share):
    found = draw_weights(LABELS, SUBJECTS, SYNTHETIC, **RANGE, synthetic_share=share)
    assert found[SYNTHETIC].sum() / found.sum() == pytest.approx(share)


def test_a_share_means_nothing_where_all_are_of_one_kind():
    none = np.zeros(100, bool)
    found = draw_weights(LABELS, SUBJECTS, none, **RANGE, synthetic_share=0.5)
    np.testing.assert_allclose(found, 1.0)


def test_pretraining_shows_generated_pictures_then_real_ones():
    weights = np.arange(1.0, 101.0)
    for epoch, shown in ((0, SYNTHETIC), (1, SYNTHETIC), (2, ~SYNTHETIC), (9, ~SYNTHETIC)):
        found = phase_weights(weights, SYNTHETIC, epoch, pretraining_epochs=2)
        np.testing.assert_array_equal(found, np.where(shown, weights, 0.0))


def test_without_a_schedule_all_are_shown():
    weights = np.ones(100)
    np.testing.assert_array_equal(phase_weights(weights, SYNTHETIC, 0, 0), weights)
    np.testing.assert_array_equal(phase_weights(weights, np.zeros(100, bool), 0, 3), weights)
