import numpy as np
import pytest
import torch

from aacsfnet.augmentation.depth import scene_depth
from aacsfnet.config import validate
from aacsfnet.errors import ModelFileError, SettingsError
from aacsfnet.tables import decode_png, read

DPT = {
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


def save(folder, model, processor):
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def dpt(folder):
    """MiDaS's newer networks are DPTs."""
    from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

    processor = DPTImageProcessor(size={"height": 64, "width": 64})
    return save(folder, DPTForDepthEstimation(DPTConfig(**DPT)), processor)


def depth_anything(folder, **kind):
    from transformers import (
        DepthAnythingConfig,
        DepthAnythingForDepthEstimation,
        Dinov2Config,
        DPTImageProcessor,
    )

    backbone = Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=56,
        patch_size=14,
        out_indices=[1, 2, 3, 4],
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    settings = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        patch_size=14,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        **kind,
    )
    processor = DPTImageProcessor(
        size={"height": 70, "width": 70}, keep_aspect_ratio=True, ensure_multiple_of=14
    )
    return save(folder, DepthAnythingForDepthEstimation(settings), processor)


def depth_anything_metric(folder):
    return depth_anything(folder, depth_estimation_type="metric", max_depth=20)


def zoe(folder):
    from transformers import (
        BeitConfig,
        ZoeDepthConfig,
        ZoeDepthForDepthEstimation,
        ZoeDepthImageProcessor,
    )

    backbone = BeitConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=64,
        patch_size=16,
        out_indices=[1, 2, 3, 4],
        reshape_hidden_states=False,
        use_relative_position_bias=True,
    )
    settings = ZoeDepthConfig(
        backbone_config=backbone,
        backbone_hidden_size=32,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        bottleneck_features=8,
        num_relative_features=8,
        bin_embedding_dim=8,
        num_attractors=[4, 2, 2, 1],
        bin_configurations=[{"n_bins": 8, "min_depth": 0.1, "max_depth": 10.0, "name": "nyu"}],
    )
    processor = ZoeDepthImageProcessor(size={"height": 64, "width": 64})
    return save(folder, ZoeDepthForDepthEstimation(settings), processor)


def glpn(folder):
    from transformers import GLPNConfig, GLPNForDepthEstimation, GLPNImageProcessor

    heads = {"num_attention_heads": [1, 1, 2, 2], "depths": [1, 1, 1, 1]}
    settings = GLPNConfig(hidden_sizes=[8, 8, 16, 16], decoder_hidden_size=8, **heads)
    return save(folder, GLPNForDepthEstimation(settings), GLPNImageProcessor(size_divisor=32))


#: Each family of models, and whether it gives distances.
FAMILIES = {dpt: False, depth_anything: False, depth_anything_metric: True, zoe: True, glpn: True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A DPT with random weights."""
    torch.manual_seed(0)
    return dpt(tmp_path_factory.mktemp("dpt"))


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.__name__)
def family(request, tmp_path_factory):
    """A loaded model of each family, with random weights, and whether it gives distances."""
    torch.manual_seed(0)
    folder = request.param(tmp_path_factory.mktemp(request.param.__name__))
    return scene_depth.SceneDepth(folder, torch.device("cpu")), FAMILIES[request.param]


def test_every_family_gives_nearness_of_the_pictures_size(family, face_picture):
    model, is_metric = family
    assert model.is_metric == is_metric
    got = model.nearness(face_picture)
    assert got.shape == (128, 128)
    assert np.isfinite(got).all()


def test_maps_lie_where_the_picture_does_and_near_is_bright(family, face_picture, monkeypatch):
    """What the model sees and says lies at the same place, whatever it pads or resizes.

    The network is replaced by one that reads depth off the brightness of what it is given, as an
    inverse depth (bright = near) or as a distance (bright = far).
    """
    model, is_metric = family

    def reads_brightness(pixel_values, **_):
        from transformers.modeling_outputs import DepthEstimatorOutput

        return DepthEstimatorOutput(predicted_depth=pixel_values.mean(dim=1) + 5)

    monkeypatch.setattr(reads_brightness, "config", model._model.config, raising=False)
    monkeypatch.setattr(model, "_model", reads_brightness)
    y, x = np.mgrid[:128, :128]
    spot = np.exp(-((x - 95) ** 2 + (y - 40) ** 2) / 200)
    picture = np.repeat((40 + 200 * spot).astype(np.uint8)[..., None], 3, axis=2)
    nearness = model.nearness(picture)
    found = -nearness if is_metric else nearness
    assert np.corrcoef(found.ravel(), spot.ravel())[0, 1] > 0.97
    weight = np.clip(found - np.median(found), 0, None)
    centre = (weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()
    assert centre == pytest.approx((95, 40), abs=2)


def test_pickled_weights_are_not_opened(folder, tmp_path):
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_text((folder / name).read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(b"no matter")
    with pytest.raises(ModelFileError, match=r"no depth model: .*model\.safetensors"):
        scene_depth.SceneDepth(tmp_path, torch.device("cpu"))


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
def test_the_stage_runs_with_a_model(folder, shard, run_shard, method):
    config = validate({"depth": {"method": method, "model": str(folder)}})
    run_shard(config, "prompts", "depth")
    rows = read(shard["depth"]).rows(named=True)
    picture = decode_png(next(row for row in rows if row["status"] == "ok")["image"])
    assert (picture.dtype, picture.min(), picture.max()) == (np.uint16, 0, 65535)
    assert rows[-1]["status"] == "no_face"


def test_a_method_that_needs_a_model_says_so():
    with pytest.raises(SettingsError, match=r"depth: method composite needs a model"):
        validate({"depth": {"method": "composite"}})
    with pytest.raises(SettingsError, match=r"depth: method mesh uses no model"):
        validate({"depth": {"model": "/models/dpt"}})
