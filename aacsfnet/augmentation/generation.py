"""Pictures from a depth-guided diffusion model: batches of arrays in, pictures out.

The model is loaded once; each distinct text is encoded once; every pass has the same batch shape
(the last one is padded), because a picture's last bits depend on the shape it was computed in. Each
picture has a generator of its own on the CPU, so its noise depends on its seed alone.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

#: A picture whose brightest value (of 255) is lower counts as black.
BLACK_BELOW = 8


@dataclass(frozen=True)
class Task:
    """One picture to make.

    Attributes:
        image: `(H, W, 3)` uint8 RGB, the source.
        depth: `(H, W)` uint16, near = white.
        prompt: what it shall show.
        negative_prompt: what it shall not.
        seed: of its noise.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    prompt: str
    negative_prompt: str
    seed: int


@dataclass(frozen=True)
class Result:
    """What became of a task: a picture `(H, W, 3)` uint8 RGB, or None and why."""

    picture: NDArray[np.uint8] | None
    fault: str
    batch: int


@dataclass(frozen=True)
class Recipe:
    """The settings under which a picture is made; see the block `generate`."""

    strength: float
    steps: int
    guidance_scale: float
    conditioning_scale: float
    batch: int

    @property
    def effective_steps(self) -> int:
        """Return how many steps run: image-to-image skips the first ones."""
        return min(int(self.steps * self.strength), self.steps)


class Generator:
    """A loaded pipeline with the texts that it has encoded so far."""

    def __init__(self, pipeline: Any, recipe: Recipe) -> None:
        self._pipeline = pipeline
        self._recipe = recipe
        self._batch = recipe.batch
        self._texts: dict[str, torch.Tensor] = {}

    def generate(self, tasks: list[Task]) -> Iterator[Result]:
        """Yield the result of each task, in order.

        When the device runs out of memory the batch is halved and the work goes on; every result
        tells the batch that it was made in.
        """
        import torch

        done = 0
        while done < len(tasks):
            part = tasks[done : done + self._batch]
            try:
                results = self._pass(part)
            except torch.OutOfMemoryError:
                if self._batch == 1:
                    raise
                self._batch //= 2
                torch.cuda.empty_cache()
                log.warning("out of memory: going on with batches of %d", self._batch)
                continue
            yield from results
            done += len(part)

    def _pass(self, tasks: list[Task]) -> list[Result]:
        """Return results of at most one batch; it is filled up by repeating the last task."""
        import torch

        padded = tasks + tasks[-1:] * (self._batch - len(tasks))
        with torch.inference_mode():
            latents = self._denoise(padded)
            pictures = self._decode(latents)
        return [self._result(picture) for picture in pictures[: len(tasks)]]

    def _denoise(self, tasks: list[Task]) -> "torch.Tensor":
        """Return latents `(B, C, h, w)`, not scaled back."""
        import torch

        height, width = tasks[0].image.shape[:2]
        depth = np.stack([task.depth for task in tasks]).astype(np.float32) / 65535
        control = torch.from_numpy(depth)[:, None].repeat(1, 3, 1, 1)  # (B, 3, H, W), 0..1
        latents: torch.Tensor = self._pipeline(
            prompt_embeds=torch.cat([self._embed(task.prompt) for task in tasks]),
            negative_prompt_embeds=torch.cat([self._embed(t.negative_prompt) for t in tasks]),
            image=self._encode(tasks),
            control_image=control,
            height=height,
            width=width,
            strength=self._recipe.strength,
            num_inference_steps=self._recipe.steps,
            guidance_scale=self._recipe.guidance_scale,
            controlnet_conditioning_scale=self._recipe.conditioning_scale,
            generator=[torch.Generator("cpu").manual_seed(task.seed) for task in tasks],
            output_type="latent",
        ).images
        return latents

    def _encode(self, tasks: list[Task]) -> "torch.Tensor":
        """Return the sources as scaled latents `(B, 4, h, w)`; the pipeline takes them as they are.

        The mean of the VAE's distribution is used, so no randomness enters here, and the whole
        batch is encoded at once (given pictures, the pipeline would encode one at a time).
        """
        import torch

        vae = self._pipeline.vae
        pictures = np.stack([task.image for task in tasks])
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2)  # (B, 3, H, W)
        x = x.to(vae.device, vae.dtype) / 127.5 - 1
        latents: torch.Tensor = vae.encode(x).latent_dist.mode() * vae.config.scaling_factor
        return latents

    def _embed(self, text: str) -> "torch.Tensor":
        """Return a text's embedding `(1, tokens, C)`; each distinct text is encoded once."""
        if text not in self._texts:
            pipeline = self._pipeline
            embedding, _ = pipeline.encode_prompt(text, pipeline.device, 1, False)
            self._texts[text] = embedding
        return self._texts[text]

    def _decode(self, latents: "torch.Tensor") -> "torch.Tensor":
        """Return pictures `(B, 3, H, W)`, float32, about -1..1; NaN where they went wrong."""
        vae = self._pipeline.vae
        decoded: torch.Tensor = vae.decode(latents / vae.config.scaling_factor).sample
        return decoded.float()

    def _result(self, picture: "torch.Tensor") -> Result:
        import torch

        if not bool(torch.isfinite(picture).all()):
            return Result(None, "the model gave values that are not finite", self._batch)
        pixels = (picture.clamp(-1, 1) + 1) * 127.5
        array = pixels.round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        if array.max() < BLACK_BELOW:
            return Result(None, "the picture is black", self._batch)
        return Result(np.ascontiguousarray(array), "", self._batch)
