"""What is told of faces: their scores, and how far these can be trusted."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from aacsfnet.evaluation.abstention import Signs, doubt, reasons
from aacsfnet.evaluation.reliability import Reliability
from aacsfnet.landmark_sets import REGION_POINTS

if TYPE_CHECKING:
    from aacsfnet.faces.find import FoundFace


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


def judged(
    reliability: Reliability | None,
    scores: np.ndarray,
    distances: np.ndarray,
    signs: Callable[[], Signs],
) -> Judged:
    """Return what is to be told of scores.

    Args:
        reliability: what is known of such scores; None: nothing.
        scores: `(N,)`.
        distances: `(N,)`, of the networks' features from those of training.
        signs: gives the signs of the faces; called only if they are needed.
    """
    if reliability is None:
        return unknown(scores)
    low, high = reliability.intervals.bounds(scores.astype(np.float64))
    found = unknown(scores)._replace(low=low.astype(np.float32), high=high.astype(np.float32))
    bounds = reliability.bounds
    if not bounds.usual or not len(scores):
        return found
    doubts = bounds.doubts({**signs(), "distance": distances.astype(np.float64)})
    most = doubt(doubts, len(scores)).astype(np.float32)
    return found._replace(doubt=most, why=list(reasons(doubts, len(scores))))


def unknown(scores: np.ndarray) -> Judged:
    """Return scores `(N,)` of which nothing else is known."""
    nothing = np.full(len(scores), np.nan, np.float32)
    return Judged(scores, nothing, nothing, nothing, [None] * len(scores))


def parts_of(
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
