"""One trained network of those that a predictor holds."""

import logging
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from aacsfnet.config import Crop, Landmarks
from aacsfnet.labels import Label
from aacsfnet.layout import Trained
from aacsfnet.models.familiarity import Familiarity
from aacsfnet.models.folder import load_model, read_description
from aacsfnet.models.pictures import to_float
from aacsfnet.models.scoring import described

log = logging.getLogger(__name__)


class Meaning(NamedTuple):
    """What several networks must share for their scores to have a mean.

    Attributes:
        label: what a score means, and its range.
        crop, landmarks: how faces are found and cut out.
        kept: share of a crop's side that the networks see.
        size: side of the pictures that they take, pixels.
    """

    label: Label
    crop: Crop
    landmarks: Landmarks
    kept: float
    size: int


class Member:
    """A network, with what its folder says of it.

    Args:
        folder: that training wrote.
        device: where to compute.

    Raises:
        ModelFileError: the folder holds no usable network.
    """

    def __init__(self, folder: Path, device: "str | torch.device") -> None:
        description = read_description(folder)
        self.folder = folder
        if "faces" not in description:
            log.warning("%s does not tell how its faces were cut out; defaults are taken", folder)
        faces = description.get("faces", {})
        self.model = load_model(folder).to(device)
        self.meaning = Meaning(
            Label(**description["label"]),
            Crop(**faces.get("crop", {})),
            Landmarks(**faces.get("landmarks", {})),
            description["kept"],
            self.model.settings["image_size"],
        )
        familiarity = Familiarity.load(Trained(folder).features)
        self.familiarity = familiarity if familiarity is None else familiarity.to(device)
        self._device = device

    @torch.inference_mode()
    def scores(self, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return scores, not clipped, and distances of the features, each `(B,)` float32.

        A distance is NaN where the folder does not hold what tells it.

        Args:
            pictures: `(B, S, S, 3)` uint8 RGB.
        """
        found = described(self.model, to_float(torch.from_numpy(pictures).to(self._device)))
        scores: np.ndarray = found.scores.cpu().numpy()
        if self.familiarity is None:
            return scores, np.full_like(scores, np.nan)
        return scores, self.familiarity(found.features).cpu().numpy()
