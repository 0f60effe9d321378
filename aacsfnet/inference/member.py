"""One trained network of those that a predictor holds."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from aacsfnet.config import Crop, Landmarks
from aacsfnet.labels import Label
from aacsfnet.layout import Trained
from aacsfnet.models.familiarity import Familiarity
from aacsfnet.models.folder import load_model, read_description
from aacsfnet.models.pictures import to_float
from aacsfnet.models.scoring import features_of, told

log = logging.getLogger(__name__)


class Meaning(NamedTuple):
    """What several networks must share for their scores to have a mean.

    Attributes:
        label: what a score means, and its range.
        crop, landmarks: how faces are found and cut out.
        kept: share of a crop's side that the networks see.
        size: side of the pictures that they take, pixels.
        context: what they see beside a picture, its kind and frames; None: nothing.
        spacing_s: how far apart in time neighbouring frames lie, seconds; None: as they come.
    """

    label: Label
    crop: Crop
    landmarks: Landmarks
    kept: float
    size: int
    context: tuple[Literal["person", "sequence"], int] | None
    spacing_s: float | None


class Look(NamedTuple):
    """A face by itself, as a predictor's networks see it.

    Attributes:
        features: `(C,)` of each network.
        signs: what is known of how like those of training it is, by name.
    """

    features: list[Tensor]
    signs: dict[str, float]


class InContext(NamedTuple):
    """A face and what stands beside it.

    Attributes:
        own: the face.
        others: of the same person, as many as the networks' context has places; None: not known.
    """

    own: Look
    others: Sequence[Look | None]


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
        fusion = self.model.context_fusion
        self.meaning = Meaning(
            Label(**description["label"]),
            Crop(**faces.get("crop", {})),
            Landmarks(**faces.get("landmarks", {})),
            description["kept"],
            self.model.settings["image_size"],
            None if fusion is None else (fusion.kind, fusion.frames),
            description.get("spacing_s"),
        )
        familiarity = Familiarity.load(Trained(folder).features)
        self.familiarity = familiarity if familiarity is None else familiarity.to(device)
        self._device = device

    @torch.inference_mode()
    def features(self, pictures: np.ndarray) -> Tensor:
        """Return the features `(B, C)` of pictures `(B, S, S, 3)` uint8 RGB, each by itself."""
        return features_of(self.model, to_float(torch.from_numpy(pictures).to(self._device)))

    @torch.inference_mode()
    def scores(self, features: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Return scores, not clipped, and distances of features `(B, C)`, each `(B,)` float32.

        A distance is NaN where the folder does not hold what tells it.
        """
        scores: np.ndarray = told(self.model, features).scores.cpu().numpy()
        if self.familiarity is None:
            return scores, np.full_like(scores, np.nan)
        return scores, self.familiarity(features).cpu().numpy()

    @torch.inference_mode()
    def in_context(self, at: int, looks: Sequence[InContext]) -> Tensor:
        """Return the features `(B, C)` of faces in context, this network being number `at`."""
        assert self.model.context_fusion is not None
        own = torch.stack([each.own.features[at] for each in looks])
        others = [(it or each.own).features[at] for each in looks for it in each.others]
        known = [[it is not None for it in each.others] for each in looks]
        fused: Tensor = self.model.context_fusion(
            own, torch.stack(others), torch.tensor(known, device=own.device)
        )
        return fused
