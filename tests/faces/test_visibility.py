"""What is seen of a face, and what may be told of one of which something is covered."""

import cv2
import numpy as np
import pytest
import torch

from aacsfnet.faces.geometry import MEASURES
from aacsfnet.faces.visibility import (
    LEAST_SEEN,
    RESTS_ON,
    SEEN_ON,
    SIDE,
    WEIGHTS,
    _logits,
    both_ways,
    covered,
    hidden_measures,
    hidden_units,
    look_at,
    visible_of,
)
from aacsfnet.facs import ACTION_UNITS
from aacsfnet.landmark_sets import MIRROR
from aacsfnet.rendering.occluders import occlude
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Pose, render
from aacsfnet.tables import REGIONS

from .test_stages import manifest, run


def test_every_measure_and_unit_says_where_it_is_seen():
    assert RESTS_ON.keys() == MEASURES.keys()
    assert SEEN_ON.keys() == set(ACTION_UNITS)
    assert set().union(*RESTS_ON.values(), SEEN_ON.values()) == set(REGIONS)


def test_a_region_at_the_bound_counts_as_seen():
    assert covered({"mouth": 0.5, "eyes": 0.49}, 0.5) == ("eyes",)


def test_what_was_not_judged_is_not_covered():
    row = {f"visible_{region}": None for region in REGIONS}
    assert covered(visible_of(row), 1.0) == ()


@pytest.mark.parametrize(
    ("region", "measure", "unit"),
    [
        ("brows", "brow_distance", "au4"),
        ("eyes", "lid_opening_left", "au43"),
        ("nose", "nose_wrinkle", "au9"),
        ("mouth", "mouth_opening", "au10"),
    ],
)
def test_a_covered_region_hides_what_is_seen_on_it_and_nothing_else(region, measure, unit):
    assert measure in hidden_measures([region])
    assert unit in hidden_units([region])
    others = [each for each in REGIONS if each != region]
    assert unit not in hidden_units(others)
    assert {"mouth_width", "brow_distance"} - hidden_measures([region])


@pytest.fixture(scope="module")
def made():
    return render(Person.from_seed(52), {}, Pose(yaw=-8, face_height=0.6), size=224)


@pytest.mark.parametrize(
    ("kind", "hidden"), [("mask", "mouth"), ("scarf", "mouth"), ("sunglasses", "eyes")]
)
def test_the_stages_leave_out_what_is_covered(tmp_path, made, kind, hidden):
    drawn = occlude(made.picture, made.landmarks_px, kind, np.random.default_rng(5)).picture
    for name, picture in (("bare", made.picture), ("worn", drawn)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture[..., ::-1])
    rows = "path,subject,label,sequence\nbare.png,p,1,a\nworn.png,p,1,b\n"
    cut, found = run(tmp_path, manifest(tmp_path, rows))
    bare, worn = found.iter_rows(named=True)
    assert [bare["status"], worn["status"]] == ["ok", "ok"]
    assert covered(visible_of(bare), 0.6) == ()
    assert hidden in covered(visible_of(worn), 0.6)
    assert visible_of(cut.row(1, named=True)) == visible_of(worn)
    unseen = hidden_measures(covered(visible_of(worn), 0.6))
    for name in MEASURES:
        assert bare["measures"][name] is not None
        assert (worn["measures"][name] is None) == (name in unseen)
        assert (worn["changes"][name] is None) == (name in unseen)


def test_of_a_mesh_beside_the_face_or_on_its_side_nothing_is_seen(made):
    points = made.landmarks_px.astype(float)
    middle = points[:468].mean(axis=0)
    assert look_at(made.picture, points).face > 0.9
    beside = points + np.array([70.0, 60.0, 0.0])
    turned = (points - middle) @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1.0]]) + middle
    for wrong in (beside, turned):
        assert look_at(made.picture, wrong).face < LEAST_SEEN


def test_what_lies_outside_the_picture_is_not_seen(made):
    lowest = int(made.landmarks_px[0, 1])  # the upper lip
    cut = np.ascontiguousarray(made.picture[: lowest - 6])
    regions = look_at(cut, made.landmarks_px.astype(float)).regions
    assert regions["mouth"] == 0
    assert regions["eyes"] > 0.5


def test_a_mirror_image_is_seen_alike(made):
    drawn = occlude(made.picture, made.landmarks_px, "hand", np.random.default_rng(3)).picture
    points = made.landmarks_px.astype(float)
    mirrored = points[MIRROR]
    mirrored[:, 0] = drawn.shape[1] - 1 - mirrored[:, 0]
    own = look_at(drawn, points).parts
    other = look_at(np.ascontiguousarray(drawn[:, ::-1]), mirrored).parts
    assert other[[1, 0, 3, 2, 4, 5]] == pytest.approx(own, abs=0.06)


def test_the_network_takes_a_view_and_its_mirror_image_evened() -> None:
    view = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    pixels = view.astype(np.float64)
    expected = ((pixels - pixels.mean()) / pixels.std()).transpose(2, 0, 1)
    own, mirrored = both_ways(view)
    np.testing.assert_allclose(own, expected, atol=1e-5)
    np.testing.assert_allclose(mirrored, expected[..., ::-1], atol=1e-5)
    assert not both_ways(np.full((SIDE, SIDE, 3), 7, np.uint8)).any()


def test_opencv_gives_what_torch_gives() -> None:
    pytest.importorskip("onnx")
    from tools.visibility.training import restored

    views = np.random.default_rng(1).normal(size=(2, 3, SIDE, SIDE)).astype(np.float32)
    network = restored(WEIGHTS)
    assert network.training  # it is there to go on with
    with torch.inference_mode():
        expected = network.eval()(torch.from_numpy(views)).numpy()
    np.testing.assert_allclose(_logits(views), expected, atol=1e-4)
