"""Transparent pictures, profiles in grain, many people and films with gaps, all rendered."""

import pytest

import aacsfnet
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Pose, render
from benchmarks.inputs import SHOWN, inputs, judged

from .conftest import save


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    portraits = [
        render(Person.from_seed(300 + number), {}, Pose(face_height=0.6, centre=(0.5, 0.5))).picture
        for number in range(5)
    ]
    predictor = aacsfnet.Predictor(save(tmp_path_factory.mktemp("model")))
    return {
        what: judged(made, predictor)
        for what, made in inputs(tmp_path_factory.mktemp("files"), portraits)
    }


def test_each_is_read_rightly_or_with_its_reason(table):
    wrong = {what: found["wrong frames"] for what, found in table.items()}
    assert {what: frames for what, frames in wrong.items() if frames} == {}


def test_all_people_and_no_others_are_found(table):
    assert table["five people"]["faces"] == 5
    assert table["PNG, transparent round the head"]["faces"] == 1
    assert table["PNG, all transparent"]["faces"] == 0
    assert table["face, no face, face"]["faces"] == 2 * SHOWN
    assert table["face, no face, face"]["reasons"] == [
        "no_face: neither detector found a face of at least 32 pixels at any scale"
    ]


def test_a_turned_head_says_how_far(table):
    found = table["profile of 60 degrees in grain"]
    assert found["faces"] == len(found["yaw"])
    for yaw in found["yaw"]:
        assert 40 < yaw < 80
    assert found["faces"] or found["reasons"]
