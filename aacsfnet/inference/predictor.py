"""Trained networks, loaded once, that score face crops and pictures."""

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from aacsfnet.config import Crop, Landmarks
from aacsfnet.errors import DataError, ModelFileError
from aacsfnet.labels import Label
from aacsfnet.layout import Evaluated, Trained
from aacsfnet.models.folder import is_skipped, load_model, read_description
from aacsfnet.models.pictures import resized, to_float
from aacsfnet.models.scoring import scored

if TYPE_CHECKING:
    from aacsfnet.faces.find import FaceExtractor, FoundFace


log = logging.getLogger(__name__)


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
    """Score faces with the network in a folder that training wrote, or with an experiment's.

    An experiment's folder gives the mean of the scores of all its seeds and folds, which is fair
    for people that none of them was trained on. A score is observed expression in units of `label`,
    clipped to its range; it is not felt pain.

    Attributes:
        label: what a score means, and its range.
        crop, landmarks: how faces are found and cut out, as for training.
        models: the networks.

    Raises:
        ModelFileError: the folder holds no usable network, or networks that do not fit together.
    """

    def __init__(self, folder: str | Path, device: "str | torch.device" = "cpu") -> None:
        members = [_Member(each, device) for each in _folders(Path(folder))]
        first = members[0]
        for other in members[1:]:
            if other.meaning != first.meaning:
                raise ModelFileError(
                    f"{other.folder}: its label or the crops it was trained on differ from those "
                    f"of {first.folder}; give the folder of one of them"
                )
        self.label, self.crop, self.landmarks = first.meaning
        self.models = [member.model for member in members]
        self._members = members

    def predict(
        self, pictures: Sequence[np.ndarray], *, clip: bool = True, batch: int = 64
    ) -> np.ndarray:
        """Return one score a picture, `(N,)` float32.

        Args:
            pictures: face crops as `aacsfnet.faces` makes them with the settings `crop`, each
                `(S, S, 3)` uint8 RGB, of any size.
            clip: whether to keep scores within the label's range.
            batch: pictures a pass; scores do not depend on it.

        Raises:
            DataError: something is not such a picture.
        """
        low, high = (self.label.low, self.label.high) if clip else (-np.inf, np.inf)
        scores = np.empty((len(self._members), len(pictures)), np.float32)
        for start in range(0, len(pictures), batch):
            part = pictures[start : start + batch]
            for row, member in zip(scores, self._members, strict=True):
                row[start : start + batch] = member.scores(part)
        mean: np.ndarray = scores.clip(low, high).mean(axis=0)
        return mean

    def picture(
        self,
        picture: np.ndarray | str | Path,
        *,
        extractor: "FaceExtractor | None" = None,
        clip: bool = True,
    ) -> list[ScoredFace]:
        """Return one row for each face of a picture, largest first; none where none is found.

        Args:
            picture: `(H, W, 3)` uint8 RGB, or a file.
            extractor: finds and cuts out the faces; None: one with the settings of training, kept.
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

        return FaceExtractor(self.crop, self.landmarks)


class _Member:
    """One network, with what its folder says of it."""

    def __init__(self, folder: Path, device: "str | torch.device") -> None:
        description = read_description(folder)
        self.folder = folder
        self.label = Label(**description["label"])
        if "faces" not in description:
            log.warning("%s does not tell how its faces were cut out; defaults are taken", folder)
        faces = description.get("faces", {})
        self.crop = Crop(**faces.get("crop", {}))
        self.landmarks = Landmarks(**faces.get("landmarks", {}))
        self.model = load_model(folder).to(device)
        self._kept: float = description["kept"]
        self._size: int = self.model.settings["image_size"]
        self._device = device

    @property
    def meaning(self) -> tuple[Label, Crop, Landmarks]:
        """What the scores of several networks must share to have a mean."""
        return self.label, self.crop, self.landmarks

    @torch.inference_mode()
    def scores(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Return one score a crop, `(N,)` float32, not clipped."""
        stacked = torch.from_numpy(np.stack([self._fitted(each) for each in pictures]))
        found, _ = scored(self.model, to_float(stacked.to(self._device)))
        scores: np.ndarray = found.cpu().numpy()
        return scores

    def _fitted(self, picture: np.ndarray) -> np.ndarray:
        """Return the middle of a crop at the network's size, as `merge` does."""
        if picture.dtype != np.uint8 or picture.shape != (*picture.shape[:1] * 2, 3):
            raise DataError(
                f"a picture is {picture.dtype} {picture.shape}; expected uint8 (S, S, 3), RGB"
            )
        return resized(picture, self._size, self._kept)


def _folders(folder: Path) -> list[Path]:
    """Return the folder of one network itself, or those of an experiment's trained networks."""
    if Trained(folder).description.is_file():
        return [folder]
    found = Evaluated(folder).trained()
    trained = [each.folder for each in found if not is_skipped(each.folder)]
    if found and not trained:
        raise ModelFileError(f"{folder}: none of its {len(found)} folds was trained")
    return trained or [folder]
