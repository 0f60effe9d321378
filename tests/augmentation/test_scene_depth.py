import numpy as np
import pytest
import torch

from aacsfnet.augmentation import scene_depth
from aacsfnet.augmentation.depth import depth
from aacsfnet.config import validate
from aacsfnet.errors import ModelFileError, SettingsError
from aacsfnet.table import decode_png, read


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A DPT with random weights."""
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

    folder = tmp_path_factory.mktemp("dpt")
    torch.manual_seed(0)
    shape = {
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "image_size": 64,
        "patch_size": 16,
        "backbone_out_indices": [0, 1, 2, 3],
        "neck_hidden_sizes": [8, 8, 8, 8],
        "fusion_hidden_size": 8,
    }
    DPTForDepthEstimation(DPTConfig(**shape)).save_pretrained(folder)
    DPTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def test_a_model_gives_a_map_of_the_pictures_size(folder, face_picture):
    model = scene_depth.SceneDepth(folder, torch.device("cpu"))
    got = model.nearness(face_picture)
    assert got.shape == (128, 128)
    assert np.isfinite(got).all()
    assert not model.is_metric  # DPT gives inverse depth


def test_a_missing_or_wrong_folder_is_named(tmp_path):
    for wrong in (tmp_path / "nothing", tmp_path):
        with pytest.raises(ModelFileError, match=r"depth\.model"):
            scene_depth.SceneDepth(wrong, torch.device("cpu"))


def test_near_is_white_and_constant_maps_are_guarded():
    picture = scene_depth.nearness_picture(np.array([[3.0, 1.0, np.nan, 2.0]]))
    assert picture.tolist() == [[65535, 0, 0, 32768]]
    assert scene_depth.nearness_picture(np.full((2, 2), 7.0)).max() == 0


def test_distances_are_inverted():
    near, far = scene_depth.as_nearness(np.array([0.5, 4.0]), is_metric=True)
    assert near > far
    assert np.isfinite(scene_depth.as_nearness(np.zeros(2), is_metric=True)).all()


def scene_with_face():
    y, x = np.mgrid[:100, :100] - 50.0
    disc = np.hypot(x, y) < 30
    z = np.where(disc, (x**2 + y**2) / 60 - 10, np.inf)
    return disc, z


def test_scales_are_matched_whatever_the_scene_is_measured_in():
    disc, z = scene_with_face()
    scene = np.where(disc, -np.where(disc, z, 0), -40.0)  # the mesh is right about the face
    first = scene_depth.composite(z, scene)
    second = scene_depth.composite(z, 0.03 * scene + 7)
    np.testing.assert_allclose(first, scene, atol=1e-9)
    np.testing.assert_allclose(second, scene, atol=1e-9)


def test_the_middle_of_the_face_is_the_mesh_and_the_rest_the_scene():
    disc, z = scene_with_face()
    random = np.random.default_rng(0)
    scene = np.where(disc, -np.where(disc, z, 0) + random.normal(0, 1, z.shape), -40.0)
    got = scene_depth.composite(z, scene)
    assert got[50, 50] == -z[50, 50]
    assert got[~disc].max() < got[disc].min()


@pytest.mark.parametrize("kind", ["flat", "against"])
def test_a_scene_that_disagrees_never_turns_the_face_inside_out(kind):
    disc, z = scene_with_face()
    scene = np.zeros_like(z) if kind == "flat" else np.where(disc, z, 0.0)
    got = scene_depth.composite(z, scene)
    assert got[50, 50] == -z[50, 50] > got[50, 76]


def test_without_a_face_the_scene_stays():
    scene = np.arange(16.0).reshape(4, 4)
    assert scene_depth.composite(np.full((4, 4), np.inf), scene) is scene


@pytest.mark.parametrize("method", ["model", "composite"])
def test_the_stage_runs_with_a_model(folder, shard, method):
    config = validate({"depth": {"method": method, "model": str(folder)}})
    depth(config, shard["crop"], shard["landmarks"], shard["depth"])
    rows = read(shard["depth"]).rows(named=True)
    picture = decode_png(rows[0]["image"])
    assert (picture.dtype, picture.min(), picture.max()) == (np.uint16, 0, 65535)
    assert rows[-1]["status"] == "no_face"


def test_a_method_that_needs_a_model_says_so():
    with pytest.raises(SettingsError, match=r"depth: method composite needs a model"):
        validate({"depth": {"method": "composite"}})
    with pytest.raises(SettingsError, match=r"depth: method mesh uses no model"):
        validate({"depth": {"model": "/models/dpt"}})
