from types import SimpleNamespace

import numpy as np
import pytest
import torch

from aacsfnet.augmentation.diffusion.latents import SourceLatents, content_key, decode
from tests.augmentation.tiny import SIZE, tiny_sd


@pytest.fixture(scope="module")
def vae():
    return tiny_sd().vae


@pytest.fixture
def passes(vae, monkeypatch):
    """Sizes of the VAE's passes."""
    sizes = []
    encode = vae.encode
    monkeypatch.setattr(vae, "encode", lambda x: sizes.append(len(x)) or encode(x))
    return sizes


def pictures(count, seed=0):
    random = np.random.default_rng(seed)
    return list(random.integers(0, 255, (count, SIZE, SIZE, 3), dtype=np.uint8))


def task(picture):
    return SimpleNamespace(image=picture, source_key=content_key(picture))


def tasks(some):
    return [task(picture) for picture in some]


def encoded(vae, picture):
    """One picture by itself, by hand."""
    x = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    return vae.encode(x).latent_dist.mean[0] * vae.config.scaling_factor


@torch.inference_mode()
def test_latents_are_the_means_scaled(vae):
    some = pictures(3)
    got = SourceLatents(vae).of(tasks(some), batch=4)
    torch.testing.assert_close(got, torch.stack([encoded(vae, picture) for picture in some]))


@torch.inference_mode()
def test_each_source_is_encoded_once_and_every_pass_is_full(vae, passes):
    different = pictures(6)
    plan = [picture for picture in different for _ in range(3)]  # three variants of each
    sources = SourceLatents(vae)
    for at in range(0, len(plan), 4):
        sources.of(tasks(plan[at : at + 4]), 4, tasks(plan[at + 4 :]))
    assert passes == [4, 4]  # six sources and two copies to fill up


@torch.inference_mode()
def test_equal_content_counts_as_the_same_source_and_other_content_not(vae, passes):
    (picture,) = pictures(1)
    sources = SourceLatents(vae)
    first = sources.of(tasks([picture, picture.copy()]), 2)
    again = sources.of(tasks([picture.copy()]), 2)
    assert torch.equal(first[0], first[1])
    assert torch.equal(first[:1], again)
    picture[0, 0, 0] ^= 1
    sources.of(tasks([picture]), 2)
    assert passes == [2, 2]


@torch.inference_mode()
def test_another_number_format_is_another_encoding(vae, passes):
    (picture,) = pictures(1)
    sources = SourceLatents(vae)
    sources.of(tasks([picture]), 1)
    vae.to(torch.float64)
    try:
        assert sources.of(tasks([picture]), 1).dtype == torch.float64
    finally:
        vae.to(torch.float32)
    assert len(passes) == 2


@torch.inference_mode()
def test_what_is_kept_is_bounded(vae, monkeypatch):
    from aacsfnet.augmentation.diffusion import latents

    monkeypatch.setattr(latents, "_KEPT", 4)
    sources = SourceLatents(vae)
    for picture in pictures(9):
        sources.of(tasks([picture]), 1)
    assert len(sources._kept) == 4


@torch.inference_mode()
def test_normalised_latents_are_undone_by_decoding(vae):
    """As the SDXL family with `latents_mean` has it (diffusers, prepare_latents)."""
    some = pictures(2)
    plain = SourceLatents(vae).of(tasks(some), 2)
    picture = decode(vae, plain)
    mean, deviation = [0.1, -0.2, 0.3, 0.0], [2.0, 0.5, 1.0, 3.0]
    vae.register_to_config(latents_mean=mean, latents_std=deviation)
    try:
        normalised = SourceLatents(vae).of(tasks(some), 2)
        column = torch.tensor(mean).view(1, 4, 1, 1), torch.tensor(deviation).view(1, 4, 1, 1)
        factor = vae.config.scaling_factor
        torch.testing.assert_close(normalised, (plain / factor - column[0]) * factor / column[1])
        torch.testing.assert_close(decode(vae, normalised), picture, rtol=0, atol=1e-4)
    finally:
        vae.register_to_config(latents_mean=None, latents_std=None)
