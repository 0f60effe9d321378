from collections import Counter

import numpy as np
import pytest

from aacsfnet.augmentation.plan import levels
from aacsfnet.augmentation.prompts.stage import variants_of
from aacsfnet.config import validate
from aacsfnet.datasets import Label

PSPI = Label("pspi", 0.0, 16.0, "")


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


def faces(label, count):
    return [{"frame_id": f"s1/a/{number:04d}", "label": label} for number in range(count)]


def test_the_neutral_share_is_kept_and_always_the_same_frames():
    config = validate({"prompts": {"neutral_share": 0.2, "variants": 3}})
    numbers = [variants_of(face, config, PSPI, Counter({0: 500})) for face in faces(0.0, 500)]
    assert set(numbers) == {0, 3}
    assert 70 <= numbers.count(3) <= 130  # 100 expected, standard deviation 9
    again = [variants_of(face, config, PSPI, Counter({0: 500})) for face in faces(0.0, 500)]
    assert again == numbers
    other_seed = validate({"seed": 2, "prompts": {"neutral_share": 0.2, "variants": 3}})
    assert [variants_of(f, other_seed, PSPI, Counter()) for f in faces(0.0, 500)] != numbers


def test_rare_levels_get_more_when_balanced():
    config = validate({"prompts": {"balance": 1.0, "max_variants": 4}})
    frames = Counter({0: 900, 1: 80, 5: 32})
    common = [variants_of(face, config, PSPI, frames) for face in faces(1.0, 80)]
    rare = [variants_of(face, config, PSPI, frames) for face in faces(10.0, 32)]
    assert set(common) == {1}
    assert 70 <= sum(rare) <= 90  # 80 expected
