"""The diffusion: U-Net, ControlNet and text encoder, trained together on latents."""

import json
import logging
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from aacsfnet.config import Prompts
from tools.miniature.architecture import build_pipeline
from tools.miniature.averaging import averaged

log = logging.getLogger(__name__)

_TOKENS = 77
_SAVE_SECONDS = 240
#: Share of texts left away, so that guidance has something to compare with.
_NO_TEXT = 0.12
#: Share of noise levels drawn from the lower part, up to this: the workflow adds noise to a source
#: and seldom starts from noise alone.
_OFTEN_BELOW, _OFTEN = 620, 0.8
#: Share of faces whose source is displaced against the depth map, and the least noise for it.
_DISPLACED, _DISPLACED_FROM = 0.35, 200


@dataclass(frozen=True)
class Latents:
    """Encoded faces, each also mirrored, with what steers them.

    Attributes:
        latents: `(N, 4, 32, 32)` float16, standardised.
        depths: `(N, 128, 128)` uint8.
        tokens: `(N, 77)` int64.
        mean, spread: `(4,)` of the latents before.
    """

    latents: np.ndarray
    depths: np.ndarray
    tokens: np.ndarray
    mean: np.ndarray
    spread: np.ndarray


def mirrored_words(prompt: str) -> str:
    """Return a prompt for the mirrored picture.

    >>> mirrored_words("a man looking left and up")
    'a man looking right and up'
    """
    swap = {"left": "right", "right": "left"}
    return re.sub(r"\b(left|right)\b", lambda match: swap[match[1]], prompt)


def token_numbers(tokenizer: Any, texts: list[str]) -> np.ndarray:
    """Return `(N, 77)` as the pipeline makes them.

    Raises:
        ValueError: a text is too long.
    """
    numbers = tokenizer(texts, padding="max_length", max_length=_TOKENS).input_ids
    if any(len(row) != _TOKENS for row in numbers):
        raise ValueError("a prompt has more than 77 tokens")
    return np.array(numbers)


def encode(data: Path, autoencoder: Path, output: Path) -> None:
    """Encode all faces of a data folder with a trained autoencoder and write one `.npz` file."""
    pipeline = build_pipeline(seed=0)
    vae = pipeline.vae.eval()
    vae.load_state_dict(torch.load(autoencoder, weights_only=True)["ema"])
    latents, depths, prompts = [], [], []
    for file in sorted(data.glob("prompts-*.json")):
        name = file.stem.removeprefix("prompts-")
        images = np.load(data / f"images-{name}.npy")
        depth = np.load(data / f"depths-{name}.npy")
        texts = json.loads(file.read_text())
        for step in (1, -1):
            depths.append(depth[:, :, ::step])
            prompts += texts if step == 1 else [mirrored_words(text) for text in texts]
            for part in np.array_split(images[:, :, ::step], max(1, len(images) // 32)):
                x = torch.from_numpy(np.ascontiguousarray(part)).permute(0, 3, 1, 2)
                with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
                    mode = vae.encode(x.float() / 127.5 - 1).latent_dist.mode()
                latents.append(mode.float().numpy())
        log.info("%s encoded", name)
    stacked = np.concatenate(latents)
    mean, spread = stacked.mean(axis=(0, 2, 3)), stacked.std(axis=(0, 2, 3))
    shape = (1, -1, 1, 1)
    np.savez(
        output,
        latents=((stacked - mean.reshape(shape)) / spread.reshape(shape)).astype(np.float16),
        depths=np.concatenate(depths),
        tokens=token_numbers(pipeline.tokenizer, prompts),
        mean=mean,
        spread=spread,
    )


def load(file: Path) -> Latents:
    """Return what `encode` wrote."""
    with np.load(file, allow_pickle=False) as stored:
        return Latents(**{name: stored[name] for name in Latents.__annotations__})


def displaced(latents: Tensor, random: np.random.Generator) -> Tensor:
    """Return latents `(B, 4, 32, 32)` moved about by a few smooth, random pixels.

    A source that lies beside its depth map teaches the model that depth says where things are, and
    the source only what they look like. Without this, depth has no say at strength 0.5.
    """
    count, _, height, width = latents.shape
    coarse = random.normal(0, 1, (count, 2, 4, 4)) + random.normal(0, 1, (count, 2, 1, 1))
    field = torch.from_numpy(coarse.astype(np.float32))
    field = functional.interpolate(field, (height, width), mode="bicubic", align_corners=True)
    pixels = torch.from_numpy(random.uniform(0.3, 1.6, (count, 1, 1, 1)).astype(np.float32))
    shift = (field * pixels * 2 / width).permute(0, 2, 3, 1)  # (B, H, W, 2), of a side of 2
    still = torch.eye(2, 3).expand(count, 2, 3)
    grid = functional.affine_grid(still, list(latents.shape), align_corners=False)
    return functional.grid_sample(latents, grid + shift, padding_mode="border", align_corners=False)


def _noise_levels(random: np.random.Generator, size: int, count: int) -> Tensor:
    """Return time steps, evenly spread within the batch so that the loss varies less."""
    even = (np.arange(size) + random.random()) / size
    often = random.random(size) < _OFTEN
    steps = np.where(often, even * _OFTEN_BELOW, even * count)
    return torch.from_numpy(steps.astype(np.int64))


def train(encoded: Path, output: Path, minutes: float, batch: int = 32, rate: float = 6e-4) -> None:
    """Train for some minutes, going on from `output` if it exists; save now and then."""
    torch.manual_seed(2)
    pipeline = build_pipeline(seed=0)
    model = _trained_parts(pipeline)
    slow = averaged(model)
    schedule = pipeline.scheduler
    signal = schedule.alphas_cumprod.sqrt()
    noise_share = (1 - schedule.alphas_cumprod).sqrt()
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-2)
    base, step = 0.0, 0
    if output.exists():
        state = torch.load(output, weights_only=True)
        model.load_state_dict(state["model"])
        slow.module.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        base, step = state["seconds"], state["step"]
        slow.n_averaged.fill_(step + 1)
    data = load(encoded)
    blank = token_numbers(pipeline.tokenizer, ["", Prompts().negative])
    random = np.random.default_rng(step)
    total, start, saved, running = minutes * 60, time.monotonic(), time.monotonic(), 0.0
    spent = base
    while spent < total:
        falling = max(0.02, 0.5 + 0.5 * math.cos(math.pi * spent / total))
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 150) * falling
        picked = np.sort(random.integers(len(data.latents), size=batch))
        clean = torch.from_numpy(data.latents[picked]).float()
        depth = torch.from_numpy(data.depths[picked])[:, None].float().repeat(1, 3, 1, 1) / 255
        tokens = data.tokens[picked]
        dropped = random.random(batch) < _NO_TEXT
        tokens[dropped] = blank[random.integers(2, size=dropped.sum())]
        levels = _noise_levels(random, batch, schedule.config.num_train_timesteps)
        noise = torch.randn_like(clean)
        a, s = signal[levels].view(-1, 1, 1, 1), noise_share[levels].view(-1, 1, 1, 1)
        moved = torch.from_numpy(random.random(batch) < _DISPLACED) & (levels >= _DISPLACED_FROM)
        source = clean.clone()
        if moved.any():
            source[moved] = displaced(clean[moved], random)
        noisy = a * source + s * noise
        with torch.autocast("cpu", dtype=torch.bfloat16):
            predicted = _predict(model, noisy, levels, tokens, depth)
        # The velocity that leads from here to the clean latents, also where they were displaced.
        error = predicted.float() - (a * noisy - clean) / s
        weight = torch.where(moved.view(-1, 1, 1, 1), s, torch.ones_like(s))
        loss = (weight * error.square()).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        slow.update_parameters(model)
        running += (loss.item() - running) / min(step, 100)
        spent = base + time.monotonic() - start
        if step % 50 == 0:
            log.info("%.0f s, step %d, loss %.4f", spent, step, running)
        if time.monotonic() - saved > _SAVE_SECONDS or spent >= total:
            saved = time.monotonic()
            state = {"model": model.state_dict(), "ema": slow.module.state_dict(), "seconds": spent}
            state |= {"optimiser": optimiser.state_dict(), "step": step}
            torch.save(state, output.with_suffix(".tmp"))
            output.with_suffix(".tmp").replace(output)


