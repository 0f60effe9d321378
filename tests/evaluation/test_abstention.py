"""When not to trust a score."""

import numpy as np
import pytest

from aacsfnet.evaluation.abstention import SIGNS, Bounds, doubt, fit, reasons

PEOPLE = np.repeat(np.arange(20), 50)


def signs(rng, count=1000):
    return {
        "yaw": rng.normal(0, 12, count),
        "pitch": rng.normal(5, 8, count),
        "detail": np.exp(rng.normal(-0.5, 0.2, count)),
        "sharpness": np.exp(rng.normal(-3, 0.3, count)),
        "distance": rng.gamma(9, 0.1, count),
    }


def test_each_reason_takes_the_share_of_new_frames_that_it_may():
    rng = np.random.default_rng(0)
    bounds = fit(signs(rng), PEOPLE, 0.02)
    beyond = {name: (each > 1).mean() for name, each in bounds.doubts(signs(rng, 50_000)).items()}
    assert beyond == pytest.approx(dict.fromkeys(beyond, 0.02), abs=0.012)
    assert len(beyond) == 5


def test_a_bound_is_where_doubt_is_1_and_the_median_where_it_is_0():
    bounds = fit(signs(np.random.default_rng(1)), PEOPLE, 0.01)
    for name in SIGNS:
        for side in (bounds.low, bounds.high):
            if name in side:
                at = np.array([bounds.usual[name], side[name]])
                assert bounds.doubts({name: at})[name] == pytest.approx([0, 1])


@pytest.mark.parametrize(
    ("name", "held_out", "never", "beyond"),
    [
        ("yaw", 1.0, 9.5, 10.5),  # all looked straight ahead
        ("pitch", -2.0, 9.5, -12.0),
        ("detail", 4.0, 1.2, 0.8),  # a smaller face loses nothing until it is enlarged
    ],
)
def test_what_does_no_harm_is_no_reason(name, held_out, never, beyond):
    found = fit({name: np.full(1000, held_out)}, PEOPLE, 0.01)
    doubts = found.doubts({name: np.array([never, beyond])})[name]
    assert doubts[0] < 1 < doubts[1]


def test_people_weigh_the_same():
    """One person in 20, with 20 times the frames, holds the head far to the side."""
    people = np.concatenate([PEOPLE, np.full(1000, 20)])
    yaw = np.concatenate([np.random.default_rng(2).normal(0, 10, 1000), np.full(1000, 60.0)])
    assert fit({"yaw": yaw}, people, 0.2).high["yaw"] < 30
    assert fit({"yaw": yaw}, people, 0.01).high["yaw"] == 60


def test_what_is_unknown_is_no_reason():
    bounds = fit(signs(np.random.default_rng(3)), PEOPLE, 0.01)
    doubts = bounds.doubts({"yaw": np.array([np.nan, 90.0]), "detail": np.array([np.nan, np.nan])})
    assert reasons(doubts, 2) == ["", "head turned"]
    assert doubt(doubts, 2)[0] == 0
    assert "yaw" not in fit({"yaw": np.full(1000, np.nan)}, PEOPLE, 0.01).usual


def test_the_weightiest_reason_comes_first():
    bounds = fit(signs(np.random.default_rng(4)), PEOPLE, 0.01)
    worse = {"yaw": np.array([bounds.high["yaw"] * 1.2]), "sharpness": np.array([1e-5])}
    assert reasons(bounds.doubts(worse), 1) == ["face blurred; head turned"]


def test_what_is_stored_is_read_again():
    bounds = fit(signs(np.random.default_rng(5)), PEOPLE, 0.01)
    assert Bounds.read(bounds.stored()) == bounds
