"""What diffusion starts from, and what becomes of what it draws."""

import numpy as np
import pytest

from aacsfnet.augmentation.edit.folds import folded
from aacsfnet.augmentation.edit.start import finished_of, start_of, target_of, warp_of
from aacsfnet.facs import PSPI_UNITS
from tests.one_shard import face_landmarks, face_picture

__all__ = ["face_landmarks", "face_picture"]

REST = dict.fromkeys(PSPI_UNITS, 0.0)
LEVEL = {"kind": "level", "units": REST | {"au4": 4.0}, "source_units": REST}


@pytest.mark.parametrize("kind", ["keep", "person"])
def test_only_a_level_is_warped(kind, face_picture, face_landmarks):
    row = LEVEL | {"kind": kind}
    start = start_of(row, face_picture, face_landmarks)
    np.testing.assert_array_equal(start.image, face_picture)
    np.testing.assert_array_equal(start.points, face_landmarks)
    assert warp_of(row, face_landmarks) is None


def test_a_level_is_warped_before_diffusion_and_its_folds_are_shaded_after_it(
    face_picture, face_landmarks
):
    start = start_of(LEVEL, face_picture, face_landmarks)
    target = target_of(LEVEL, face_landmarks)
    np.testing.assert_array_equal(start.points, target)
    assert warp_of(LEVEL, face_landmarks) > 0.05
    drawn = np.full_like(face_picture, 128)
    made = finished_of(LEVEL, drawn, face_landmarks)
    np.testing.assert_array_equal(made, folded(drawn, target, LEVEL["units"], REST))
    x, y = target[9, :2].astype(int)  # between the brows
    assert made[y - 4 : y + 4, x - 4 : x + 4].min() < 110


def test_another_face_gets_the_folds_of_its_frame_where_they_are_known(
    face_picture, face_landmarks
):
    person = LEVEL | {"kind": "person", "source_units": LEVEL["units"]}
    made = finished_of(person, face_picture, face_landmarks)
    np.testing.assert_array_equal(made, folded(face_picture, face_landmarks, LEVEL["units"], {}))
    unknown = dict.fromkeys(PSPI_UNITS)
    for row in (
        person | {"units": unknown},
        person | {"units": None},
        person | {"kind": "keep"},
    ):
        assert finished_of(row, face_picture, face_landmarks) is face_picture
