"""Pictures without a face that the detectors and the mesh take for one."""

import numpy as np
import pytest

from aacsfnet.faces.detection import SURE
from aacsfnet.faces.locate import FaceLocator
from aacsfnet.faces.mesh import look_until_settled, square_of_face
from aacsfnet.tables import Fault
from benchmarks.faceless_pictures import KINDS, faceless


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_made_again_alike(kind):
    first, second = (faceless(kind, np.random.default_rng(4)) for _ in range(2))
    assert first.dtype == np.uint8
    assert first.shape[2] == 3
    assert first.std() > 3
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("at", [23, 79, 126])
def test_letters_that_detector_and_mesh_take_for_a_face_are_none(locator: FaceLocator, at: int):
    """The same letters at the same places as when thresholds were chosen; the mesh scores 1.00."""
    random = np.random.default_rng(5)
    for _ in range(at):
        faceless("letters", random)
    picture = faceless("letters", random)
    fooled = False
    for level in locator._finder.searches(picture):
        for face in level.faces:
            closer = locator._finder.closer(picture, face)
            if closer is not None:
                mesh = look_until_settled(locator._mesh, picture, square_of_face(closer))
                fooled |= mesh.presence > 0.99
                assert closer.score < SURE
    assert fooled
    found = locator.locate(picture)
    assert isinstance(found, Fault)
    assert found.status in ("no_face", "doubtful_face")
