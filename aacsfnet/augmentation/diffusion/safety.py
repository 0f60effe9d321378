"""The score of Stable Diffusion's safety checker, written down and nothing more."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet.augmentation.local_models import checksum_of, quieten
from aacsfnet.errors import ModelFileError, first_line

#: What the checker adds to every score once one of its special concepts is near (diffusers,
#: `StableDiffusionSafetyChecker.forward`).
_SPECIAL_CARE = 0.01


class SafetyChecker:
    """Scores pictures; above 0 the checker would have blanked one.

    It was trained on other pictures than faces cut out closely, and its concepts are secret, so no
    picture is dropped for its score.

    Args:
        folder: of a `StableDiffusionSafetyChecker`, safetensors only.

    Raises:
        ModelFileError: the folder holds none.
    """

    def __init__(self, folder: str) -> None:
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        from transformers import CLIPImageProcessor

        quieten()
        path = Path(folder)
        if not any(path.glob("*.safetensors")):
            raise ModelFileError(
                f"generate.safety_checker = {folder!r}: no such folder, or no *.safetensors in it; "
                "leave it empty to go without"
            )
        try:
            self._model = StableDiffusionSafetyChecker.from_pretrained(
                path, local_files_only=True, use_safetensors=True
            )
            side = self._model.config.vision_config.image_size
        except Exception as error:  # transformers and safetensors raise kinds of their own
            raise ModelFileError(f"{path}: not a safety checker: {first_line(error)}") from error
        # CLIP's own preparation; a checker's folder does not always hold it.
        self._prepare: Any = CLIPImageProcessor(size={"shortest_edge": side}, crop_size=side)
        self.facts = {"name": path.name, "sha256": checksum_of(path)}

    def to(self, device: Any) -> "SafetyChecker":
        """Move to a device; the numbers stay fp32."""
        self._model.to(device)
        return self

    def scores(self, pictures: list[NDArray[np.uint8]]) -> list[float]:
        """Return each picture's score: its nearest concept's cosine above that concept's bound.

        Args:
            pictures: `(H, W, 3)` uint8 RGB.
        """
        import torch
        from torch.nn.functional import normalize

        if not pictures:
            return []
        model = self._model
        pixels = self._prepare(images=pictures, return_tensors="pt").pixel_values
        with torch.inference_mode():
            seen = model.visual_projection(model.vision_model(pixels.to(model.device))[1])
            seen = normalize(seen)  # (B, P)
            special = seen @ normalize(model.special_care_embeds).T
            concept = seen @ normalize(model.concept_embeds).T
            near = (special > model.special_care_embeds_weights).any(1, keepdim=True)
            above = concept - model.concept_embeds_weights + _SPECIAL_CARE * near
            scores: list[float] = above.amax(1).tolist()
        return scores
