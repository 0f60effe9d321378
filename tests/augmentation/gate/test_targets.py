"""What a picture of another level is judged against."""

import numpy as np
import pytest

from aacsfnet.augmentation.edit.expressions import edited
from aacsfnet.augmentation.gate.resemblance import seen
from aacsfnet.augmentation.gate.targets import FOLLOWED, asked_change, expected
from aacsfnet.faces.geometry import eye_distance, measure_all
from aacsfnet.facs import PSPI_UNITS
from aacsfnet.tables import PAIN_MEASURES
from tests.one_shard import face_landmarks, face_picture

__all__ = ["face_landmarks", "face_picture"]

REST = dict.fromkeys(PSPI_UNITS, 0.0)
STRONG = REST | {"au4": 5.0, "au10": 4.0, "au43": 1.0}


def level(units, source=REST):
    return {"kind": "level", "units": units, "source_units": source}


@pytest.fixture
def looks(face_landmarks):
    noise = np.random.default_rng(0).normal(0, 0.1, (9, *face_landmarks.shape))
    return face_landmarks + noise


@pytest.mark.parametrize("kind", ["keep", "person"])
def test_other_kinds_shall_show_what_their_source_does(looks, kind):
    row = level(STRONG) | {"kind": kind}
    wanted, source = expected(looks, row, None), seen(looks, None)
    np.testing.assert_array_equal(wanted.points, source.points)
    for name in PAIN_MEASURES:
        np.testing.assert_array_equal(wanted.measures[name], source.measures[name])
    assert set(asked_change(row).values()) == {0.0}


def test_of_each_measure_the_share_is_expected_that_the_mesh_follows(looks):
    wanted, source = expected(looks, level(STRONG), None), seen(looks, None)
    whole = measure_all(np.stack([edited(look, STRONG, REST) for look in looks]))
    for name in PAIN_MEASURES:
        asked = whole[name] - source.measures[name]
        np.testing.assert_allclose(
            wanted.measures[name] - source.measures[name], FOLLOWED[name] * asked, atol=1e-9
        )
    assert (wanted.measures["brow_height"] < source.measures["brow_height"] - 0.03).all()


def test_only_what_is_more_than_the_source_shows_is_asked_for(looks):
    row = level(STRONG, REST | {"au4": 5.0, "au6": 2.0})
    assert asked_change(row) == REST | {"au10": 4.0, "au43": 1.0, "au6": -2.0}
    brows = expected(looks, row, None).measures["brow_height"] - measure_all(looks)["brow_height"]
    assert np.abs(brows).max() < 0.02


def test_brows_are_expected_down_rather_than_together(looks):
    brows = REST | {"au4": 5.0}
    source = looks.mean(axis=0)
    moved = (expected(looks, level(brows), None).points - source)[[55, 285], :2]
    asked = (edited(source, brows, REST) - source)[[55, 285], :2]
    np.testing.assert_allclose(moved[:, 1], 0.7 * asked[:, 1], atol=0.02 * eye_distance(source))
    assert np.abs(moved[:, 0]).max() < 0.3 * np.abs(asked[:, 0]).max()


def test_the_expected_estimate_of_pspi_follows_the_target(looks):
    usual = {name: float(value.mean()) for name, value in measure_all(looks).items()}
    rest, strong = (expected(looks, level(units), usual).pspi for units in (REST, STRONG))
    assert rest.mean() < 1 < 4 < strong.mean()
