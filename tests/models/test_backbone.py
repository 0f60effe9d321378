import pytest
import timm
import torch
from safetensors.torch import save_file

from aacsfnet.errors import ModelFileError
from aacsfnet.fetch import write_lock
from aacsfnet.models.backbone import Backbone


@pytest.fixture(name="weights")
def _weights(tmp_path):
    torch.manual_seed(3)
    model = timm.create_model("test_resnet")
    path = tmp_path / "weights.safetensors"
    save_file(model.state_dict(), path)
    return model, path


def test_pretrained_weights_come_from_a_local_file(weights):
    model, path = weights
    pictures = torch.rand(2, 3, 64, 64)
    backbone = Backbone("test_resnet", 32, path).eval()
    with torch.no_grad():
        expected = model.eval().forward_features(pictures)
        torch.testing.assert_close(backbone(pictures), expected)


@pytest.mark.parametrize(("stride", "channels"), [(8, 48), (16, 192), (32, 96)])
def test_it_ends_at_the_map_asked_for(stride, channels):
    backbone = Backbone("test_resnet", stride)
    assert backbone.channels == channels
    assert backbone(torch.rand(1, 3, 64, 64)).shape == (1, channels, 64 // stride, 64 // stride)


def test_a_transformer_with_channels_last_gives_channels_first():
    backbone = Backbone("swin_tiny_patch4_window7_224", 16)
    assert backbone(torch.rand(1, 3, 224, 224)).shape == (1, 384, 14, 14)


@torch.inference_mode()
def test_a_map_with_as_many_columns_as_channels_is_no_exception():
    backbone = Backbone("swin_tiny_patch4_window7_224", 8, image_size=384, finer=True).eval()
    pictures = torch.rand(1, 3, 384, 384)
    finest = backbone.maps(pictures)[1]
    assert finest.shape == (1, 96, 96, 96)
    assert torch.equal(finest, backbone.body(pictures)[0].permute(0, 3, 1, 2))


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "swinv2_tiny_window8_256"])
def test_a_network_built_for_one_size_is_built_for_the_pictures_size(name):
    with torch.device("meta"):
        backbone = Backbone(name, 16, image_size=64)
        assert backbone(torch.empty(2, 3, 64, 64)).shape == (2, backbone.channels, 4, 4)


def test_fetched_weights_that_were_altered_are_refused(weights):
    """`aacsfnet fetch-models` writes a lock file beside what it fetches."""
    model, path = weights
    write_lock(path.parent, "timm/test_resnet", "0" * 40)
    Backbone("test_resnet", 32, path)
    state = model.state_dict()
    next(iter(state.values())).add_(1.0)
    save_file(state, path)
    with pytest.raises(ModelFileError, match="SHA-256"):
        Backbone("test_resnet", 32, path)


def test_weights_of_another_network_are_refused(weights):
    """Timm would load what fits and leave the rest random, without a word."""
    _, path = weights
    with pytest.raises(ModelFileError, match=r"lacks \d+ of \d+ weights of resnet18"):
        Backbone("resnet18", 32, path)


def test_what_is_no_safetensors_file_is_refused(tmp_path):
    with pytest.raises(ModelFileError, match=r"expected a \.safetensors file"):
        Backbone("test_resnet", 16, tmp_path / "weights.pth")
    (tmp_path / "x.safetensors").write_bytes(b"not one")
    with pytest.raises(ModelFileError, match="cannot be read"):
        Backbone("test_resnet", 16, tmp_path / "x.safetensors")


def test_the_bundled_weights_are_of_one_network_only():
    assert not torch.equal(
        next(Backbone("test_resnet", 16, "bundled").parameters()),
        next(Backbone("test_resnet", 16).parameters()),
    )
    with pytest.raises(ModelFileError, match="test_resnet only, not of resnet18"):
        Backbone("resnet18", 16, "bundled")
