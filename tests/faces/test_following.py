"""Faces followed from frame to frame: when a newcomer, a loss and a cover are noticed."""

import threading

import numpy as np
import pytest

from aacsfnet.config import Crop
from aacsfnet.faces import following, locate
from aacsfnet.faces.crop import REDETECT
from aacsfnet.faces.following import FilmLocator
from aacsfnet.faces.locate import FaceLocator
from aacsfnet.faces.visibility import Visible
from aacsfnet.rendering.occluders import occlude
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Pose, render
from aacsfnet.tables import Fault


@pytest.fixture(scope="module")
def followed():
    with FilmLocator(Crop(mode="video"), everyone=True) as made:
        yield made


@pytest.fixture(scope="module")
def twins(photograph):
    """The photograph beside itself: two faces of a fifth of the picture's width."""
    return np.hstack([photograph[:300, 90:370]] * 2)


def test_a_newcomer_is_noticed_at_the_next_glance(followed, twins):
    alone = twins.copy()
    alone[:, 280:] = 120
    film = [alone if at < 3 else twins for at in range(REDETECT + 1)]
    counts = [len(each.found) for each in followed.sought(film)]
    assert counts == [1] * REDETECT + [2]


def test_a_cover_is_told_two_frames_late_at_most(followed):
    made = render(Person.from_seed(52), {}, Pose(face_height=0.6), size=224)
    masked = occlude(made.picture, made.landmarks_px, "mask", np.random.default_rng(5)).picture
    film = [made.picture, masked, masked, masked]
    seen = [each.found[0].visible.regions["mouth"] for each in followed.sought(film)]
    assert seen[0] > 0.9
    assert seen[3] < 0.5


@pytest.mark.parametrize("unseen", [(), (3,), (2, 3, 4), (4, 7), (8,)])
def test_frames_are_found_as_one_after_the_other(followed, locator, twins, monkeypatch, unseen):
    """Of a face that is followed is looked at beside how much is seen; here first."""

    def look_at(picture, points):
        return Visible(np.full(6, 0.0 if picture[0, 0, 0] == 7 else points[0, 0] / 1000))

    for module in (following, locate):
        monkeypatch.setattr(module, "look_at", look_at)
    film = [np.roll(twins, 2 * at, axis=1) for at in range(9)]
    for at, picture in enumerate(film):
        picture[0, 0, 0] = 7 if at in unseen else 9
    last = []
    for picture, sought in zip(film, followed.sought(film), strict=True):
        faces = [locator.follow(picture, each) for each in last]
        last = faces if faces and None not in faces else locator.locate_all(picture)
        found = [] if isinstance(sought.found, Fault) else sought.found
        assert [each.confidence for each in found] == [each.confidence for each in last]
        for one, other in zip(found, last, strict=True):
            assert np.array_equal(one.mesh.points, other.mesh.points)
            assert np.array_equal(one.visible.parts, other.visible.parts)


def test_pictures_are_closed_by_the_thread_that_reads_them(followed, twins):
    closed = []

    def pictures():
        try:
            while True:
                yield twins
        finally:
            closed.append(threading.current_thread())

    film = followed.sought(pictures())
    assert next(film).at == 0
    film.close()
    assert len(closed) == 1
    assert closed[0] is not threading.main_thread()


def test_what_is_known_is_compared_with_what_is_there(locator: FaceLocator, twins):
    both = locator.locate_all(twins)
    assert len(both) == 2
    glance = locator.glance(twins)
    assert locator.are_known(glance, both)
    assert not locator.are_known(glance, both[:1])
    assert not locator.are_known(locator.glance(np.full_like(twins, 120)), both)
