"""Things before a rendered face: what they hide is known."""

import numpy as np
import pytest

from aacsfnet.landmark_sets import FACE_PARTS
from aacsfnet.rendering.occluders import OCCLUDERS, occlude, seen_shares
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Pose, render


@pytest.fixture(scope="module")
def made():
    return render(Person.from_seed(31), {}, Pose(yaw=12, face_height=0.6), size=192)


def shares_of(made, kind: str, seeds: int = 12) -> list[dict[str, float]]:
    drawn = (
        occlude(made.picture, made.landmarks_px, kind, np.random.default_rng(seed))
        for seed in range(seeds)
    )
    return [seen_shares(each.hides, made.landmarks_px) for each in drawn]


@pytest.mark.parametrize("kind", OCCLUDERS)
def test_the_picture_changes_where_something_is_hidden_and_nowhere_far_from_it(made, kind):
    drawn = occlude(made.picture, made.landmarks_px, kind, np.random.default_rng(2))
    assert drawn.picture.shape == made.picture.shape
    assert drawn.picture.dtype == np.uint8
    assert 0 <= drawn.hides.min() <= drawn.hides.max() <= 1
    changed = (drawn.picture != made.picture).any(axis=2)
    assert changed[drawn.hides > 0.5].mean() > 0.9
    assert changed.mean() < 0.9
    again = occlude(made.picture, made.landmarks_px, kind, np.random.default_rng(2))
    np.testing.assert_array_equal(again.picture, drawn.picture)


def test_a_bare_face_is_seen_and_a_part_outside_the_picture_is_not(made):
    nothing = np.zeros(made.picture.shape[:2], np.float32)
    assert seen_shares(nothing, made.landmarks_px) == dict.fromkeys(FACE_PARTS, 1.0)
    away = seen_shares(nothing, made.landmarks_px - (400, 0, 0))
    assert away == dict.fromkeys(FACE_PARTS, 0.0)


@pytest.mark.parametrize(
    ("kind", "hidden", "seen"),
    [
        ("sunglasses", ("right_eye", "left_eye"), ("mouth",)),
        ("mask", ("mouth",), ("right_brow", "left_brow")),
        ("scarf", ("mouth",), ("right_brow", "left_brow")),
        ("spectacles", (), ("right_eye", "left_eye", "mouth")),
    ],
)
def test_what_each_thing_hides(made, kind, hidden, seen):
    for shares in shares_of(made, kind):
        assert all(shares[part] < 0.3 for part in hidden)
        assert all(shares[part] > 0.7 for part in seen)


def test_hands_and_hair_hide_something_of_the_face(made):
    for kind in ("hand", "hair"):
        least = [min(shares.values()) for shares in shares_of(made, kind)]
        assert np.mean(np.array(least) < 0.5) > 0.7
