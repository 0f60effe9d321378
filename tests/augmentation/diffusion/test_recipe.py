import pytest

from aacsfnet.augmentation.diffusion.recipe import SCHEDULERS, recipe_of
from aacsfnet.config import Generate, validate
from aacsfnet.config.augmentation import LCM_STEPS, PRESETS
from aacsfnet.errors import SettingsError

SD = "sd-controlnet"


def values(**keys):
    recipe = recipe_of(Generate(model="/a/model", **keys), SD)
    return recipe.steps, recipe.guidance_scale, recipe.scheduler


def test_a_preset_decides_what_the_settings_leave_open():
    assert values(preset="quality") == (30, 7.0, "dpm++")
    assert values() == values(preset="balanced") == (20, 6.0, "unipc")
    assert values(preset="fast", lora="a.safetensors") == (8, 1.0, "lcm")


@pytest.mark.parametrize("preset", PRESETS)
def test_explicit_values_override_every_preset(preset):
    keys = {"steps": 11, "guidance_scale": 2.5, "scheduler": "ddim", "lora": "a.safetensors"}
    assert values(preset=preset, **keys) == (11, 2.5, "ddim")


def test_guidance_of_zero_is_a_value_too():
    assert values(guidance_scale=0.0)[1] == 0.0


def test_the_bundled_model_keeps_its_scheduler_and_little_guidance():
    chosen = [recipe_of(Generate(preset=preset), SD) for preset in PRESETS]
    assert [recipe.guidance_scale for recipe in chosen] == [1.5, 1.5, 1.0]
    assert {recipe.scheduler for recipe in chosen} == {"model"}


def test_few_steps_without_a_lora_are_refused_unless_the_model_needs_none():
    with pytest.raises(SettingsError, match=r"preset fast needs a few-step LoRA.*lora: none"):
        validate({"generate": {"model": "/a/model", "preset": "fast"}})
    assert validate({"generate": {"model": "/a/model", "preset": "fast", "lora": "none"}})
    assert validate({"generate": {"preset": "fast"}})  # the bundled model has no LoRA


def test_presets_and_schedulers_name_what_is_there():
    import diffusers

    assert {preset.scheduler for preset in PRESETS.values()} <= set(SCHEDULERS)
    assert all(hasattr(diffusers, name) for name in SCHEDULERS.values() if name)


def test_too_few_steps_for_the_strength_are_refused_with_the_presets_too():
    with pytest.raises(SettingsError, match=r"strength 0\.1 x steps 8 is below 1"):
        validate({"generate": {"preset": "fast", "strength": 0.1}})


def test_more_steps_than_the_lcm_scheduler_has_are_refused():
    from diffusers import LCMScheduler

    assert LCMScheduler().config.original_inference_steps == LCM_STEPS
    with pytest.raises(SettingsError, match="steps 51: scheduler lcm takes at most 50"):
        validate({"generate": {"scheduler": "lcm", "steps": 51}})
    assert validate({"generate": {"scheduler": "lcm", "steps": 50}})
