"""Pictures from a depth-guided diffusion model: batches of arrays in, pictures out.

The model is loaded once; each distinct text is encoded once; every pass has the same batch shape
(the last one is padded), because a picture's last bits depend on the shape it was computed in. Each
picture has a generator of its own on the CPU, so its noise depends on its seed alone.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet.augmentation.texts import encode_text, to_length
from aacsfnet.errors import WorkError

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
    """What became of a task.

    Attributes:
        picture: `(H, W, 3)` uint8 RGB, or None.
        fault: why there is none; empty when there is one.
        batch: pictures in the pass that it was made in.
        precision: of the pass, e.g. "bfloat16"; of the U-Net and of the VAE where they differ.
    """

    picture: NDArray[np.uint8] | None
    fault: str
    batch: int
    precision: str


@dataclass(frozen=True)
class Recipe:
    """The settings under which a picture is made; see the block `generate`."""

    strength: float
    steps: int
    guidance_scale: float
    conditioning_scale: float
    batch: int


class Generator:
    """A loaded pipeline with the texts that it has encoded so far."""

    def __init__(self, pipeline: Any, recipe: Recipe) -> None:
        self._pipeline = pipeline
        self._recipe = recipe
        self._batch = recipe.batch
        self._texts: dict[str, torch.Tensor] = {}

    def generate(self, tasks: list[Task]) -> Iterator[list[Result]]:
        """Yield the results of one batch of tasks after another, in order.

        When the device runs out of memory the batch is halved and the work goes on; every result
        tells the batch that it was made in.

        Raises:
            WorkError: tasks differ in size, or not even one picture fits into memory.
        """
        import torch

        _check_sizes(tasks)
        self.encode_texts({text for t in tasks for text in (t.prompt, t.negative_prompt)})
        done = 0
        while done < len(tasks):
            part = tasks[done : done + self._batch]
            try:
                results = self._pass(part)
            except torch.OutOfMemoryError as error:
                if self._batch == 1:
                    raise WorkError(
                        "the device has too little memory for one picture; take smaller crops "
                        "(crop.size) or a device with more memory"
                    ) from error
                self._batch //= 2
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                log.warning("out of memory: going on with batches of %d", self._batch)
                continue
            yield results
            done += len(part)

    def _pass(self, tasks: list[Task]) -> list[Result]:
        """Return results of at most one batch; it is filled up by repeating the last task.

        Values that are not finite come from half precision as a rule. So the VAE is tried again in
        fp32, then everything is; what still fails is given up.
        """
        import torch

        padded = tasks + tasks[-1:] * (self._batch - len(tasks))
        with torch.inference_mode():
            latents = self._denoise(padded)
            results = self._results(latents[: len(tasks)], self._decode(latents)[: len(tasks)])
            broken = [number for number, result in enumerate(results) if result.fault]
            if broken and self._precision() != "float32":
                log.warning("%d pictures are not finite: once more in fp32", len(broken))
                again = self._again_in_fp32(padded, latents, len(tasks))
                for number in broken:
                    results[number] = again[number]
        return [_without_black(result) for result in results]

    def _again_in_fp32(
        self, tasks: list[Task], latents: "torch.Tensor", count: int
    ) -> list[Result]:
        """Return results with the VAE in fp32 where the latents allow it, else all in fp32."""
        with self._in_fp32(self._pipeline.vae):
            results = self._results(latents[:count], self._decode(latents)[:count])
        if any(result.fault for result in results):
            parts = self._pipeline
            # The text encoder too: the pipeline turns embeddings to its number format.
            with self._in_fp32(parts.vae, parts.unet, parts.controlnet, parts.text_encoder):
                latents = self._denoise(tasks)
                complete = self._results(latents[:count], self._decode(latents)[:count])
            results = [
                new if old.fault else old for old, new in zip(results, complete, strict=True)
            ]
        return results

    @contextmanager
    def _in_fp32(self, *parts: Any) -> Iterator[None]:
        """Turn parts of the pipeline to fp32 for a while; nothing is lost on the way back."""
        import torch

        before = [part.dtype for part in parts]
        try:
            for part in parts:
                part.to(torch.float32)
            yield
        finally:
            for part, dtype in zip(parts, before, strict=True):
                part.to(dtype)

    def _precision(self) -> str:
        unet, vae = (
            str(part.dtype).removeprefix("torch.")
            for part in (self._pipeline.unet, self._pipeline.vae)
        )
        return unet if unet == vae else f"{unet}, VAE {vae}"

    def _denoise(self, tasks: list[Task]) -> "torch.Tensor":
        """Return scaled latents `(B, C, h, w)`."""
        import torch

        height, width = tasks[0].image.shape[:2]
        depth = np.stack([task.depth for task in tasks]).astype(np.float32) / 65535
        control = torch.from_numpy(depth)[:, None].repeat(1, 3, 1, 1)  # (B, 3, H, W), 0..1
        dtype = self._pipeline.unet.dtype
        latents: torch.Tensor = self._pipeline(
            prompt_embeds=torch.cat([self._texts[t.prompt] for t in tasks]).to(dtype),
            negative_prompt_embeds=torch.cat([self._texts[t.negative_prompt] for t in tasks]).to(
                dtype
            ),
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

    def encode_texts(self, texts: set[str]) -> None:
        """Encode each distinct text once, all to the length of the longest so far.

        That length enters the pictures' last bits, so a job that goes on behind finished batches
        gives all its texts first, those of finished pictures too.
        """
        import torch

        pipeline = self._pipeline
        with torch.inference_mode():
            for text in sorted((texts | {""}) - set(self._texts)):
                encoded = encode_text(pipeline.tokenizer, pipeline.text_encoder, text)
                self._texts[text] = encoded
        length = max(embedding.shape[1] for embedding in self._texts.values())
        empty = self._texts[""][:, : pipeline.tokenizer.model_max_length]
        for text, embedding in self._texts.items():
            self._texts[text] = to_length(embedding, empty, length)

    def _decode(self, latents: "torch.Tensor") -> "torch.Tensor":
        """Return pictures `(B, 3, H, W)`, float32, about -1..1; NaN where they went wrong."""
        vae = self._pipeline.vae
        latents = latents.to(vae.dtype)
        decoded: torch.Tensor = vae.decode(latents / vae.config.scaling_factor).sample
        return decoded.float()

    def _results(self, latents: "torch.Tensor", pictures: "torch.Tensor") -> list[Result]:
        """Return each picture `(3, H, W)` as a result, or what is wrong with it."""
        import torch

        precision = self._precision()
        results = []
        for latent, picture in zip(latents, pictures, strict=True):
            if not bool(torch.isfinite(latent).all()) or not bool(torch.isfinite(picture).all()):
                fault = f"values that are not finite, in {precision}"
                results.append(Result(None, fault, self._batch, precision))
                continue
            pixels = ((picture.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
            array = np.ascontiguousarray(pixels.permute(1, 2, 0).cpu().numpy())  # (H, W, 3)
            results.append(Result(array, "", self._batch, precision))
        return results


def _without_black(result: Result) -> Result:
    if result.picture is not None and result.picture.max() < BLACK_BELOW:
        return Result(None, "the picture is black", result.batch, result.precision)
    return result


def _check_sizes(tasks: list[Task]) -> None:
    """Raise unless every source and depth map has one size, divisible by 8.

    The pipeline would resize a map that is not divisible by 8 without a word.
    """
    sizes = {task.image.shape[:2] for task in tasks} | {task.depth.shape for task in tasks}
    if len(sizes) > 1 or any(side % 8 for size in sizes for side in size):
        shown = ", ".join(f"{height} x {width}" for height, width in sorted(sizes))
        raise WorkError(
            f"crops and depth maps are {shown} pixels; expected one size, divisible by 8; "
            "run crop, landmarks and depth again with one crop.size"
        )
