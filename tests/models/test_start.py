import pytest
import torch

from aacsfnet import create_model
from aacsfnet.config.network import DEMO_NETWORK, NetworkSettings
from aacsfnet.errors import ModelFileError
from aacsfnet.models import create, load_model, save_model
from aacsfnet.models.start import load_start, parts_of, save_start
from tests.models.small import SMALL as ANY

SMALL = ANY | {"fusion": "positions"}


def small(**settings):
    return create_model(**(SMALL | settings))


@pytest.fixture(name="file")
def _file(tmp_path):
    torch.manual_seed(1)
    model = small()
    save_start(model, tmp_path / "start.safetensors")
    return model, tmp_path / "start.safetensors"


def same(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


def test_every_weight_but_the_heads_is_in_a_part():
    model = small()
    counted = sum(len(part.state_dict()) for part in parts_of(model).values())
    statistics = ("pixel_mean", "pixel_deviation", "label_mean", "label_deviation")
    others = [name for name in model.state_dict() if name.startswith("head.")]
    assert counted == len(model.state_dict()) - len(others) - len(statistics)


def test_a_network_of_the_same_sizes_gets_all_its_parts(file):
    first, path = file
    second = small()
    names = load_start(second, path)
    assert not names["random"]
    second.head.load_state_dict(first.head.state_dict())
    pictures = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(first.eval()(pictures), second.eval()(pictures))


@pytest.mark.parametrize(
    ("settings", "random"),
    [
        ({"branches": ("channel",), "attention": ()}, []),
        ({"branches": ("spatial",)}, []),
        ({"attention": ("channel", "global")}, []),
        ({"fusion": "concatenation"}, []),
        ({"fusion": "attention"}, ["fusion"]),
        ({"context_width": 64}, ["global_context"]),
        ({"width": 16}, ["align_spatial", "fusion", "spatial_network"]),
        ({"embedding": "convolution"}, ["spatial_network"]),
    ],
)
def test_an_ablation_gets_the_parts_that_it_has_and_hears_of_the_others(file, settings, random):
    first, path = file
    torch.manual_seed(2)
    second = small(**settings)
    names = load_start(second, path)
    assert sorted(names["random"]) == random
    whole = parts_of(first)
    for name, part in parts_of(second).items():
        # Layers that start at ones and zeros are alike by chance, whole parts are not.
        assert same(part, whole[name]) if name in names["pretrained"] else name in random


def test_settings_that_weights_do_not_show_must_agree(file):
    """Heads and amplitudes change no shape: the weights would load, and mean something else."""
    with pytest.raises(ModelFileError, match=r"made for position_scale = 0\.1, got 0\.5"):
        load_start(small(position_scale=0.5), file[1])
    with pytest.raises(ModelFileError, match="made for heads = 2, got 4"):
        load_start(small(heads=4), file[1])


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "start.safetensors"
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_start(small(), path)
    path.write_bytes(b"not one")
    with pytest.raises(ModelFileError, match="cannot be read"):
        load_start(small(), path)


#: The demo's, with the module that it leaves out.
BUNDLED = DEMO_NETWORK.model_dump() | {"attention": NetworkSettings().attention}


def test_the_bundled_weights_are_of_every_part_of_the_network_but_the_regions():
    """Those begin as noise, as they did where they were shown to pay."""
    model = create_model(**BUNDLED, image_size=64, pretrained="bundled_network")
    assert model.start is not None
    assert model.start["random"] == ["regions"]
    # Where pretraining left it: the way back from global context no longer adds nothing.
    context = parts_of(model)["global_context"]
    assert context.widen.weight.abs().mean() > 1e-3


def test_the_bundled_weights_of_the_network_are_not_for_the_published_one():
    with pytest.raises(ModelFileError, match="not of the published one"):
        create_model("published", backbone="test_resnet", pretrained="bundled_network")


def test_a_trained_folder_does_not_need_the_bundled_weights(tmp_path, monkeypatch):
    model = create_model(**BUNDLED, image_size=64, pretrained="bundled_network").eval()
    save_model(model, tmp_path, {})
    monkeypatch.setattr(create, "BUNDLED_NETWORK", tmp_path / "none.safetensors")
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path)(pictures), model(pictures))
