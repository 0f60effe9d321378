"""Weights out of a package: a small fake one wherever the real one cannot show what is wrong."""

import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution

import pytest
import timm
import torch

from aacsfnet import create_model
from aacsfnet.config import validate
from aacsfnet.errors import ModelFileError, SettingsError
from aacsfnet.models import load_model, packaged_weights, save_model
from aacsfnet.models.backbone import Backbone
from aacsfnet.models.published import Published
from aacsfnet.premises import check
from tests.models.small import SMALL
from tests.models.weights_package import installed

NETWORK = SMALL | {"backbone": packaged_weights.BACKBONE, "feature_stride": 16}


@pytest.fixture(name="installed")
def _installed(tmp_path, monkeypatch):
    return partial(installed, tmp_path, monkeypatch)


def test_the_backbone_has_the_weights_of_the_package_which_is_not_imported(installed):
    own, file = installed()
    body = Backbone(packaged_weights.BACKBONE, 16, "package").body
    assert all(torch.equal(each, own[name]) for name, each in body.state_dict().items())
    assert file.parents[1].name not in sys.modules
    assert not any(isinstance(each, dict) for each in body.pretrained_cfg.values())


@pytest.mark.parametrize("experiment", [False, True])
def test_it_is_said_before_the_first_job_how_to_install_it(monkeypatch, experiment):
    monkeypatch.setattr(packaged_weights, "PACKAGE", "no-such-package-of-weights")
    train = {
        "pretrained": "package",
        "network": {"backbone": packaged_weights.BACKBONE, "feature_stride": 16},
    }
    settings = {"train": train}
    if experiment:
        settings = {"experiments": {"full": {}, "other": settings}}
    with pytest.raises(SettingsError, match="is not installed: pip install") as error:
        check(validate(settings))
    assert len(str(error.value).splitlines()) == 1


def test_another_backbone_is_refused_before_the_first_job():
    with pytest.raises(SettingsError, match="of tf_efficientnet_lite0 only, not of test_resnet"):
        check(validate({"train": {"pretrained": "package"}}))


def test_another_version_is_refused(installed):
    installed(version="0.2.0")
    with pytest.raises(ModelFileError, match=r"0\.2\.0 is installed, expected 0\.1\.0"):
        Backbone(packaged_weights.BACKBONE, 16, "package")


def test_a_package_without_its_file_is_refused(installed):
    _, file = installed()
    file.unlink()
    with pytest.raises(ModelFileError, match="installed without"):
        Backbone(packaged_weights.BACKBONE, 16, "package")


def test_an_altered_file_is_refused_before_it_is_read(installed):
    _, file = installed()
    file.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelFileError, match="SHA-256 is not that of"):
        Backbone(packaged_weights.BACKBONE, 16, "package")


def test_weights_of_other_shapes_are_refused(installed):
    installed(drop=1)
    with pytest.raises(ModelFileError, match="its shapes are not those"):
        Backbone(packaged_weights.BACKBONE, 16, "package")


def test_a_trained_folder_does_not_need_the_package(installed, tmp_path, monkeypatch):
    installed()
    model = create_model(**NETWORK, pretrained="package").eval()
    save_model(model, tmp_path / "model", {})
    monkeypatch.setattr(packaged_weights, "PACKAGE", "no-such-package-of-weights")
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path / "model")(pictures), model(pictures))


def test_the_published_network_takes_them_too(installed):
    own, _ = installed()
    published = {name: NETWORK[name] for name in ("backbone", "context_width", "width", "heads")}
    model = create_model("published", **published, image_size=64, batch=2, pretrained="package")
    assert isinstance(model, Published)
    assert torch.equal(model.backbone.body.conv_stem.weight, own["conv_stem.weight"])


def test_the_real_package_is_the_one_that_is_pinned():
    """Timm's names in timm's order: the numbers that a study in `benchmarks/` started from."""
    try:
        root = distribution(packaged_weights.PACKAGE).locate_file("")
    except PackageNotFoundError:
        pytest.skip("the extra imagenet is not installed")
    given = torch.load(root / packaged_weights.FILE, weights_only=True)
    found = packaged_weights.packaged_weights(packaged_weights.BACKBONE)
    assert list(found) == list(timm.create_model(packaged_weights.BACKBONE).state_dict())
    assert all(map(torch.equal, found.values(), given.values()))
    theirs = [name.rpartition(".")[2] for name in given]
    assert [name.rpartition(".")[2] for name in found] == theirs
