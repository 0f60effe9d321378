"""Pictures from a depth-guided diffusion model: batches of arrays in, pictures out.

The model is loaded once; each distinct text and each distinct source is encoded once; every pass
has the same batch shape (the last one is padded), because a picture's last bits depend on the shape
it was computed in. Each picture has a generator of its own on the CPU, so its noise depends on its
seed alone.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np

from aacsfnet.augmentation.diffusion.latents import SourceLatents, decode
from aacsfnet.augmentation.diffusion.pipelines import control_arguments, networks, text_encoders
from aacsfnet.augmentation.diffusion.recipe import Recipe
from aacsfnet.augmentation.diffusion.tasks import AnyTask, Result, check_sizes, drawings_of
from aacsfnet.augmentation.diffusion.texts import Encoded, encode_texts, to_length
from aacsfnet.errors import WorkError

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

#: A picture whose brightest value (of 255) is lower counts as black.
BLACK_BELOW = 8
#: What SDXL's pipeline calls the pooled embeddings of each text.
_POOLED = {"prompt": "pooled_prompt_embeds", "negative_prompt": "negative_pooled_prompt_embeds"}


class Generator:
    """A loaded pipeline of any kind, with what it has encoded so far.

    Embeddings are kept of every text until the process ends: a shard has at most as many as
    pictures, of 0.1 MB each (SDXL: 0.3 MB) in half precision.
    """

    def __init__(self, pipeline: Any, recipe: Recipe) -> None:
        self._pipeline = pipeline
        self._recipe = recipe
        self._batch = recipe.batch
        self._texts: dict[str, Encoded] = {}
        self._length = 0  # of the longest text so far, in tokens
        self._sources = SourceLatents(pipeline.vae)

    def generate(self, tasks: Sequence[AnyTask]) -> Iterator[list[Result]]:
        """Yield the results of one batch of tasks after another, in order.

        Pictures are asked for a batch and some sources ahead at a time. When the device runs out of
        memory the batch is halved and the work goes on; every result tells the batch that it was
        made in.

        Raises:
            WorkError: tasks differ in size, or not even one picture fits into memory.
        """
        import torch

        self.encode_texts({text for t in tasks for text in (t.prompt, t.negative_prompt)})
        done = 0
        while done < len(tasks):
            part = _alike(tasks[done : done + self._batch])
            check_sizes(part)
            try:
                with torch.inference_mode():
                    self._sources.of(part, self._batch, tasks[done + len(part) :])
                results = self._pass(part)
            except torch.OutOfMemoryError as error:
                if self._batch == 1:
                    raise WorkError(
                        "the device has too little memory for one picture; take smaller crops "
                        "(crop.size) or a device with more memory"
                    ) from error
                self._batch //= 2
                self._sources.clear()
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                log.warning("out of memory: continuing with batch size %d", self._batch)
                continue
            yield results
            done += len(part)

    def _pass(self, tasks: list[AnyTask]) -> list[Result]:
        """Return results of at most one batch; it is filled up by repeating the last task.

        NaN and infinite values come from half precision as a rule. So the VAE is run again in fp32,
        then everything is; what still fails is marked as failed.
        """
        import torch

        padded = tasks + tasks[-1:] * (self._batch - len(tasks))
        with torch.inference_mode():
            latents = self._denoise(padded)
            results = self._results(latents, self._decode(latents, padded), len(tasks))
            broken = [number for number, result in enumerate(results) if result.fault]
            if broken and self._precision() != "float32":
                log.warning(
                    "%d pictures hold NaN or infinite values: repeating them in fp32", len(broken)
                )
                again = self._again_in_fp32(padded, latents, len(tasks))
                for number in broken:
                    results[number] = again[number]
        return [_without_black(result) for result in results]

    def _again_in_fp32(
        self, tasks: list[AnyTask], latents: "torch.Tensor", count: int
    ) -> list[Result]:
        """Return results with the VAE in fp32 where the latents allow it, else all in fp32."""
        with self._in_fp32(self._pipeline.vae):
            results = self._results(latents, self._decode(latents, tasks), count)
        if any(result.fault for result in results):
            # The text encoders too: the pipeline casts embeddings to their dtype.
            encoders = [encoder for _, encoder in text_encoders(self._pipeline)]
            with self._in_fp32(*networks(self._pipeline), *encoders):
                latents = self._denoise(tasks)
                complete = self._results(latents, self._decode(latents, tasks), count)
            results = [
                new if old.fault else old for old, new in zip(results, complete, strict=True)
            ]
        return results

    @contextmanager
    def _in_fp32(self, *parts: Any) -> Iterator[None]:
        """Cast parts of the pipeline to fp32 for a while; the cast back restores them exactly.

        Compiled networks run eagerly meanwhile: a rare case is not worth compiling again.
        """
        import torch

        before = [part.dtype for part in parts]
        try:
            for part in parts:
                part.to(torch.float32)
            with torch.compiler.set_stance("force_eager"):
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

    def _denoise(self, tasks: list[AnyTask]) -> "torch.Tensor":
        """Return scaled latents `(B, C, h, w)`."""
        import torch

        device = self._pipeline.unet.device
        depth = np.stack([task.depth for task in tasks]).astype(np.float32)
        latents: torch.Tensor = self._pipeline(
            **self._text_arguments(tasks),
            **control_arguments(
                self._pipeline,
                self._recipe,
                torch.from_numpy(depth).to(device) / 65535,
                drawings_of(tasks, device),
            ),
            image=self._sources.of(tasks, self._batch),
            strength=tasks[0].strength or self._recipe.strength,
            num_inference_steps=self._recipe.steps,
            guidance_scale=self._recipe.guidance_scale,
            generator=[torch.Generator("cpu").manual_seed(task.seed) for task in tasks],
            output_type="latent",
        ).images
        return latents

    def encode_texts(self, texts: set[str]) -> None:
        """Encode each distinct text once; all are used at the length of the longest so far.

        That length enters the pictures' last bits, so a job that resumes after finished batches
        gives all its texts first, those of finished pictures too.
        """
        import torch

        new = sorted((texts | {""}) - set(self._texts))
        if new:
            with torch.inference_mode():
                self._texts |= encode_texts(self._pipeline, new)
            self._length = max(len(encoded.tokens) for encoded in self._texts.values())

    def _text_arguments(self, tasks: list[AnyTask]) -> dict[str, Any]:
        """Return the embeddings of prompts and negative prompts as the pipeline takes them."""
        import torch

        dtype = self._pipeline.unet.dtype
        # SDXL was trained with zeros for an empty negative prompt (diffusers, encode_prompt).
        zeroed = getattr(self._pipeline.config, "force_zeros_for_empty_prompt", False)
        arguments: dict[str, torch.Tensor] = {}
        for name in ("prompt", "negative_prompt"):
            texts = [getattr(task, name) for task in tasks]
            chosen = [
                self._embedding(t, zeros=zeroed and not t and name != "prompt") for t in texts
            ]
            arguments[f"{name}_embeds"] = torch.stack([tokens for tokens, _ in chosen]).to(dtype)
            pooled = [vector for _, vector in chosen if vector is not None]
            if pooled:
                arguments[_POOLED[name]] = torch.stack(pooled).to(dtype)
        return arguments

    def _embedding(self, text: str, zeros: bool) -> "tuple[torch.Tensor, torch.Tensor | None]":
        """Return a text's embedding `(n, C)` and pooled embedding, or zeros of their shapes."""
        import torch

        encoded, empty = self._texts[text], self._texts[""].tokens
        tokens = to_length(encoded.tokens, empty, self._length)
        if not zeros or encoded.pooled is None:
            return tokens, encoded.pooled
        return torch.zeros_like(tokens), torch.zeros_like(encoded.pooled)

    def _decode(self, latents: "torch.Tensor", tasks: list[AnyTask]) -> "torch.Tensor":
        """Return pictures `(B, 3, H, W)`, float32, about -1..1; NaN where they went wrong."""
        import torch

        pictures = decode(self._pipeline.vae, latents)
        if tasks[0].restored:
            images = torch.from_numpy(np.stack([task.image for task in tasks]))
            sources = images.to(pictures.device).permute(0, 3, 1, 2) / 127.5 - 1
            through = decode(self._pipeline.vae, self._sources.of(tasks, self._batch))
            pictures = pictures + sources - through
        return pictures

    def _results(
        self, latents: "torch.Tensor", pictures: "torch.Tensor", count: int
    ) -> list[Result]:
        """Return each of the first pictures `(3, H, W)` as a result, or what is wrong with it."""
        import torch

        latents, pictures = latents[:count], pictures[:count]
        precision = self._precision()
        sound = latents.isfinite().flatten(1).all(1) & pictures.isfinite().flatten(1).all(1)
        levels = ((pictures.nan_to_num().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        # One transfer for the batch: the device has nothing to do meanwhile.
        arrays = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()  # (B, H, W, 3)
        fault = f"NaN or infinite values, in {precision}"
        return [
            Result(array, "", self._batch, precision)
            if good
            else Result(None, fault, self._batch, precision)
            for array, good in zip(arrays, sound.tolist(), strict=True)
        ]


def _alike(tasks: Sequence[AnyTask]) -> list[AnyTask]:
    """Return the first tasks, as far as they take the same steps."""
    first = (tasks[0].strength, tasks[0].restored)
    return list(takewhile(lambda task: (task.strength, task.restored) == first, tasks))


def _without_black(result: Result) -> Result:
    if result.picture is not None and result.picture.max() < BLACK_BELOW:
        return Result(None, "the picture is black", result.batch, result.precision)
    return result
