"""What a mesh found in no face gives away."""

import numpy as np
import pytest

from aacsfnet.faces.plausible import shape_difference
from aacsfnet.faces.pose import rotation_from
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Pose, render


@pytest.fixture(scope="module")
def mesh():
    made = render(Person.from_seed(8), {"au26": 4.0}, Pose(yaw=30, pitch=-10), size=128)
    return made.landmarks_px.astype(float)


def test_a_face_is_near_the_mean_face_wherever_it_looks(mesh):
    assert shape_difference(mesh) < 0.12  # though its mouth is wide open
    turned = 3 * mesh @ rotation_from(20, 10, 140).T + (50, -20, 7)
    assert shape_difference(turned) == pytest.approx(shape_difference(mesh), rel=1e-6)


def test_a_torn_or_mirrored_mesh_is_not(mesh):
    random = np.random.default_rng(0)
    eyes = np.linalg.norm(mesh[33] - mesh[263])
    assert shape_difference(mesh + random.normal(0, 0.15 * eyes, mesh.shape)) > 0.15
    squashed = mesh * (1, 0.6, 1)
    assert shape_difference(squashed) > 1.3 * shape_difference(mesh)
    assert shape_difference(mesh * (1, 1, -1)) > 0.15  # hollow
