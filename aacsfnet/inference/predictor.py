"""Trained networks, loaded once, that score face crops, pictures and videos."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aacsfnet.errors import DataError, ModelFileError
from aacsfnet.evaluation.abstention import Signs, doubt, reasons
from aacsfnet.inference.folders import networks_of, reliability_of
from aacsfnet.inference.member import InContext, Look, Member
from aacsfnet.landmark_sets import REGION_POINTS
from aacsfnet.models.pictures import resized
from aacsfnet.models.signs import face_signs, frame_pixels, picture_signs

if TYPE_CHECKING:
    import torch

    from aacsfnet.faces.find import FaceExtractor, FoundFace


log = logging.getLogger(__name__)

_AS_THEY_COME = ", of a film each frame, however far apart those of training were"


class Judged(NamedTuple):
    """Scores of faces, and how far they can be trusted.

    Attributes:
        prediction: `(N,)` float32, in units of the predictor's `label`.
        low, high: `(N,)` float32, ends of the prediction interval; NaN where the model tells none.
        doubt: `(N,)` float32, how unlike the training people's a face is: beyond 1 the score must
            not be trusted; NaN where the model cannot tell.
        why: for each face, in words; "" where it can be trusted, None where the model cannot tell.
    """

    prediction: np.ndarray
    low: np.ndarray
    high: np.ndarray
    doubt: np.ndarray
    why: list[str | None]


class ScoredFace(NamedTuple):
    """A face of a picture and its score.

    Attributes:
        box_xyxy: the box round it in picture pixels: left, top, right, bottom.
        prediction: the score, in units of the predictor's `label`.
        face: its crop, landmarks, pose and measures.
        low, high: ends of the prediction interval; NaN where the model tells none.
        why: why not to trust the score; "" to trust it, None where the model cannot tell.
    """

    box_xyxy: tuple[float, float, float, float]
    prediction: float
    face: "FoundFace"
    low: float = float("nan")
    high: float = float("nan")
    why: str | None = None


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
        if self.context is not None:
            log.warning(
                "%s sees pictures in context (%s): films and sequences of pictures give it%s; a"
                " picture by itself is scored without, with no interval and no reason to abstain",
                folder,
                self.context[0],
                "" if self._spaced() else _AS_THEY_COME,
            )

    def _spaced(self) -> bool:
        """Whether what stands beside a frame lies as far from it in time as in training."""
        return self.context is None or self.context[0] == "person" or self.spacing_s is not None

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
            return _unknown(scores)
        return self._judged(
            scores,
            distances,
            lambda: self._signs(pictures, np.stack(fitted), poses, to_frame, visible),
        )

    def _judged(
        self, scores: np.ndarray, distances: np.ndarray, signs: Callable[[], Signs]
    ) -> Judged:
        """Return what is to be told of scores and distances `(N,)`; signs are asked if needed."""
        if self.reliability is None:
            return _unknown(scores)
        low, high = self.reliability.intervals.bounds(scores.astype(np.float64))
        found = _unknown(scores)._replace(low=low.astype(np.float32), high=high.astype(np.float32))
        bounds = self.reliability.bounds
        if not bounds.usual or not len(scores):
            return found
        doubts = bounds.doubts({**signs(), "distance": distances.astype(np.float64)})
        most = doubt(doubts, len(scores)).astype(np.float32)
        return found._replace(doubt=most, why=list(reasons(doubts, len(scores))))

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
        unknown = np.full(count, np.nan)
        return picture_signs(fitted, unknown) | face_signs(
            np.full((count, 2), np.nan) if poses is None else poses,
            unknown if to_frame is None else np.array([frame_pixels(each) for each in to_frame]),
            np.full((count, len(REGION_POINTS)), np.nan) if visible is None else visible,
            side=np.array([each.shape[0] for each in pictures]),
            size=self.size,
            kept=self.kept,
        )

    def judge_faces(self, faces: "Sequence[FoundFace]") -> Judged:
        """Return what `judge` says of faces that `aacsfnet.faces` found."""
        return self.judge(*_parts(faces))

    def look(self, faces: "Sequence[FoundFace]") -> list[Look]:
        """Return what `judge_in_context` must know of faces, each by itself."""
        if not faces:
            return []
        pictures, *parts = _parts(faces)
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
            return _unknown(np.empty(0, np.float32))
        found = [
            member.scores(member.in_context(at, looks)) for at, member in enumerate(self.members)
        ]
        scores = np.stack([each for each, _ in found]).clip(self.label.low, self.label.high)
        distances = np.stack([each for _, each in found])
        signs = {
            name: np.array([each.own.signs[name] for each in looks]) for name in looks[0].own.signs
        }
        return self._judged(scores.mean(axis=0), distances.mean(axis=0), lambda: signs)

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
        judged = self.judge_faces(faces)
        scores = judged.prediction if clip else self.predict([f.crop for f in faces], clip=False)
        numbers = (each.tolist() for each in (scores, judged.low, judged.high))
        return [
            ScoredFace(tuple(face.box_xyxy.tolist()), score, face, low, high, why)
            for face, score, low, high, why in zip(faces, *numbers, judged.why, strict=True)
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


def _unknown(scores: np.ndarray) -> Judged:
    """Return scores `(N,)` of which nothing else is known."""
    nothing = np.full(len(scores), np.nan, np.float32)
    return Judged(scores, nothing, nothing, nothing, [None] * len(scores))


def _parts(
    faces: "Sequence[FoundFace]",
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Return crops, poses, matrices and visibility of faces, as `Predictor.judge` takes them."""
    return (
        [face.crop for face in faces],
        np.array([face.pose[:2] for face in faces]).reshape(-1, 2),
        np.array([face.to_frame for face in faces]).reshape(-1, 2, 3),
        np.array(
            [[face.visible[region] for region in REGION_POINTS] for face in faces], np.float64
        ),
    )
