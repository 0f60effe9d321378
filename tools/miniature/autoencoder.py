"""The autoencoder: pictures of 128 x 128 x 3 to latents of 32 x 32 x 4 and back."""

import logging
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from aacsfnet.augmentation.gate.resemblance import REGIONS
from tools.miniature.architecture import build_pipeline
from tools.miniature.averaging import averaged

log = logging.getLogger(__name__)

#: Side of the squares cut out for training; small ones see more different faces in a step.
CUT = 64
#: Weight of brows, eyes and mouth against the rest: there the label is.
REGION_WEIGHT = 4.0
_KL_WEIGHT = 1e-5
_TONE_WEIGHT = 3.0
_SAVE_SECONDS = 180


class Faces:
    """All faces of a data folder, with where their label shows."""

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.glob("prompts-*.json"))
        names = [file.stem.removeprefix("prompts-") for file in files]
        self.names = names
        self.images = np.concatenate([np.load(folder / f"images-{n}.npy") for n in names])
        self.depths = np.concatenate([np.load(folder / f"depths-{n}.npy") for n in names])
        self.points = np.concatenate([np.load(folder / f"points-{n}.npy") for n in names])

    def weights(self) -> np.ndarray:
        """Return uint8 `(N, H, W)`: 1 near brows, eyes and mouth, else 0."""
        import cv2

        side = self.images.shape[1]
        masks = np.zeros((len(self.images), side, side), np.uint8)
        for mask, points in zip(masks, self.points, strict=True):
            for region in ("eyes", "brows", "mouth"):
                for x, y in points[list(REGIONS[region]), :2]:
                    cv2.circle(mask, (round(float(x)), round(float(y))), 3, 1, -1)
        return masks


def _batch(
    faces: Faces, masks: np.ndarray, random: np.random.Generator, size: int
) -> tuple[Tensor, Tensor]:
    """Return cut-outs `(B, 3, CUT, CUT)` in -1..1, half of them mirrored, and their masks."""
    side = faces.images.shape[1]
    pictures, weights = [], []
    for number in random.integers(len(faces.images), size=size):
        # Two in three lie on the face, which fills the middle.
        spread = (0, side - CUT) if random.random() < 0.33 else (side // 5, side - CUT - side // 5)
        left, top = random.integers(*spread, size=2, endpoint=True)
        cut = np.s_[number, top : top + CUT, left : left + CUT]
        step = -1 if random.random() < 0.5 else 1
        pictures.append(faces.images[cut][:, ::step])
        weights.append(masks[cut][:, ::step])
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x, torch.from_numpy(np.stack(weights))[:, None].float()


def reconstruction_loss(output: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Return mean absolute errors of values, gradients at three scales, and tone, weighted."""
    total = output.new_zeros(())
    for scale in (1, 2, 4):
        if scale > 1:
            output, target = functional.avg_pool2d(output, 2), functional.avg_pool2d(target, 2)
            mask = functional.avg_pool2d(mask, 2)
        weight = 1 + (REGION_WEIGHT - 1) * mask
        error = output - target
        total = total + (error.abs() * weight).mean()
        across = (error[..., 1:] - error[..., :-1]).abs() * weight[..., 1:]
        down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weight[..., 1:, :]
        total = total + across.mean() + down.mean()
    # Without this the four channels are spent on detail and skin loses its tone.
    tone = functional.avg_pool2d(output - target, 2)
    return total + _TONE_WEIGHT * (tone.abs().mean() + (tone - tone.mean(1, True)).abs().mean())


def train(data: Path, output: Path, minutes: float, batch: int = 16, rate: float = 1.5e-3) -> None:
    """Train for some minutes, going on from `output` if it exists; save now and then."""
    torch.manual_seed(1)
    vae = build_pipeline(seed=0).vae
    ema = averaged(vae)
    optimiser = torch.optim.AdamW(vae.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-4)
    spent, step = 0.0, 0
    if output.exists():
        state = torch.load(output, weights_only=True)
        vae.load_state_dict(state["vae"])
        ema.module.load_state_dict(state["ema"])
        optimiser.load_state_dict(state["optimiser"])
        spent, step = state["seconds"], state["step"]
        ema.n_averaged.fill_(step + 1)
    faces = Faces(data)
    masks = faces.weights()
    random = np.random.default_rng(step)
    total, start, saved, running = minutes * 60, time.monotonic(), time.monotonic(), 0.0
    base = spent
    while spent < total:
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 100) * max(0.02, 1 - (spent / total) ** 2)
        x, mask = _batch(faces, masks, random, batch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            posterior = vae.encode(x).latent_dist
            y = vae.decode(posterior.sample()).sample
        loss = reconstruction_loss(y.float(), x, mask)
        kl = posterior.kl().float().mean()
        optimiser.zero_grad()
        (loss + _KL_WEIGHT * kl).backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimiser.step()
        step += 1
        ema.update_parameters(vae)
        running += (loss.item() - running) / min(step, 50)
        spent = base + time.monotonic() - start
        if step % 50 == 0:
            log.info("%.0f s, step %d, loss %.4f, kl %.0f", spent, step, running, kl.item())
        if time.monotonic() - saved > _SAVE_SECONDS or spent >= total:
            saved = time.monotonic()
            state = {"vae": vae.state_dict(), "ema": ema.module.state_dict(), "seconds": spent}
            state |= {"optimiser": optimiser.state_dict(), "step": step}
            torch.save(state, output.with_suffix(".tmp"))
            output.with_suffix(".tmp").replace(output)
            if len(list(data.glob("prompts-*.json"))) > len(faces.names):
                faces = Faces(data)
                masks = faces.weights()
