"""A face that one frame hardly shows, against the frames beside it."""

import numpy as np
import pytest

from aacsfnet.faces.locate import Located
from aacsfnet.faces.mesh import Mesh
from aacsfnet.faces.neighbours import NEAR, Sighting, contradiction, sighting
from aacsfnet.faces.visibility import Visible

HERE = np.array([200.0, 150.0, 120.0, 0.0])
SURE = [Sighting(at, HERE + np.array([at, 0, 0, 0]), True) for at in (3, 4, 6, 7)]


def unsure(*change: float, at: int = 5) -> Sighting:
    return Sighting(at, HERE + change, False)


@pytest.mark.parametrize(
    "change",
    [(200, 40, 0, 0), (0, 0, 0, np.pi / 2), (0, 0, -80, 0), (-30, -150, 0, 0)],
    ids=["elsewhere", "on its side", "much smaller", "above"],
)
def test_sure_neighbours_contradict_an_unsure_face_elsewhere(change):
    fault = contradiction(unsure(*change), SURE)
    assert fault is not None
    assert fault.status == "doubtful_face"
    assert "the sure faces of 4 frames" in fault.reason


def test_an_unsure_face_where_the_neighbours_have_theirs_stays():
    assert contradiction(unsure(15, -20, 8, 0.3), SURE) is None


def test_a_sure_face_speaks_for_itself():
    assert contradiction(Sighting(5, HERE + np.array([300, 0, 0, 0]), True), SURE) is None


def test_only_sure_faces_nearby_are_asked():
    away = unsure(300, 0, 0, 0)
    others = [unsure(0, 0, 0, 0, at=at) for at in (4, 6)]
    assert contradiction(away, others) is None  # a whole recording on its side
    assert contradiction(away, [Sighting(5 + NEAR + 1, HERE, True)]) is None
    assert contradiction(away, [Sighting(5 + NEAR, HERE, True)]) is not None


@pytest.mark.parametrize(
    ("confidence", "presence", "seen", "degrees", "sure"),
    [
        (0.9, 1.0, 0.9, 10, True),
        (None, 1.0, 0.9, 10, True),
        (0.7, 1.0, 0.9, 10, False),
        (0.9, 0.8, 0.9, 10, False),
        (0.9, 1.0, 0.4, 10, False),
        (0.9, 1.0, 0.9, 88, False),
        (0.9, 1.0, 0.9, -170, False),
    ],
)
def test_what_makes_a_face_sure(confidence, presence, seen, degrees, sure):
    placement = np.array([10.0, 10.0, 50.0, np.radians(degrees)])
    mesh, visible = Mesh(np.zeros((478, 3)), presence), Visible(np.full(6, seen))
    assert sighting(0, Located(mesh, placement, 1, confidence, visible)).sure is sure
