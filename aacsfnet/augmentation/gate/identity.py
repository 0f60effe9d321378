"""Whether two pictures show the same person, by a model that embeds faces, from a local folder.

The project ships no such model: those that are good at it are licensed for research alone. Any
vision model in the layout of transformers or timm serves; one trained on faces serves best.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet.augmentation.local_models import check_folder
from aacsfnet.errors import ModelFileError, first_line

if TYPE_CHECKING:
    import torch


class FaceEmbedder:
    """A vision model from a local folder, loaded once.

    Args:
        folder: with `config.json` (of transformers: and `preprocessor_config.json`) and weights as
            safetensors; nothing else is opened.
        device: to compute on.

    Raises:
        ModelFileError: the folder is missing, altered, or holds no such model.
    """

    def __init__(self, folder: Path, device: "torch.device") -> None:
        check_folder("quality.identity_model", folder)
        try:
            settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            load = _of_timm if "architecture" in settings else _of_transformers
            self._model, self._prepare = load(folder, settings)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise ModelFileError(
                f"quality.identity_model = '{folder}': no vision model: {first_line(error)}"
            ) from error
        self._model.to(device).eval()
        self._device = device

    def embed(self, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the embedding `(C,)` of a picture `(H, W, 3)` RGB, of length 1."""
        import torch

        with torch.inference_mode():
            embedding = self._model(self._prepare(picture).to(self._device))[0]
        values = embedding.float().cpu().numpy().astype(np.float64)
        return np.asarray(values / max(float(np.linalg.norm(values)), 1e-12))


def _of_timm(folder: Path, settings: dict[str, Any]) -> tuple[Any, Any]:
    """Return a timm model without its head, and how it takes a picture."""
    import timm
    import torch
    from safetensors.torch import load_file
    from timm.data.config import resolve_data_config

    weights = load_file(folder / "model.safetensors")
    model: Any = timm.create_model(settings["architecture"], **settings.get("model_args", {}))
    model.load_state_dict(weights)
    model.reset_classifier(0)
    wanted = resolve_data_config(pretrained_cfg=settings.get("pretrained_cfg", {}), model=model)
    mean, std = (torch.tensor(wanted[key]).reshape(1, 3, 1, 1) for key in ("mean", "std"))
    size = wanted["input_size"][1:]

    def prepare(picture: NDArray[np.uint8]) -> "torch.Tensor":
        pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
        sized = torch.nn.functional.interpolate(pixels, size, mode="bicubic", antialias=True)
        return (sized.clamp(0, 1) - mean) / std

    return model, prepare


def _of_transformers(folder: Path, _: dict[str, Any]) -> tuple[Any, Any]:
    """Return a transformers model as one that gives embeddings, and how it takes a picture."""
    import torch
    from transformers import AutoImageProcessor, AutoModel

    processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    inner: Any = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)

    class Embedding(torch.nn.Module):
        """The pooled output, or the mean over positions where a model has none."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = getattr(inner, "vision_model", inner)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            given = self.inner(pixel_values=pixels)
            pooled: torch.Tensor | None = getattr(given, "pooler_output", None)
            if pooled is None:
                pooled = given.last_hidden_state.mean(dim=1)
            return pooled.flatten(1)

    def prepare(picture: NDArray[np.uint8]) -> torch.Tensor:
        values: torch.Tensor = processor(images=picture.copy(), return_tensors="pt").pixel_values
        return values

    return Embedding(), prepare
