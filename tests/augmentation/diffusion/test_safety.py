import numpy as np
import pytest
import torch

from aacsfnet.augmentation.diffusion.safety import SafetyChecker
from aacsfnet.errors import ModelFileError


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A small safety checker whose bounds lie so that it flags some pictures and not others."""
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig

    torch.manual_seed(0)
    vision = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
        "projection_dim": 16,
    }
    model = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=16))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("_embeds"):
                weight.normal_()
            elif name.startswith(("concept_embeds_w", "special_care_embeds_w")):
                weight.fill_(0.45)
    path = tmp_path_factory.mktemp("checker")
    model.save_pretrained(path, safe_serialization=True)
    return path


@pytest.fixture
def pictures():
    random = np.random.default_rng(1)
    shades = random.integers(0, 255, (24, 4, 4, 3), dtype=np.uint8)
    return [np.kron(shade, np.ones((12, 16, 1), np.uint8)) for shade in shades]


def test_a_score_above_zero_is_what_the_checker_would_blank(folder, pictures):
    checker = SafetyChecker(str(folder))
    weights = checker._model.concept_embeds_weights
    weights.data += float(np.median(checker.scores(pictures)))  # so that half are above 0
    pixels = checker._prepare(images=pictures, return_tensors="pt").pixel_values
    blanked, flagged = checker._model(
        clip_input=pixels, images=[picture.astype(float) + 1 for picture in pictures]
    )
    scores = checker.scores(pictures)
    near = np.abs(scores) < 1e-3  # the checker rounds to three digits
    assert 2 < sum(flagged) < len(pictures) - 2
    assert near.sum() < 6
    np.testing.assert_array_equal((np.array(scores) > 0)[~near], np.array(flagged)[~near])
    assert [not picture.any() for picture in blanked] == flagged


def test_no_pictures_have_no_scores(folder):
    assert SafetyChecker(str(folder)).scores([]) == []


def test_a_missing_or_other_folder_is_one_line(folder, tmp_path):
    with pytest.raises(ModelFileError, match=r"generate\.safety_checker = '/nowhere': no such"):
        SafetyChecker("/nowhere")
    (tmp_path / "model.safetensors").write_bytes(
        (next(folder.glob("*.safetensors"))).read_bytes()[:99]
    )
    with pytest.raises(ModelFileError, match="not a safety checker") as told:
        SafetyChecker(str(tmp_path))
    assert "\n" not in str(told.value)
