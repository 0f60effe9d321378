"""Trained networks, loaded once, that score face crops, pictures and videos."""

import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aacsfnet.errors import DataError, ModelFileError
from aacsfnet.evaluation.abstention import Signs
from aacsfnet.inference.folders import networks_of, reliability_of
from aacsfnet.inference.judged import Judged, ScoredFace, judged, parts_of, unknown
from aacsfnet.inference.member import InContext, Look, Member
from aacsfnet.landmark_sets import REGION_POINTS
from aacsfnet.models.pictures import resized
from aacsfnet.models.signs import face_signs, frame_pixels, picture_signs

if TYPE_CHECKING:
    import torch

    from aacsfnet.faces.find import FaceExtractor, FoundFace


log = logging.getLogger(__name__)

_AS_THEY_COME = ", of a film each frame, however far apart those of training were"


class Predictor:
    """Score faces with the network in a folder that training wrote, or with an experiment's.

    An experiment's folder gives the mean of the scores of all its seeds and folds, which is fair
    for people that none of them was trained on. A score is observed expression in units of `label`,
    clipped to its range; it is not felt pain.

    Networks that see pictures in context get it from films, see `video`; all else is scored
    picture by picture, without it.

    Attributes:
        label: what a score means, and its range.
        crop, landmarks: how faces are found and cut out, as for training.
        kept, size: share of a crop's side that the networks see, and the side of their pictures.
        context: what the networks see beside a picture, its kind and frames; None: nothing.
        spacing_s: how far apart in time neighbouring frames lie, seconds; None: as they come.
        models: the networks.
        reliability: gives intervals and reasons to abstain; None: the experiment was not evaluated.

    Raises:
        ModelFileError: the folder holds no usable network, or networks that do not fit together.
    """

    def __init__(self, folder: str | Path, device: "str | torch.device" = "cpu") -> None:
        members = [Member(each, device) for each in networks_of(Path(folder))]
        first = members[0]
        for other in members[1:]:
            if other.meaning != first.meaning:
                raise ModelFileError(
                    f"{other.folder}: its label, its context or the crops it was trained on differ"
                    f" from those of {first.folder}; give the folder of one of them"
                )
        self.label, self.crop, self.landmarks, self.kept, self.size, *_ = first.meaning
        self.context, self.spacing_s = first.meaning.context, first.meaning.spacing_s
        self.models = [member.model for member in members]
        self.members = members
        self.reliability = reliability_of(Path(folder), members)
        self._folder, self._told_of_context = folder, False

    def _tell_of_context(self) -> None:
        """Warn, before the first score, of what is scored without the context of training."""
        if self.context is None or self._told_of_context:
            return
        self._told_of_context = True
        spaced = self.context[0] == "person" or self.spacing_s is not None
        log.warning(
            "%s sees pictures in context (%s): films and sequences of pictures give it%s; a"
            " picture by itself is scored without, with no interval and no reason to abstain",
            self._folder,
            self.context[0],
            "" if spaced else _AS_THEY_COME,
        )

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
        scores, _ = self._scores([self._fitted(each) for each in pictures], batch, clip=clip)
        return scores

    def judge(
        self,
        pictures: Sequence[np.ndarray],
        poses: np.ndarray | None = None,
        to_frame: np.ndarray | None = None,
        visible: np.ndarray | None = None,
        *,
        batch: int = 64,
    ) -> Judged:
        """Return the scores of face crops with intervals, and which not to trust.

        Neither is known of networks that see pictures in context: these crops are without.

        Args:
            pictures: as for `predict`.
            poses: `(N, 2)` yaw and pitch in degrees; None: unknown, and no reason to abstain.
            to_frame: `(N, 2, 3)` from crop to frame pixels; None: likewise.
            visible: `(N, 4)` share of brows, eyes, nose and mouth that is seen, NaN where not
                judged; None: likewise.
            batch: pictures a pass.

        Raises:
            DataError: something is not such a picture.
        """
        fitted = [self._fitted(each) for each in pictures]
        scores, distances = self._scores(fitted, batch, clip=True)
        if self.context is not None:  # what is known of their reliability is of scores in context
            return unknown(scores)
        return judged(
            self.reliability,
            scores,
            distances,
            lambda: self._signs(pictures, np.stack(fitted), poses, to_frame, visible),
        )

    def _signs(
        self,
        pictures: Sequence[np.ndarray],
        fitted: np.ndarray,
        poses: np.ndarray | None,
        to_frame: np.ndarray | None,
        visible: np.ndarray | None,
    ) -> Signs:
        """Return the signs of face crops and of the networks' pictures made of them."""
        count = len(pictures)
        nothing = np.full(count, np.nan)
        return picture_signs(fitted, nothing) | face_signs(
            np.full((count, 2), np.nan) if poses is None else poses,
            nothing if to_frame is None else np.array([frame_pixels(each) for each in to_frame]),
            np.full((count, len(REGION_POINTS)), np.nan) if visible is None else visible,
            side=np.array([each.shape[0] for each in pictures]),
            size=self.size,
            kept=self.kept,
        )

    def judge_faces(self, faces: "Sequence[FoundFace]") -> Judged:
        """Return what `judge` says of faces that `aacsfnet.faces` found."""
        return self.judge(*parts_of(faces))

    def look(self, faces: "Sequence[FoundFace]") -> list[Look]:
        """Return what `judge_in_context` must know of faces, each by itself."""
        if not faces:
            return []
        self._tell_of_context()
        pictures, *parts = parts_of(faces)
        fitted = np.stack([self._fitted(each) for each in pictures])
        features = zip(*(member.features(fitted) for member in self.members), strict=True)
        signs = self._signs(pictures, fitted, *parts)
        return [
            Look(list(own), {name: float(values[at]) for name, values in signs.items()})
            for at, own in enumerate(features)
        ]

    def judge_in_context(self, looks: Sequence[InContext]) -> Judged:
        """Return what is to be told of faces that each have others of the same person beside them.

        Args:
            looks: of a predictor whose `context` is not None.
        """
        if not looks:
            return unknown(np.empty(0, np.float32))
        found = [
            member.scores(member.in_context(at, looks)) for at, member in enumerate(self.members)
        ]
        scores = np.stack([each for each, _ in found]).clip(self.label.low, self.label.high)
        distances = np.stack([each for _, each in found])
        signs = {
            name: np.array([each.own.signs[name] for each in looks]) for name in looks[0].own.signs
        }
        return judged(self.reliability, scores.mean(axis=0), distances.mean(axis=0), lambda: signs)

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
            clip: whether to keep scores within the label's range; intervals always are.

        Raises:
            DataError: this is no such picture, or the file cannot be read as one.
        """
        faces = (extractor or self._extractor).find(picture, everyone=True)
        told = self.judge_faces(faces)
        scores = told.prediction if clip else self.predict([f.crop for f in faces], clip=False)
        numbers = (each.tolist() for each in (scores, told.low, told.high))
        return [
            ScoredFace(tuple(face.box_xyxy.tolist()), score, face, low, high, why)
            for face, score, low, high, why in zip(faces, *numbers, told.why, strict=True)
        ]

    def video(self, path: str | Path, **options: Any) -> "Iterator[dict[str, Any]]":
        """Yield the rows of a video's faces, as `aacsfnet predict` writes them, in constant memory.

        Args:
            path: the file.
            options: `people`, `mode` and `neutral`, as the command has them.

        Raises:
            DataError: there is no such file.
        """
        from aacsfnet.inference.predict import rows_of

        yield from rows_of(path, self, **options)

    def _scores(
        self, fitted: Sequence[np.ndarray], batch: int, *, clip: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return scores and distances `(N,)` float32 of pictures of the networks' size."""
        self._tell_of_context()
        low, high = (self.label.low, self.label.high) if clip else (-np.inf, np.inf)
        found = np.empty((2, len(self.members), len(fitted)), np.float32)
        for start in range(0, len(fitted), batch):
            part = np.stack(fitted[start : start + batch])
            for at, member in enumerate(self.members):
                found[:, at, start : start + batch] = member.scores(member.features(part))
        return found[0].clip(low, high).mean(axis=0), found[1].mean(axis=0)

    def _fitted(self, picture: np.ndarray) -> np.ndarray:
        """Return the middle of a crop at the networks' size, as `merge` does."""
        if picture.dtype != np.uint8 or picture.shape != (*picture.shape[:1] * 2, 3):
            raise DataError(
                f"a picture is {picture.dtype} {picture.shape}; expected uint8 (S, S, 3), RGB"
            )
        return resized(picture, self.size, self.kept)

    @cached_property
    def _extractor(self) -> "FaceExtractor":
        # Loads MediaPipe, which `predict` never needs.
        from aacsfnet.faces.find import FaceExtractor

        return FaceExtractor(self.crop, self.landmarks)
