import json
import shutil

import pytest

from aacsfnet.augmentation.diffusion import model_files
from aacsfnet.augmentation.diffusion.model_files import bundled_model
from aacsfnet.augmentation.diffusion.pipelines import load_pipeline
from aacsfnet.augmentation.diffusion.recipe import recipe_of
from aacsfnet.augmentation.local_models import CARD
from aacsfnet.config import Generate
from aacsfnet.errors import ModelFileError
from tools.miniature import architecture


@pytest.fixture
def copy(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(bundled_model(), folder)
    return folder


def find(folder, **keys):
    return model_files.find_model(Generate(model=str(folder), **keys))


def describe(folder, **keys):
    model_files.describe.cache_clear()
    return model_files.describe(find(folder, **keys))


def load(folder, **keys):
    import torch

    settings = Generate(model=str(folder), **keys)
    files = model_files.find_model(settings)
    recipe = recipe_of(settings, files.kind)
    return load_pipeline(files, recipe, torch.device("cpu"), torch.float32, settings.lora_scale)


def test_a_missing_folder_names_the_key():
    with pytest.raises(ModelFileError, match=r"generate\.model = '/nowhere': no such folder"):
        find("/nowhere")


def test_a_folder_without_a_controlnet_says_so(copy):
    shutil.rmtree(copy / "controlnet")
    with pytest.raises(ModelFileError, match=r"lacks controlnet.*generate\.controlnet"):
        load(copy)


def test_a_controlnet_elsewhere_is_loaded_and_enters_the_checksum(copy, tmp_path):
    within = describe(copy)
    elsewhere = str(shutil.move(copy / "controlnet", tmp_path / "depth-net"))
    loaded = load(copy, controlnet=elsewhere)
    assert loaded.controlnet.config.block_out_channels == [32, 64, 128]
    about = describe(copy, controlnet=elsewhere)
    assert about["name"].endswith("+ depth-net")
    assert about["sha256"] != within["sha256"]


def test_a_controlnet_that_is_not_there_is_an_error(copy):
    with pytest.raises(ModelFileError, match=r"generate\.controlnet = '/nowhere'"):
        load(copy, controlnet="/nowhere")


def test_pickled_weights_are_refused(copy):
    weights = next((copy / "unet").glob("*.safetensors"))
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(ModelFileError, match=r"unet: no \*\.safetensors .* may run code"):
        load(copy)


def test_cut_off_weights_are_an_error_of_one_line(copy):
    weights = next((copy / "vae").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        load(copy)


def test_the_checksum_shows_any_change_of_weights_or_settings(copy):
    before = describe(copy)["sha256"]
    settings = copy / "scheduler" / "scheduler_config.json"
    settings.write_text(settings.read_text().replace("1000", "999"))
    assert describe(copy)["sha256"] != before


def test_the_card_says_whether_the_model_was_trained(copy):
    (copy / CARD).write_text(json.dumps({"name": "mine", "trained": False}))
    about = describe(copy)
    assert (about["name"], about["trained"]) == ("mine", False)


def test_missing_files_of_the_bundled_model_are_an_error_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(model_files, "_BUNDLED", tmp_path / "not there")
    with pytest.raises(ModelFileError, match="missing from the package; install it again"):
        describe("bundled")
    with pytest.raises(ModelFileError, match="missing from the package; install it again"):
        model_files.load_tokenizer("bundled")


def test_depth_has_an_effect_on_the_untrained_model():
    import torch

    network = architecture.build_pipeline(seed=0).controlnet
    noisy, text = torch.zeros(1, 4, 16, 16), torch.zeros(1, 77, 96)
    flat, step = torch.zeros(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    outputs = [
        network(noisy, 10, text, controlnet_cond=depth, return_dict=False)[1]
        for depth in (flat, step)
    ]
    assert (outputs[0] - outputs[1]).abs().max() > 1e-6


@pytest.mark.parametrize("broken", ["", "[]", '{"_class_name": '])
def test_settings_that_cannot_be_read_are_one_line(copy, broken):
    (copy / "scheduler" / "scheduler_config.json").write_text(broken)
    with pytest.raises(ModelFileError, match=r"scheduler_config\.json: cannot be read") as told:
        model_files.scheduler_of(find(copy), "model")
    assert "\n" not in str(told.value)
    (copy / "model_index.json").write_text(broken)
    with pytest.raises(ModelFileError, match=r"model_index\.json: cannot be read"):
        find(copy)


def test_the_models_own_scheduler_is_named_by_its_class(copy):
    assert model_files.scheduler_of(find(copy), "model") == "DDIMScheduler"
    assert model_files.scheduler_of(find(copy), "lcm") == "LCMScheduler"
