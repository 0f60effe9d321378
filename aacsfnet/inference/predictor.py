"""Trained networks, loaded once, that score face crops, pictures and videos."""

import logging
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from aacsfnet.errors import DataError, ModelFileError
from aacsfnet.evaluation.abstention import doubt, reasons
from aacsfnet.evaluation.reliability import Reliability
from aacsfnet.evaluation.reliability import read as read_reliability
from aacsfnet.files import digest_of
from aacsfnet.inference.member import Member
from aacsfnet.landmark_sets import REGION_POINTS
from aacsfnet.layout import Evaluated, Trained
from aacsfnet.models.folder import is_skipped
from aacsfnet.models.pictures import resized
from aacsfnet.models.signs import face_signs, frame_pixels, picture_signs

if TYPE_CHECKING:
    import torch

    from aacsfnet.faces.find import FaceExtractor, FoundFace


log = logging.getLogger(__name__)


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

    Attributes:
        label: what a score means, and its range.
        crop, landmarks: how faces are found and cut out, as for training.
        kept, size: share of a crop's side that the networks see, and the side of their pictures.
        models: the networks.
        reliability: gives intervals and reasons to abstain; None: the experiment was not evaluated.

    Raises:
        ModelFileError: the folder holds no usable network, or networks that do not fit together.
    """

    def __init__(self, folder: str | Path, device: "str | torch.device" = "cpu") -> None:
        members = [Member(each, device) for each in _folders(Path(folder))]
        first = members[0]
        if (fusion := first.model.context_fusion) is not None:
            raise ModelFileError(
                f"{folder}: its network sees pictures in context ({fusion.kind}), which is for"
                " training and evaluation only so far; give one of network.context: none"
            )
        for other in members[1:]:
            if other.meaning != first.meaning:
                raise ModelFileError(
                    f"{other.folder}: its label or the crops it was trained on differ from those "
                    f"of {first.folder}; give the folder of one of them"
                )
        self.label, self.crop, self.landmarks, self.kept, self.size = first.meaning
        self.models = [member.model for member in members]
        self.members = members
        self.reliability = _reliability(Path(folder), members)

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
        count = len(pictures)
        fitted = [self._fitted(each) for each in pictures]
        scores, distances = self._scores(fitted, batch, clip=True)
        unknown = np.full(count, np.nan, np.float32)
        if self.reliability is None:
            return Judged(scores, unknown, unknown, unknown, [None] * count)
        low, high = self.reliability.intervals.bounds(scores.astype(np.float64))
        ends = low.astype(np.float32), high.astype(np.float32)
        bounds = self.reliability.bounds
        if not bounds.usual or not count:
            return Judged(scores, *ends, unknown, [None] * count)
        signs = picture_signs(np.stack(fitted), distances) | face_signs(
            np.full((count, 2), np.nan) if poses is None else poses,
            unknown if to_frame is None else np.array([frame_pixels(each) for each in to_frame]),
            np.full((count, len(REGION_POINTS)), np.nan) if visible is None else visible,
            side=np.array([each.shape[0] for each in pictures]),
            size=self.size,
            kept=self.kept,
        )
        doubts = bounds.doubts(signs)
        most = doubt(doubts, count).astype(np.float32)
        return Judged(scores, *ends, most, list(reasons(doubts, count)))

    def judge_faces(self, faces: "Sequence[FoundFace]") -> Judged:
        """Return what `judge` says of faces that `aacsfnet.faces` found."""
        return self.judge(
            [face.crop for face in faces],
            np.array([face.pose[:2] for face in faces]).reshape(-1, 2),
            np.array([face.to_frame for face in faces]).reshape(-1, 2, 3),
            np.array(
                [[face.visible[region] for region in REGION_POINTS] for face in faces], np.float64
            ),
        )

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
                found[:, at, start : start + batch] = member.scores(part)
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


def _folders(folder: Path) -> list[Path]:
    """Return the folder of one network itself, or those of an experiment's trained networks."""
    if Trained(folder).description.is_file():
        return [folder]
    found = Evaluated(folder).trained()
    trained = [each.folder for each in found if not is_skipped(each.folder)]
    if found and not trained:
        raise ModelFileError(f"{folder}: none of its {len(found)} folds was trained")
    return trained or [folder]


def _reliability(folder: Path, members: list[Member]) -> Reliability | None:
    """Return what is known of the networks' reliability; None, with a warning, where nothing is.

    It stands in the folder itself, or, of a fold, in that of its experiment.
    """
    missing = "so there are no intervals and no reasons to abstain; evaluate the experiment"
    places = (folder, folder.resolve().parent.parent)
    paths = [path for path in (Evaluated(each).reliability for each in places) if path.is_file()]
    if not paths:
        log.warning("%s: no reliability.json, %s", folder, missing)
        return None
    found = read_reliability(paths[0])
    weights = (Trained(member.folder).weights for member in members)
    if not {digest_of(path) for path in weights} <= set(found.networks):
        log.warning("%s is of other networks than those in %s, %s", paths[0], folder, missing)
        return None
    return found
