import numpy as np
import pytest

from aacsfnet.faces.detection import Face, FaceFinder, choose, distinct


def face(x: float, y: float, side: float, score: float = 0.9) -> Face:
    return Face(score, np.array([x, y, side, side]), np.zeros((6, 2)))


SMALL_IN_THE_MIDDLE, LARGE_AT_THE_EDGE = np.array([100, 100, 20, 0]), np.array([30, 30, 60, 0])
BOTH = [SMALL_IN_THE_MIDDLE, LARGE_AT_THE_EDGE]


def test_policies_for_several_people() -> None:
    assert choose(BOTH, "largest", (200, 200)) == 1
    assert choose(BOTH, "central", (200, 200)) == 0
    assert choose(BOTH, "refuse", (200, 200)) is None
    for policy in ("largest", "central", "refuse"):
        assert choose(BOTH[:1], policy, (200, 200)) == 0


def test_boxes_on_one_face_are_one_face_and_the_surest_stays() -> None:
    unsure, sure, other = face(10, 10, 50, 0.6), face(14, 12, 50, 0.9), face(100, 10, 50, 0.7)
    assert distinct([unsure, sure, other]) == [sure, other]
    assert distinct([]) == []


@pytest.fixture(scope="module")
def finder():
    with FaceFinder(0.5, 32) as made:
        yield made


def test_every_level_reports_places_in_the_picture(finder, photograph) -> None:
    """Whatever square a detector saw, the eyes come back where they are."""
    wide = np.full((700, 1400, 3), 110, np.uint8)
    wide[100:612, 500:1012] = photograph
    eyes = np.array([[702, 202], [744, 205]])
    levels = list(finder.searches(wide))
    assert len(levels) > 4
    found = [level.faces for level in levels if level.faces]
    assert len(found) >= 3
    for level in found:
        seen = max(level, key=lambda face: face.score)
        # The coarsest square has 22 of the picture's pixels to one of its own.
        assert np.abs(seen.points_xy[:2] - eyes).max() < 22


def test_a_closer_look_rights_a_face_on_its_head(finder, photograph) -> None:
    flipped = np.ascontiguousarray(photograph[::-1, ::-1])
    first = next(level.faces for level in finder.searches(flipped) if level.faces)[0]
    closer = finder.closer(flipped, first)
    assert closer is not None
    assert closer.score > 0.85
    assert abs(abs(np.degrees(closer.tilt)) - 180) < 15
    assert np.abs(closer.points_xy[0] - (511 - 202, 511 - 102)).max() < 9


def test_a_closer_look_at_nothing_finds_nothing(finder) -> None:
    grey = np.full((300, 300, 3), 128, np.uint8)
    assert finder.closer(grey, face(100, 100, 80, 0.6)) is None


@pytest.mark.parametrize("shape", [(8, 160), (160, 8), (9, 9), (3000, 150)])
def test_odd_shapes_are_searched_too(finder, shape: tuple[int, int]) -> None:
    assert not any(level.faces for level in finder.searches(np.full((*shape, 3), 100, np.uint8)))
