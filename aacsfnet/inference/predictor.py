"""A trained network, loaded once, that scores face crops and pictures."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from aacsfnet.errors import DataError
from aacsfnet.labels import Label
from aacsfnet.models.folder import load_model, read_description
from aacsfnet.models.pictures import resized, to_float
from aacsfnet.models.scoring import scored

if TYPE_CHECKING:
    from aacsfnet.faces.find import FaceExtractor, FoundFace


class ScoredFace(NamedTuple):
    """A face of a picture and its score.

    Attributes:
        box_xyxy: the box round it in picture pixels: left, top, right, bottom.
        prediction: the score, in units of the predictor's `label`.
        face: its crop, landmarks, pose and measures.
    """

    box_xyxy: tuple[float, float, float, float]
    prediction: float
    face: "FoundFace"


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

    def picture(
        self,
        picture: np.ndarray | str | Path,
        *,
        extractor: "FaceExtractor | None" = None,
        clip: bool = True,
    ) -> list[ScoredFace]:
        """Return one row for each face of a picture, largest first; none where none is found.

        A model folder does not tell how the crops of training were made: where that was not with
        the default settings of the block `crop`, an extractor with the same settings is needed.

        Args:
            picture: `(H, W, 3)` uint8 RGB, or a file.
            extractor: finds and cuts out the faces; None: one with default settings, kept.
            clip: whether to keep scores within the label's range.

        Raises:
            DataError: this is no such picture, or the file cannot be read as one.
        """
        faces = (extractor or self._extractor).find(picture, everyone=True)
        scores = self.predict([face.crop for face in faces], clip=clip)
        return [
            ScoredFace(tuple(face.box_xyxy.tolist()), float(score), face)
            for face, score in zip(faces, scores, strict=True)
        ]

    @cached_property
    def _extractor(self) -> "FaceExtractor":
        # Loads MediaPipe, which `predict` never needs.
        from aacsfnet.faces.find import FaceExtractor

        return FaceExtractor()

    def _fitted(self, picture: np.ndarray) -> np.ndarray:
        """Return the middle of a crop at the network's size, as `merge` does."""
        if picture.dtype != np.uint8 or picture.shape != (*picture.shape[:1] * 2, 3):
            raise DataError(
                f"a picture is {picture.dtype} {picture.shape}; expected uint8 (S, S, 3), RGB"
            )
        return resized(picture, self.image_size, self._kept)
