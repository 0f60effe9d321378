"""What may be told of a face of which something is covered."""

import pytest

from aacsfnet.faces.geometry import MEASURES
from aacsfnet.faces.visibility import (
    RESTS_ON,
    SEEN_ON,
    covered,
    hidden_measures,
    hidden_units,
    visible_of,
)
from aacsfnet.facs import ACTION_UNITS
from aacsfnet.tables import REGIONS


def test_every_measure_and_unit_says_where_it_is_seen():
    assert RESTS_ON.keys() == MEASURES.keys()
    assert SEEN_ON.keys() == set(ACTION_UNITS)
    assert set().union(*RESTS_ON.values(), SEEN_ON.values()) == set(REGIONS)


def test_a_region_at_the_bound_counts_as_seen():
    assert covered({"mouth": 0.5, "eyes": 0.49}, 0.5) == ("eyes",)


def test_what_was_not_judged_is_not_covered():
    row = {f"visible_{region}": None for region in REGIONS}
    assert covered(visible_of(row), 1.0) == ()


@pytest.mark.parametrize(
    ("region", "measure", "unit"),
    [
        ("brows", "brow_distance", "au4"),
        ("eyes", "lid_opening_left", "au43"),
        ("nose", "nose_wrinkle", "au9"),
        ("mouth", "mouth_opening", "au10"),
    ],
)
def test_a_covered_region_hides_what_is_seen_on_it_and_nothing_else(region, measure, unit):
    assert measure in hidden_measures([region])
    assert unit in hidden_units([region])
    others = [each for each in REGIONS if each != region]
    assert unit not in hidden_units(others)
    assert {"mouth_width", "brow_distance"} - hidden_measures([region])
