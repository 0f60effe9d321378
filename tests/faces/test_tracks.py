"""Numbers of people, checked on boxes moved by hand."""

import numpy as np

from aacsfnet.faces.tracks import Tracks


def box(x, y=0.0, side=100.0):
    return np.array([x, y, x + side, y + side], float)


def test_each_keeps_the_number_whatever_the_order_of_the_faces():
    tracks = Tracks()
    assert tracks.assign(0, [box(0), box(300)]) == [0, 1]
    for at in range(1, 50):
        left, right = box(3 * at), box(300 + 3 * at)
        assert tracks.assign(at, [right, left]) == [1, 0]


def test_one_who_is_lost_for_a_moment_comes_back_under_the_number():
    tracks = Tracks()
    tracks.assign(0, [box(0), box(300)])
    for at in range(1, 20):
        assert tracks.assign(at, [box(0)]) == [0]
    assert tracks.assign(20, [box(310), box(0)]) == [1, 0]


def test_one_who_is_lost_for_long_begins_anew():
    tracks = Tracks()
    tracks.assign(0, [box(0)])
    for at in range(1, 40):
        assert tracks.assign(at, []) == []
    assert tracks.assign(40, [box(0)]) == [1]


def test_a_newcomer_has_a_number_of_its_own():
    tracks = Tracks()
    assert tracks.assign(0, [box(0)]) == [0]
    assert tracks.assign(1, [box(400), box(2)]) == [1, 0]


def test_two_who_cannot_be_told_apart_both_begin_anew():
    tracks = Tracks()
    tracks.assign(0, [box(0), box(40)])
    numbers = tracks.assign(1, [box(20)])
    assert numbers == [2]


def test_no_number_passes_from_one_person_to_another_when_they_cross():
    """They walk through each other; while they overlap only the one in front is seen."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        speed, side = rng.uniform(1, 12), rng.uniform(60, 140)
        tracks, owner = Tracks(), {}
        for at in range(int(600 / speed)):
            places = {"front": speed * at, "back": 600 - speed * at}
            hidden = abs(places["front"] - places["back"]) < side
            seen = ["front"] if hidden else ["front", "back"]
            boxes = [box(places[who] + rng.normal(0, 1.5), side=side) for who in seen]
            for who, number in zip(seen, tracks.assign(at, boxes), strict=True):
                assert owner.setdefault(number, who) == who
        assert len(owner) <= 4