def _trained_parts(pipeline: Any) -> nn.ModuleDict:
    names = ("unet", "controlnet", "text_encoder")
    parts = nn.ModuleDict({name: getattr(pipeline, name) for name in names})
    return parts.train()


def _predict(
    model: nn.ModuleDict, noisy: Tensor, levels: Tensor, tokens: np.ndarray, depth: Tensor
) -> Tensor:
    """Return the predicted velocity `(B, 4, 32, 32)`."""
    text = model["text_encoder"](torch.from_numpy(tokens))[0]
    down, middle = model["controlnet"](
        noisy, levels, encoder_hidden_states=text, controlnet_cond=depth, return_dict=False
    )
    return model["unet"](
        noisy,
        levels,
        encoder_hidden_states=text,
        down_block_additional_residuals=down,
        mid_block_additional_residual=middle,
    ).sample


def assemble(autoencoder: Path, encoded: Path, diffusion: Path) -> Any:
    """Return the pipeline of trained parts; the latents' standardising goes into the VAE."""
    pipeline = build_pipeline(seed=0)
    pipeline.vae.load_state_dict(torch.load(autoencoder, weights_only=True)["ema"])
    _trained_parts(pipeline).load_state_dict(torch.load(diffusion, weights_only=True)["ema"])
    with np.load(encoded, allow_pickle=False) as stored:
        fold_in(pipeline.vae, torch.from_numpy(stored["mean"]), torch.from_numpy(stored["spread"]))
    for part in (pipeline.vae, pipeline.unet, pipeline.controlnet, pipeline.text_encoder):
        part.eval()
    return pipeline


@torch.no_grad()
def fold_in(vae: Any, mean: Tensor, spread: Tensor) -> None:
    """Change a VAE so that its latents have mean 0 and standard deviation 1, and decode as before.

    Args:
        vae: an `AutoencoderKL` with quantisation convolutions.
        mean: `(4,)` of the latents so far.
        spread: `(4,)` likewise, standard deviation.
    """
    into, out = vae.quant_conv, vae.post_quant_conv
    channels = len(mean)
    into.bias[:channels] = (into.bias[:channels] - mean) / spread
    into.weight[:channels] /= spread[:, None, None, None]
    into.bias[channels:] -= 2 * spread.log()  # the second half is the logarithm of the variance
    out.bias += (out.weight[..., 0, 0] * mean).sum(dim=1)
    out.weight *= spread[None, :, None, None]
