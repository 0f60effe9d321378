"""The training of the bundled generator: the arithmetic round it, and what it left."""

import json

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from aacsfnet.augmentation.diffusion.model_files import bundled_model
from aacsfnet.augmentation.local_models import CARD
from aacsfnet.rendering.sequences import person_of
from aacsfnet.seeds import seed_of
from tools.miniature import architecture, autoencoder, averaging, data, diffusion


def test_standardising_goes_into_the_vae_without_changing_its_pictures():
    vae = architecture.build_pipeline(seed=3).vae.eval()
    pictures = torch.rand(6, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        before = vae.encode(pictures).latent_dist
        decoded = vae.decode(before.mode()).sample
        mean, spread = before.mode().mean(dim=(0, 2, 3)), before.mode().std(dim=(0, 2, 3))
        diffusion.fold_in(vae, mean, spread)
        after = vae.encode(pictures).latent_dist
        torch.testing.assert_close(
            after.mode().mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0
        )
        torch.testing.assert_close(after.mode().std(dim=(0, 2, 3)), torch.ones(4))
        scale = spread[None, :, None, None]
        torch.testing.assert_close(after.std * scale, before.std, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(vae.decode(after.mode()).sample, decoded, atol=1e-4, rtol=1e-4)


def test_averaged_weights_follow_fast_at_first_then_slowly():
    learner = torch.nn.Linear(1, 1, bias=False).requires_grad_(False)
    learner.weight.fill_(1.0)
    average = averaging.averaged(learner)
    weights, expected = (5.0, 1.0, -2.0, 4.0), 1.0
    for step, weight in enumerate(weights, 1):
        learner.weight.fill_(weight)
        average.update_parameters(learner)
        decay = (1 + step) / (10 + step)  # 2/11, 3/12, ...
        expected = decay * expected + (1 - decay) * weight
    assert float(average.module.weight) == pytest.approx(expected, rel=1e-6)
    average.module.weight.fill_(0.0)
    average.n_averaged.fill_(100_000)
    average.update_parameters(learner)
    assert float(average.module.weight) == pytest.approx(0.002 * 4.0, rel=1e-5)


def test_a_stopped_training_goes_on_with_its_average(tmp_path, monkeypatch):
    monkeypatch.setattr(autoencoder.Faces, "weights", lambda faces: faces.images[..., 0] // 255)
    random = np.random.default_rng(0)
    np.save(tmp_path / "images-1.npy", random.integers(0, 256, (2, 128, 128, 3), np.uint8))
    for name in ("depths", "points"):
        np.save(tmp_path / f"{name}-1.npy", np.zeros(2))
    (tmp_path / "prompts-1.json").touch()
    decays = []
    monkeypatch.setattr(averaging, "get_ema_multi_avg_fn", noting(decays))
    seconds, output = [], tmp_path / "autoencoder.pt"
    for _ in range(2):
        autoencoder.train(tmp_path, output, sum(seconds) / 60 + 1e-6, batch=2)
        state = torch.load(output, weights_only=True)
        seconds.append(state["seconds"])
    assert state["step"] == 2
    assert decays == [2 / 11, 3 / 12]
    architecture.build_pipeline(seed=1).vae.load_state_dict(state["ema"])
    assert not all(torch.equal(state["ema"][name], state["vae"][name]) for name in state["ema"])


def noting(decays):
    """As `get_ema_multi_avg_fn`, and keep what it is asked for."""

    def made(decay):
        decays.append(decay)
        return get_ema_multi_avg_fn(decay)

    return made


def test_a_mirrored_prompt_twice_is_the_prompt():
    prompt = "closed eyes, face of a man, looking left and up"
    once = diffusion.mirrored_words(prompt)
    assert once == "closed eyes, face of a man, looking right and up"
    assert diffusion.mirrored_words(once) == prompt


def test_displaced_latents_move_smoothly_and_differ_by_picture():
    across = torch.arange(32.0).expand(8, 4, 32, 32)
    moved = diffusion.displaced(across, np.random.default_rng(0))
    shift = (moved - across)[:, 0, 4:-4, 4:-4]
    assert 0.3 < shift.abs().mean() < 4
    assert shift.diff(dim=1).abs().max() < 1.5  # neighbours move together
    assert len({round(float(value), 3) for value in shift.mean(dim=(1, 2))}) == 8


def test_training_people_are_none_of_the_demos():
    training = {seed_of(data.NAMESPACE, number) for number in range(2000)}
    demo = {person_of(seed, subject).seed for seed in range(20) for subject in range(50)}
    assert not training & demo


def test_faces_are_made_again_alike(tmp_path):
    for folder in (tmp_path / "a", tmp_path / "b"):
        data.make(folder, 2, 700)
    images, again = (np.load(tmp_path / name / "images-000700.npy") for name in "ab")
    np.testing.assert_array_equal(images, again)
    assert images.shape == (2, 128, 128, 3)
    prompts = json.loads((tmp_path / "a" / "prompts-000700.json").read_text())
    assert all("face of a" in prompt for prompt in prompts)


def test_the_shipped_model_is_small_trained_and_told_about():
    folder = bundled_model()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 16 * 2**20
    assert not {path.suffix for path in files} - {".json", ".md", ".safetensors"}
    card = json.loads((folder / CARD).read_text())
    assert card["trained"] is True
    text = (folder / "README.md").read_text()
    for heading in ("Data", "Training", "What it does", "Limits"):
        assert f"## {heading}" in text
