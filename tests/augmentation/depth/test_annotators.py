"""Weights are random, built by controlnet-aux's own constructors; nobody's trained ones were run.

MiDaS has its true size. ZoeDepth has a smaller backbone and picture, put into controlnet-aux's own
settings; the slow test runs it at its true size.
"""

import os
import warnings

import numpy as np
import pytest
import torch

from aacsfnet.augmentation.depth import annotators
from aacsfnet.augmentation.depth.annotators import FILES, Annotator
from aacsfnet.config import validate
from aacsfnet.errors import ModelFileError
from aacsfnet.tables import decode_png, read

with warnings.catch_warnings():  # of its own imports
    warnings.simplefilter("ignore")
    import controlnet_aux.zoe
    from controlnet_aux.midas.midas.dpt_depth import DPTDepthModel

pytestmark = pytest.mark.filterwarnings("ignore:Mapping deprecated model name")

CPU = torch.device("cpu")
SETTINGS_OF_ZOE = controlnet_aux.zoe.get_config


def midas_weights():
    weights = DPTDepthModel(path=None, backbone="vitb_rn50_384", non_negative=True).state_dict()
    weights["scratch.output_conv.4.bias"] += 1  # random ones may give 0 everywhere
    return weights


def small_settings(*args):
    """ZoeDepth's settings with a base instead of a large backbone, and a smaller picture."""
    settings = SETTINGS_OF_ZOE(*args)
    settings.update(midas_model_type="DPT_BEiT_B_384", img_size=[128, 128])
    return settings


