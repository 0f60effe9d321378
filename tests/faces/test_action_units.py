import numpy as np
import pytest

from aacsfnet.faces.action_units import (
    estimated_pspi,
    estimated_units,
    known_or_estimated,
    usual_face,
)

REST = {
    "brow_height": 0.35,
    "cheek_raise": -0.6,
    "lower_lid_height": -0.1,
    "nose_wrinkle": -0.7,
    "upper_lip_raise": -0.2,
    "mouth_corner_pull": -0.35,
    "mouth_width": 0.8,
    "mouth_opening": 0.01,
    "lid_opening": 0.16,
}


def test_the_usual_face_is_the_median_and_needs_some_frames():
    frames = [REST | {"brow_height": height} for height in (0.1, 0.3, 0.35, 0.36, 0.4)]
    assert usual_face(frames)["brow_height"] == 0.35
    assert usual_face(frames[:4]) is None


def test_rest_shows_no_unit():
    assert set(estimated_units(REST, REST).values()) == {0.0}


@pytest.mark.parametrize(
    ("measure", "value", "unit"),
    [
        ("brow_height", 0.25, "au4"),
        ("nose_wrinkle", -0.62, "au9"),
        ("upper_lip_raise", -0.1, "au10"),
        ("cheek_raise", -0.52, "au6"),
        ("lower_lid_height", -0.06, "au7"),
        ("lid_opening", 0.03, "au43"),
        ("mouth_opening", 0.3, "au26"),
    ],
)
def test_a_moved_measure_shows_its_unit(measure, value, unit):
    units = estimated_units(REST | {measure: value}, REST)
    active = {name for name, intensity in units.items() if intensity > 0}
    assert unit in active
    assert active <= {unit, "au25"}  # lips part when the jaw drops
    assert 0 < units[unit] <= 5


def test_movement_the_other_way_shows_nothing():
    assert estimated_units(REST | {"brow_height": 0.5}, REST)["au4"] == 0.0


def test_without_a_usual_face_only_lids_and_mouth_are_judged():
    assert set(estimated_units(REST, None)) == {"au43", "au25", "au26"}


def test_what_was_coded_goes_before_what_is_estimated():
    merged = known_or_estimated({"au4": 0.0, "au9": None}, {"au4": 3.0, "au9": 2.0})
    assert merged == {"au4": 0.0, "au9": 2.0}


def test_estimated_pspi_follows_its_formula():
    faces = [
        REST,
        REST | {"brow_height": 0.29},  # AU4 half way
        REST | {"cheek_raise": -0.5, "lower_lid_height": -0.08},  # AU6 counts, AU7 is less
        REST | {"nose_wrinkle": -0.6, "upper_lip_raise": 0.9},  # both full: the larger counts
        REST | {"lid_opening": 0.0},
        REST | {"lid_opening": 0.07, "brow_height": 0.1},
    ]
    together = {name: np.array([face[name] for face in faces]) for name in REST}
    assert estimated_pspi(together, REST) == pytest.approx([0, 2.5, 5, 5, 1, 5.5])


def test_of_what_is_covered_no_unit_is_estimated():
    face = REST | dict.fromkeys(("mouth_opening", "upper_lip_raise", "mouth_width"), None)
    units = estimated_units(face | {"brow_height": 0.2}, REST)
    assert units["au4"] > 0
    assert not units.keys() & {"au10", "au20", "au25", "au26"}


def test_the_usual_face_is_told_of_the_frames_that_show_it():
    seen = [REST | {"mouth_width": width} for width in (0.7, 0.8, 0.8, 0.8, 0.9)]
    hidden = [REST | {"mouth_width": None, "cheek_raise": None}] * 9
    assert usual_face(seen + hidden)["mouth_width"] == 0.8
    few = usual_face(seen[:4] + hidden)
    assert np.isnan(few["mouth_width"])
    assert "au20" not in estimated_units(REST | {"mouth_width": 1.5}, few)
