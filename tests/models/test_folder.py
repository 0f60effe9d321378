import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import aacsfnet
from aacsfnet.errors import ModelFileError
from aacsfnet.models import save_model
from aacsfnet.models.folder import save_skipped

SETTINGS = {
    "backbone": "test_resnet",
    "image_size": 64,
    "feature_stride": 16,
    "context_width": 32,
    "width": 32,
    "depth": 1,
    "heads": 2,
}


@pytest.fixture(name="saved")
def _saved(tmp_path):
    torch.manual_seed(0)
    model = aacsfnet.create_model(**SETTINGS).eval()
    model.pixel_mean.fill_(0.25)
    model.label_mean.fill_(2.0)
    save_model(model, tmp_path, {"label": {"name": "pspi"}})
    return model, tmp_path


def test_a_saved_network_scores_as_before(saved):
    model, folder = saved
    batch = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(aacsfnet.load_model(folder)(batch), model(batch))


def test_the_description_holds_all_settings(saved):
    _, folder = saved
    description = json.loads((folder / "config.json").read_text())
    assert description["settings"]["width"] == 32
    assert description["settings"]["fusion"] == "attention"  # defaults too
    assert description["label"] == {"name": "pspi"}


#: `config.json` as it was written when a network's settings were arguments one by one.
WRITTEN_BEFORE = {
    "aacsfnet": {
        "backbone": "test_resnet",
        "image_size": 64,
        "branches": ["channel", "spatial"],
        "attention": ["channel", "global"],
        "feature_stride": 16,
        "context_width": 32,
        "context_depth": 2,
        "scales": [16, 8],
        "width": 16,
        "depth": 1,
        "heads": 2,
        "fusion": "gated",
        "fusion_width": 16,
        "branch_dropout": 0.5,
        "dropout": 0.1,
        "head": "ordinal",
        "label_range": [0.0, 10.0],
        "levels": 5,
    },
    "published": {
        "backbone": "test_resnet",
        "image_size": 64,
        "batch": 4,
        "context_width": 64,
        "context_depth": 1,
        "width": 32,
        "depth": 1,
        "heads": 2,
    },
}


ADDED_SINCE = {
    "embedding": "linear",
    "position_scale": 0.1,
    "context": "none",
    "context_frames": 2,
    "regions": False,
}


@pytest.mark.parametrize("name", WRITTEN_BEFORE)
def test_a_folder_written_before_still_loads_and_is_written_the_same_way(name, tmp_path):
    settings = WRITTEN_BEFORE[name]
    model = aacsfnet.create_model(name, **settings).eval()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    text = json.dumps({"format": 1, "name": name, "settings": settings})
    (tmp_path / "config.json").write_text(text)
    loaded = aacsfnet.load_model(tmp_path)
    batch = torch.rand(4, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded(batch), model(batch))
    save_model(loaded, tmp_path, {})
    written = json.loads((tmp_path / "config.json").read_text())
    for key in set(written["settings"]) - set(settings):
        assert key in ADDED_SINCE  # a setting of later, at what it was then
        assert written["settings"].pop(key) == ADDED_SINCE[key]
    assert written == json.loads(text)


def test_no_folder_is_told_apart_from_a_wrong_one(saved, tmp_path_factory):
    _, folder = saved
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ModelFileError, match="folder of a trained model"):
        aacsfnet.load_model(empty)
    (empty / "config.json").write_text("{")
    with pytest.raises(ModelFileError, match="not JSON"):
        aacsfnet.load_model(empty)
    (empty / "config.json").write_text('{"format": 99}')
    with pytest.raises(ModelFileError, match="format 1"):
        aacsfnet.load_model(empty)
    (empty / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        aacsfnet.load_model(empty)


def test_weights_that_do_not_fit_are_refused(saved):
    _, folder = saved
    weights = load_file(folder / "model.safetensors")
    weights.pop("label_mean")
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelFileError, match="label_mean"):
        aacsfnet.load_model(folder)


def test_a_damaged_file_is_refused(saved):
    _, folder = saved
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelFileError, match="cannot be read"):
        aacsfnet.load_model(folder)


def test_a_model_that_was_not_trained_is_refused_with_the_reason(tmp_path):
    save_skipped(tmp_path, "fold 3: nobody to test")
    with pytest.raises(ModelFileError, match=r"config\.json: not trained \(fold 3: nobody to test"):
        aacsfnet.load_model(tmp_path)
