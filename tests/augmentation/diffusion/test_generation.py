"""Generation under faults, with the bundled architecture and random weights at 64 pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from aacsfnet.augmentation.diffusion import generation
from aacsfnet.augmentation.diffusion.generation import Generator
from aacsfnet.augmentation.diffusion.recipe import Recipe
from aacsfnet.augmentation.diffusion.tasks import Task
from aacsfnet.errors import WorkError
from tools.miniature.architecture import build_pipeline

RECIPE = Recipe(strength=0.5, steps=4, guidance_scale=2.0, conditioning_scale=1.0, batch=8)


@pytest.fixture(scope="module")
def pipeline():
    made = build_pipeline(seed=0)
    made.set_progress_bar_config(disable=True)
    return made


def tasks(count, size=64):
    random = np.random.default_rng(0)
    return [
        Task(
            image=random.integers(0, 255, (size, size, 3), dtype=np.uint8),
            depth=random.integers(0, 65535, (size, size), dtype=np.uint16),
            prompt=("closed eyes", "raised cheeks")[number % 2],
            negative_prompt="",
            seed=number,
        )
        for number in range(count)
    ]


def flat(batches):
    return [result for batch in batches for result in batch]


def make(pipeline, todo, recipe=RECIPE):
    return flat(Generator(pipeline, recipe).generate(todo))


def test_one_picture_each_in_order_and_none_for_the_padding(pipeline):
    todo = tasks(11)
    results = make(pipeline, todo)
    assert len(results) == 11
    assert all(result.picture.shape == (64, 64, 3) for result in results)
    assert all(result.picture.dtype == np.uint8 for result in results)
    assert len({result.picture.tobytes() for result in results}) == 11


def test_a_picture_depends_on_its_own_task_not_on_its_batch_mates(pipeline):
    todo = tasks(5)
    together = make(pipeline, todo)
    alone = make(pipeline, todo[3:4])[0]
    # The same batch shape, so the same arithmetic: equal to the bit.
    np.testing.assert_array_equal(alone.picture, together[3].picture)


def test_seed_depth_prompt_and_source_all_matter(pipeline):
    (base,) = tasks(1)
    other = tasks(2)[1]
    changed = {name: getattr(other, name) for name in ("image", "depth", "prompt", "seed")}
    reference = make(pipeline, [base])[0].picture
    for name, value in changed.items():
        picture = make(pipeline, [replace(base, **{name: value})])[0].picture
        assert (picture != reference).any(), name


def test_what_the_autoencoder_loses_of_a_source_is_added_back_where_asked(pipeline):
    (task,) = tasks(1)
    plain, restored = (
        make(pipeline, [replace(task, restored=asked)])[0].picture.astype(int)
        for asked in (False, True)
    )
    image = torch.from_numpy(task.image.copy()).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.inference_mode():
        through = pipeline.vae.decode(pipeline.vae.encode(image).latent_dist.mode()).sample
    lost = ((image - through) * 127.5)[0].permute(1, 2, 0).numpy()
    whole = (plain > 0) & (plain < 255)  # what was cut off at black and white is not known
    expected = np.clip(plain + lost, 0, 255)
    assert np.abs(restored - expected)[whole].max() < 2
    assert np.abs(restored - plain).mean() > 10


def test_a_batch_holds_pictures_of_one_strength_and_one_kind(pipeline):
    todo = [
        replace(task, strength=strength, restored=restored)
        for task, (strength, restored) in zip(
            tasks(6), ((0.5, False),) * 2 + ((1.0, False),) * 3 + ((1.0, True),), strict=True
        )
    ]
    batches = list(Generator(pipeline, RECIPE).generate(todo))
    assert [len(batch) for batch in batches] == [2, 3, 1]


def test_each_distinct_text_is_encoded_once(pipeline, monkeypatch):
    encoded = []
    encode = generation.encode_texts
    monkeypatch.setattr(
        generation, "encode_texts", lambda *args: encoded.extend(args[-1]) or encode(*args)
    )
    generator = Generator(pipeline, RECIPE)
    flat(generator.generate(tasks(9)))
    flat(generator.generate(tasks(3)))
    assert sorted(encoded) == ["", "closed eyes", "raised cheeks"]


def test_out_of_memory_halves_the_batch_and_loses_nothing(pipeline, monkeypatch):
    denoise = Generator._denoise

    def short_of_memory(self, todo):
        if len(todo) > 4:
            raise torch.OutOfMemoryError("planted")
        return denoise(self, todo)

    monkeypatch.setattr(Generator, "_denoise", short_of_memory)
    results = make(pipeline, tasks(10))
    assert len(results) == 10
    assert {result.batch for result in results} == {4}
    assert all(result.picture is not None for result in results)


def test_out_of_memory_in_the_vae_halves_the_batch_too(monkeypatch):
    pipeline = build_pipeline(seed=0)
    pipeline.set_progress_bar_config(disable=True)
    encode = pipeline.vae.encode

    def short_of_memory(x):
        if len(x) > 4:
            raise torch.OutOfMemoryError("planted")
        return encode(x)

    monkeypatch.setattr(pipeline.vae, "encode", short_of_memory)
    results = make(pipeline, tasks(6))
    assert [result.batch for result in results] == [4] * 6
    small = make(pipeline, tasks(6), replace(RECIPE, batch=4))
    for one, other in zip(results, small, strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)


def test_too_little_memory_for_one_picture_is_an_error(pipeline, monkeypatch):
    def no_memory(self, todo):
        raise torch.OutOfMemoryError("planted")

    monkeypatch.setattr(Generator, "_denoise", no_memory)
    with pytest.raises(WorkError, match=r"too little memory .*crop\.size"):
        make(pipeline, tasks(2))


def test_values_that_are_not_finite_fail_their_own_picture_only(pipeline, monkeypatch):
    denoise = Generator._denoise

    def broken(self, todo):
        latents = denoise(self, todo)
        latents[1] = float("nan")
        return latents

    monkeypatch.setattr(Generator, "_denoise", broken)
    results = make(pipeline, tasks(3))
    assert [result.picture is None for result in results] == [False, True, False]
    assert "NaN or infinite" in results[1].fault


def test_half_precision_is_retried_with_the_vae_in_fp32_then_all_in_fp32(monkeypatch):
    half = build_pipeline(seed=0)
    half.set_progress_bar_config(disable=True)
    for part in (half.vae, half.unet, half.controlnet, half.text_encoder):
        part.to(torch.bfloat16)
    denoise, decode = Generator._denoise, Generator._decode

    def bad_unet(self, todo):
        latents = denoise(self, todo)
        if self._pipeline.unet.dtype == torch.bfloat16:
            latents[2] = float("inf")
        return latents

    def bad_vae(self, latents, tasks):
        pictures = decode(self, latents, tasks)
        if self._pipeline.vae.dtype == torch.bfloat16:
            pictures[0] = float("nan")
        return pictures

    monkeypatch.setattr(Generator, "_denoise", bad_unet)
    monkeypatch.setattr(Generator, "_decode", bad_vae)
    results = make(half, tasks(3))
    assert [result.precision for result in results] == [
        "bfloat16, VAE float32",
        "bfloat16",
        "float32",
    ]
    assert all(result.picture is not None for result in results)
    assert half.unet.dtype == half.vae.dtype == torch.bfloat16  # as before


def test_a_black_picture_is_a_fault(pipeline, monkeypatch):
    decode = Generator._decode

    def black(self, latents, tasks):
        pictures = decode(self, latents, tasks)
        pictures[0] = -1.0
        return pictures

    monkeypatch.setattr(Generator, "_decode", black)
    first, second = make(pipeline, tasks(2))
    assert (first.picture, first.fault) == (None, "the picture is black")
    assert second.picture is not None


@pytest.mark.parametrize("shape", [(32, 64), (64, 72)])
def test_a_depth_map_of_another_size_is_an_error(pipeline, shape):
    (task,) = tasks(1)
    wrong = replace(task, depth=np.zeros(shape, np.uint16))
    with pytest.raises(WorkError, match=rf"{shape[0]} x {shape[1]}"):
        make(pipeline, [wrong])


def test_a_size_not_divisible_by_8_is_an_error(pipeline):
    with pytest.raises(WorkError, match="divisible by 8"):
        make(pipeline, tasks(1, size=60))
