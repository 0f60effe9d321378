"""Pictures to latents and back: whole batches at once, each source encoded once."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

#: Sources whose latents are kept: of those of 512 pixels they take 17 MB in half precision.
_KEPT = 512
#: Batches of coming pictures in which further sources are looked for, to fill a pass of the VAE.
_AHEAD = 4


class Source(Protocol):
    """A picture to start from, and a key that stands for what it shows; see `content_key`."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture, `(H, W, 3)` uint8 RGB."""

    @property
    def source_key(self) -> str:
        """Equal for equal pictures, and for no others."""


def content_key(picture: NDArray[np.uint8]) -> str:
    """Return a key that stands for a picture's pixels; it takes 1 ms at 512 pixels."""
    digest = hashlib.blake2b(picture.tobytes(), digest_size=16)
    digest.update(str(picture.shape).encode())
    return digest.hexdigest()


class SourceLatents:
    """The scaled latents of source pictures, kept by what the pictures show.

    A frame has several variants as a rule, and its source is encoded for the first only. A pass
    always holds `batch` pictures; it is filled up with sources that come later, then with copies.
    Kept are the `_KEPT` used last, in this process only.

    Args:
        vae: of the pipeline.
    """

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self._kept: OrderedDict[tuple[str, torch.dtype], torch.Tensor] = OrderedDict()

    def of(
        self, sources: Sequence[Source], batch: int, ahead: Iterable[Source] = ()
    ) -> "torch.Tensor":
        """Return latents `(B, 4, h, w)`.

        Args:
            sources: B of them; at most `batch`.
            batch: pictures in a pass of the VAE.
            ahead: sources that will be asked for later; only some are looked at.
        """
        import torch

        dtype = self._vae.dtype
        keys = [(source.source_key, dtype) for source in sources]
        missing = {k: s for k, s in zip(keys, sources, strict=True) if k not in self._kept}
        if missing:
            for source, _ in zip(ahead, range(_AHEAD * batch), strict=False):
                if len(missing) == batch:
                    break
                if (source.source_key, dtype) not in self._kept:
                    missing.setdefault((source.source_key, dtype), source)
            latents = self._encode([source.image for source in missing.values()], batch)
            self._kept.update(zip(missing, latents, strict=True))
        for key in keys:
            self._kept.move_to_end(key)
        while len(self._kept) > max(_KEPT, 2 * batch):
            self._kept.popitem(last=False)
        return torch.stack([self._kept[key] for key in keys])

    def clear(self) -> None:
        """Forget all: the next ones are computed in passes of another size."""
        self._kept.clear()

    def _encode(self, pictures: list[NDArray[np.uint8]], batch: int) -> "torch.Tensor":
        """Return latents of at most `batch` pictures.

        The mean of the VAE's distribution is used, so no randomness enters here (given pictures,
        the pipelines would encode one at a time and draw from the distribution).
        """
        import torch

        vae = self._vae
        filled = np.stack(pictures + pictures[-1:] * (batch - len(pictures)))
        x = torch.from_numpy(filled).to(vae.device).permute(0, 3, 1, 2)  # (B, 3, H, W)
        mean = vae.encode(x.to(vae.dtype) / 127.5 - 1).latent_dist.mode()
        shift, scale = _normalisation(vae, mean)
        latents: torch.Tensor = (mean - shift) * scale
        return latents[: len(pictures)]


def decode(vae: Any, latents: "torch.Tensor") -> "torch.Tensor":
    """Return pictures `(B, 3, H, W)`, float32, about -1..1, of scaled latents; NaN stays NaN."""
    latents = latents.to(vae.dtype)
    shift, scale = _normalisation(vae, latents)
    decoded: torch.Tensor = vae.decode(latents / scale + shift).sample
    return decoded.float()


def _normalisation(vae: Any, like: "torch.Tensor") -> Any:
    """Return what is taken from latents, and what they are then multiplied by.

    That is a VAE's scaling factor; some models of the SDXL family normalise each channel besides.
    """
    import torch

    config = vae.config
    factor = config.scaling_factor
    given = [getattr(config, name, None) for name in ("latents_mean", "latents_std")]
    if None in given:
        return 0.0, factor
    mean, deviation = (torch.tensor(values).view(1, -1, 1, 1).to(like) for values in given)
    return mean, factor / deviation
