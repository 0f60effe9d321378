"""Times as tables write them."""

import pytest

from aacsfnet.datasets.numerals import Numerals
from aacsfnet.datasets.row_times import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("1.25", 1.25),
        ("1,25", 1.25),
        ("90:00", 5400.0),
        ("01:30.5", 90.5),
        ("1:00:00", 3600.0),
        ("00:00:01,500", 1.5),
        ("0:00:01.500000", 1.5),
        ("1.5 s", 1.5),
        ("500ms", 0.5),
        ("1 min", 60.0),
        ("-1", None),
        ("1:75", None),
        ("1:60:00", None),
        ("00:00:01:12", None),
        ("2024-05-01 10:00", None),
        ("1/2", None),
        ("inf", None),
        ("soon", None),
    ],
)
def test_times_are_read(text, seconds):
    assert seconds_of(text, 1.0, Numerals()) == seconds
