"""Scores relative to a person's own neutral level, which no label tells."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aacsfnet.config.evaluation import NEUTRAL
from aacsfnet.errors import SettingsError
from aacsfnet.evaluation.conformal import Floats


@dataclass(frozen=True)
class Neutral:
    """How a person's own neutral level is taken from their scores in one recording.

    Attributes:
        frames: how many of the first scores count; None: all. The level is their median.
    """

    frames: int | None

    @classmethod
    def of(cls, words: str) -> "Neutral":
        """Return what "median" or "first:50" mean.

        Raises:
            SettingsError: the words are neither.
        """
        if not re.match(NEUTRAL, words):
            raise SettingsError(f"neutral = {words!r}: expected median, or first:50 or the like")
        first = words.partition(":")[2]
        return cls(int(first) if first else None)

    def level(self, scores: Floats, trusted: NDArray[np.bool_] | None = None) -> float:
        """Return the neutral level of scores `(n,)` in order of time; NaN without any.

        Scores that are not trusted, `(n,)`, do not count where there are others.

        >>> Neutral.of("median").level(np.array([0.0, 1.0, 5.0])), Neutral(2).level(np.ones(3))
        (1.0, 1.0)
        """
        if trusted is not None and trusted.any():
            scores = scores[trusted]
        taken = scores[: self.frames]
        return float(np.median(taken)) if len(taken) else float("nan")
