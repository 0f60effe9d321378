"""Prediction intervals by subject."""

import numpy as np
import pytest

from aacsfnet.evaluation.conformal import Intervals, fit

LIMITS = (0.0, 16.0)


def world(rng, people, frames=12):
    """Scores, labels and names: people differ in bias, and errors grow with the score."""
    names = np.repeat(np.arange(people), frames)
    labels = np.clip(rng.gamma(0.8, 2.0, people * frames), *LIMITS)
    bias = rng.normal(0, 0.7, people)[names]
    scores = np.clip(0.8 * labels + 0.2 + bias + rng.normal(0, 0.3 + 0.2 * labels), *LIMITS)
    return scores, labels, names


@pytest.mark.parametrize("people", [12, 40])
def test_new_people_are_held_as_often_as_asked(people):
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        found = fit(*world(rng, people), 0.9, LIMITS)
        scores, labels, _ = world(rng, 20)
        low, high = found.bounds(scores)
        shares.append(((labels >= low) & (labels <= high)).mean())
    # The theory: at least what was asked, and at most two subjects' weight more.
    assert 0.895 < np.mean(shares) < 0.9 + 2 / (people + 1) + 0.005


def test_with_one_frame_a_person_it_is_the_textbook_quantile():
    rng = np.random.default_rng(1)
    residuals = rng.normal(0, 1, 19)
    scores = np.full(19, 8.0)
    found = fit(scores, scores + residuals, np.arange(19), 0.9, LIMITS)
    # At one score the lines are the mean residual of either sign.
    below, above = -residuals[residuals < 0].mean(), residuals[residuals > 0].mean()
    scale = np.where(residuals < 0, below, above)
    expected = np.sort(np.abs(residuals) / scale)[int(np.ceil(0.9 * 20)) - 1]
    assert found.quantile == pytest.approx(expected)
    low, high = found.bounds(np.array([8.0]))
    assert 8 - low[0] == pytest.approx(expected * below)
    assert high[0] - 8 == pytest.approx(expected * above)


@pytest.mark.parametrize(("people", "known"), [(0, False), (8, False), (9, True)])
def test_too_few_people_give_the_whole_range(people, known):
    found = fit(*world(np.random.default_rng(2), people), 0.9, LIMITS)
    assert (found.quantile is not None) == known
    if not known:
        low, high = found.bounds(np.array([3.0]))
        assert (low[0], high[0]) == LIMITS
    assert found.subjects == people


def test_people_weigh_the_same_however_many_frames_they_have():
    scores, labels, names = world(np.random.default_rng(3), 15)
    often = np.concatenate([np.arange(len(names)), *[np.flatnonzero(names == 4)] * 5])
    first, second = (
        fit(scores[rows], labels[rows], names[rows], 0.9, LIMITS)
        for rows in (np.arange(len(names)), often)
    )
    assert second.quantile == pytest.approx(first.quantile)
    assert second.above == pytest.approx(first.above)


def test_ends_stay_in_the_range_and_round_the_score():
    found = fit(*world(np.random.default_rng(4), 30), 0.9, LIMITS)
    scores = np.linspace(*LIMITS, 50)
    low, high = found.bounds(scores)
    assert (low >= 0).all()
    assert (high <= 16).all()
    assert (low <= scores).all()
    assert (scores <= high).all()
    middle = (low > 0) & (high < 16)
    assert (np.diff((high - low)[middle]) >= 0).all()


def test_perfect_scores_have_narrow_intervals():
    labels = np.tile([0.0, 1.0, 5.0], 20)
    found = fit(labels, labels, np.repeat(np.arange(20), 3), 0.9, LIMITS)
    low, high = found.bounds(labels)
    np.testing.assert_allclose(high - low, 0, atol=0.05)


def test_what_is_stored_is_read_again():
    found = fit(*world(np.random.default_rng(5), 20), 0.9, LIMITS)
    assert Intervals.read(found.stored()) == found