def zoe_weights():
    settings = controlnet_aux.zoe.get_config("zoedepth", "infer")
    return {"model": controlnet_aux.zoe.ZoeDepth.build_from_config(settings).state_dict()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of annotators."""
    folder = tmp_path_factory.mktemp("annotators")
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(controlnet_aux.zoe, "get_config", small_settings)
        torch.save(zoe_weights(), folder / FILES["zoe"])
    torch.save(midas_weights(), folder / FILES["midas"])
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(controlnet_aux.zoe, "get_config", small_settings)
    monkeypatch.setattr(annotators, "_SIDE", 128)


def spot():
    """A picture with a bright spot right of and above its middle; where it is, as weights."""
    y, x = np.mgrid[:128, :128]
    bright = np.exp(-((x - 95) ** 2 + (y - 40) ** 2) / 200)
    return np.repeat((40 + 200 * bright).astype(np.uint8)[..., None], 3, axis=2), bright


@pytest.fixture(scope="module")
def models(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(controlnet_aux.zoe, "get_config", small_settings)
        return {method: Annotator(method, folder, CPU) for method in FILES}


def test_midas_is_the_detectors_own_picture_with_more_levels(models, face_picture):
    nearness = models["midas"].nearness(face_picture)
    detector = controlnet_aux.MidasDetector(models["midas"]._network)
    picture = detector(face_picture, detect_resolution=128, image_resolution=128)[..., 0]
    scaled = (nearness - nearness.min()) / np.ptp(nearness) * 255
    np.testing.assert_allclose(picture, scaled, atol=1.01)
    assert len(np.unique(nearness)) > 5 * len(np.unique(picture))


def test_zoe_orders_as_the_detectors_own_picture(models, face_picture):
    nearness = models["zoe"].nearness(face_picture)
    detector = controlnet_aux.ZoeDetector(models["zoe"]._network)
    picture = detector(face_picture, detect_resolution=128, image_resolution=128)[..., 0]
    seen = (picture > 0) & (picture < 255)  # its own picture clips the nearest and the farthest
    assert seen.mean() > 0.5
    assert np.corrcoef(picture[seen], nearness[seen])[0, 1] > 0.99


@pytest.mark.parametrize("method", FILES)
def test_maps_lie_where_the_picture_does_and_near_is_bright(models, method, monkeypatch):
    """The networks are replaced by ones that read depth off brightness: as MiDaS's inverse depth
    (bright = near), or as ZoeDepth's metres (bright = far)."""

    class Reads(torch.nn.Module):
        def forward(self, pixels):
            return pixels.mean(dim=1) + 5  # (1, h, w)

        def infer(self, pixels):
            return pixels.mean(dim=1, keepdim=True) + 5  # (1, 1, h, w)

    monkeypatch.setattr(models[method], "_network", Reads())
    picture, bright = spot()
    nearness = models[method].nearness(picture)
    expected = 1 / (picture[..., 0] / 255 + 5) if method == "zoe" else picture[..., 0] / 127.5 + 4
    np.testing.assert_allclose(nearness, expected, rtol=1e-5)
    sign = -1 if method == "zoe" else 1
    assert np.corrcoef(sign * nearness.ravel(), bright.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("method", FILES)
def test_the_stage_runs_with_it(models, folder, shard, run_shard, method, monkeypatch):
    loaded = {(method, folder): model for method, model in models.items()}  # loading takes seconds
    monkeypatch.setattr(annotators, "Annotator", lambda *args: loaded[args[:2]])
    config = validate({"depth": {"method": method, "model": str(folder)}})
    run_shard(config, "prompts", "depth")
    rows = read(shard["depth"]).rows(named=True)
    picture = decode_png(next(row for row in rows if row["status"] == "ok")["image"])
    assert (picture.shape, picture.dtype) == ((128, 128), np.uint16)
    assert (picture.min(), picture.max()) == (0, 65535)
    assert rows[-1]["status"] == "no_face"


class Trap:
    """Makes a file when it is unpickled the ordinary way."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("turned_off", [False, True])
@pytest.mark.parametrize("method", FILES)
def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(
    tmp_path, monkeypatch, method, turned_off
):
    trap, file = tmp_path / "sprung", tmp_path / FILES[method]
    torch.save({"model": {"x": Trap(trap)}}, file)
    torch.load(file, weights_only=False)
    assert trap.is_dir()  # the trap works
    trap.rmdir()
    if turned_off:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(ModelFileError, match=rf"{FILES[method]}: no weights of {method}: "):
        Annotator(method, tmp_path, CPU)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("method", "content"),
    [("midas", b"no matter"), ("zoe", b""), ("midas", {}), ("zoe", {"model": {}}), ("zoe", [1])],
)
def test_what_is_no_such_weights_is_named(tmp_path, method, content):
    file = tmp_path / FILES[method]
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(ModelFileError, match=rf"{file.name}: no weights of {method}: ") as caught:
        Annotator(method, tmp_path, CPU)
    assert "\n" not in str(caught.value)


def test_zoe_without_a_weight_is_refused_though_its_loader_lets_it_pass(folder, tmp_path):
    weights = torch.load(folder / FILES["zoe"], weights_only=True)
    del weights["model"]["conv2.weight"]
    torch.save(weights, tmp_path / FILES["zoe"])
    with pytest.raises(ModelFileError, match=r"1 missing, conv2\.weight for one"):
        Annotator("zoe", tmp_path, CPU)


@pytest.mark.parametrize("method", FILES)
def test_a_missing_folder_or_file_is_named(tmp_path, method):
    with pytest.raises(ModelFileError, match=r"depth\.model = .*no such folder"):
        Annotator(method, tmp_path / "no", CPU)
    with pytest.raises(ModelFileError, match=rf"depth\.model = .*no {FILES[method]}"):
        Annotator(method, tmp_path, CPU)


@pytest.mark.slow
def test_zoe_runs_at_its_true_size(tmp_path, monkeypatch, face_picture):
    monkeypatch.setattr(controlnet_aux.zoe, "get_config", SETTINGS_OF_ZOE)
    torch.save(zoe_weights(), tmp_path / FILES["zoe"])
    nearness = Annotator("zoe", tmp_path, CPU).nearness(face_picture)
    assert nearness.shape == (128, 128)
    assert np.ptp(nearness) > 0
