"""A trained network, loaded once, that scores face crops."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from aacsfnet.errors import DataError
from aacsfnet.labels import Label
from aacsfnet.models.folder import load_model, read_description
from aacsfnet.models.pictures import resized, to_float
from aacsfnet.models.scoring import scored


class Predictor:
    """Score face crops with the network in a folder that training wrote.

    Crops must be made as those of training were: `aacsfnet.faces` does that. A score is observed
    expression in units of `label`, clipped to its range; it is not felt pain.

    Raises:
        ModelFileError: the folder holds no usable network.
    """

    def __init__(self, folder: str | Path, device: str = "cpu") -> None:
        description = read_description(folder)
        self.label = Label(**description["label"])
        self._kept: float = description["kept"]
        self.model = load_model(folder).to(device)
        self.image_size: int = self.model.settings["image_size"]
        self._device = device

    @torch.inference_mode()
    def predict(
        self, pictures: Sequence[np.ndarray], *, clip: bool = True, batch: int = 64
    ) -> np.ndarray:
        """Return one score a picture, `(N,)` float32.

        Args:
            pictures: face crops, each `(H, W, 3)` uint8 RGB, square, of any size.
            clip: whether to keep scores within the label's range.
            batch: pictures a pass; scores do not depend on it.

        Raises:
            DataError: something is not such a picture.
        """
        scores = np.empty(len(pictures), np.float32)
        for start in range(0, len(pictures), batch):
            part = [self._fitted(picture) for picture in pictures[start : start + batch]]
            stacked = torch.from_numpy(np.stack(part)).to(self._device)
            found, _ = scored(self.model, to_float(stacked))
            scores[start : start + batch] = found.cpu().numpy()
        return scores.clip(self.label.low, self.label.high) if clip else scores

    def _fitted(self, picture: np.ndarray) -> np.ndarray:
        """Return the middle of a crop at the network's size, as `merge` does."""
        if (
            picture.ndim != 3
            or picture.shape[2] != 3
            or picture.dtype != np.uint8
            or picture.shape[0] != picture.shape[1]
        ):
            raise DataError(
                f"a picture is {picture.dtype} {picture.shape}; expected uint8 (S, S, 3), RGB"
            )
        return resized(picture, self.image_size, self._kept)
