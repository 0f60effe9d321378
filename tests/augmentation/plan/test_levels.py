from collections import Counter

import numpy as np
import pytest

from aacsfnet.augmentation.plan import levels


@pytest.mark.parametrize(("low", "high"), [(0, 16), (-4, 4), (0, 1)])
def test_levels_divide_the_range_evenly(low, high):
    labels = np.linspace(low, high, 161)
    counts = levels.frames_by_band(labels, low, high)
    assert counts[0] == 1
    assert [counts[level] for level in range(1, 9)] == [20] * 8


def test_full_balance_makes_levels_equal_up_to_the_limit():
    frames = Counter({0: 1000, 1: 60, 2: 20, 3: 2})
    pictures = {
        level: frames[level] * levels.expected_variants(level, frames, 1, 1.0, 10)
        for level in (1, 2, 3)
    }
    assert pictures == {1: 60, 2: 60, 3: 20}


def test_no_balance_gives_all_the_same():
    frames = Counter({1: 60, 2: 20, 3: 2})
    assert {levels.expected_variants(level, frames, 3, 0.0, 4) for level in (1, 2, 3)} == {3}


def test_drawn_numbers_average_what_is_expected():
    draws = (np.arange(1000) + 0.5) / 1000
    assert np.mean([levels.drawn(1.3, draw) for draw in draws]) == pytest.approx(1.3)
