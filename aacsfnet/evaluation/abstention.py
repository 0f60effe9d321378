"""When not to trust a score: its face is unlike those that held-out people showed.

Each *sign* of a face is a number. Its bounds are those that all but a given share of the frames of
held-out subjects keep, each subject weighing the same; no label and no error is looked at. A face
beyond a bound is one to abstain on, and the sign says why. `doubt` tells how far a face goes: 0 is
the median face, 1 a bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet.evaluation.conformal import Floats, subject_weights, weighted_quantile
from aacsfnet.landmark_sets import REGION_POINTS

_INFINITE = float("inf")


@dataclass(frozen=True)
class Sign:
    """What one number says of a face.

    Attributes:
        words: why to abstain on a face beyond a bound.
        sides: which bounds it has.
        harmless: a range that is never a reason, however alike the held-out people's frames are.
        ratio: whether values compare by ratio, not by difference.
    """

    words: str
    sides: tuple[str, ...]
    harmless: tuple[float, float] = (_INFINITE, -_INFINITE)
    ratio: bool = False


#: The signs, each with the name of its column in the predictions of a fold; NaN: unknown.
SIGNS = {
    # Degrees, see `aacsfnet.faces.pose`.
    "yaw": Sign("head turned", ("low", "high"), (-10.0, 10.0)),
    "pitch": Sign("head tilted", ("low", "high"), (-10.0, 10.0)),
    # Frame pixels to one of the network's picture: from 1 on nothing is enlarged.
    "detail": Sign("face small", ("low",), (1.0, _INFINITE), ratio=True),
    "sharpness": Sign("face blurred", ("low",), ratio=True),
    # Share of a region that is seen, see `aacsfnet.faces.visibility`.
    **{
        f"visible_{region}": Sign(f"{region} covered", ("low",), (0.5, _INFINITE))
        for region in REGION_POINTS
    },
    # Of the fused features, see `aacsfnet.models.familiarity`.
    "distance": Sign("unlike the training faces", ("high",)),
}

#: Values of `SIGNS` by name, `(n,)` each; a sign that is lacking is unknown.
Signs = Mapping[str, Floats]


@dataclass(frozen=True)
class Bounds:
    """Bounds of the signs.

    Attributes:
        share: of held-out frames that each sign was let take.
        usual: by sign, the median.
        low, high: by sign, where there is such a bound.
    """

    share: float
    usual: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]

    def doubts(self, signs: Signs) -> dict[str, Floats]:
        """Return each sign's doubt `(n,)`: 0 the median, 1 a bound; 0 where it is unknown."""
        return {name: self._doubt(name, np.asarray(signs[name])) for name in self._judged(signs)}

    def _judged(self, signs: Signs) -> list[str]:
        return [name for name in SIGNS if name in signs and name in self.usual]

    def _doubt(self, name: str, values: Floats) -> Floats:
        usual = _scaled(name, self.usual[name])
        beyond = [np.zeros(len(values))]
        for way, bounds in ((-1.0, self.low), (1.0, self.high)):
            if name not in bounds:
                continue
            room = way * (_scaled(name, bounds[name]) - usual)
            past = way * (_scaled(name, values) - usual)
            # Where all held-out frames agree there is no room, and any other value is beyond.
            far = np.where(past > 1e-9, _INFINITE, 0.0)
            beyond.append(past / room if room > 1e-9 else far)
        found: Floats = np.nan_to_num(np.max(beyond, axis=0), nan=0.0, posinf=_INFINITE)
        return found

    def stored(self) -> dict[str, Any]:
        """Return this as JSON holds it."""
        return {
            "share": self.share,
            "signs": {
                name: {
                    "usual": usual,
                    "low": self.low.get(name),
                    "high": self.high.get(name),
                    "words": SIGNS[name].words,
                }
                for name, usual in self.usual.items()
            },
        }

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Bounds":
        """Return what `stored` gave; raises TypeError or KeyError where it did not."""
        known = {name: each for name, each in stored["signs"].items() if name in SIGNS}
        sides = {
            side: {name: each[side] for name, each in known.items() if each[side] is not None}
            for side in ("usual", "low", "high")
        }
        return cls(share=stored["share"], **sides)


def fit(signs: Signs, subjects: NDArray[Any], share: float) -> Bounds:
    """Return the bounds that all but a share of held-out subjects' frames keep, sign by sign.

    Args:
        signs: `(n,)` values by name.
        subjects: `(n,)` names.
        share: of the frames, each subject weighing the same; halved where a sign has two bounds.
    """
    usual: dict[str, float] = {}
    found: dict[str, dict[str, float]] = {"low": {}, "high": {}}
    for name, sign in SIGNS.items():
        values = np.asarray(signs.get(name, np.empty(0)), np.float64)
        known = np.isfinite(values)
        if not known.any():
            continue
        values, (weights, _) = values[known], subject_weights(subjects[known])
        usual[name] = _quantile(values, weights, 0.5)
        tail = share / len(sign.sides)
        if "low" in sign.sides:
            bound = -_quantile(-values, weights, 1 - tail)
            found["low"][name] = min(bound, sign.harmless[0])
        if "high" in sign.sides:
            bound = _quantile(values, weights, 1 - tail)
            found["high"][name] = max(bound, sign.harmless[1])
    return Bounds(share, usual, found["low"], found["high"])


def doubt(doubts: Mapping[str, Floats], count: int) -> Floats:
    """Return the largest doubt of each of `count` faces `(n,)`."""
    found: Floats = np.max([np.zeros(count), *doubts.values()], axis=0)
    return found


def reasons(doubts: Mapping[str, Floats], count: int) -> list[str]:
    """Return why to abstain on each of `count` faces, the weightiest reason first; "" if trusted.

    >>> reasons({"yaw": np.array([0.5, 1.2]), "sharpness": np.array([0.1, 3.0])}, 2)
    ['', 'face blurred; head turned']
    """
    found = []
    for at in range(count):
        beyond = {name: values[at] for name, values in doubts.items() if values[at] > 1}
        order = sorted(beyond, key=lambda name: -beyond[name])
        found.append("; ".join(SIGNS[name].words for name in order))
    return found


def _quantile(values: Floats, weights: Floats, share: float) -> float:
    found = weighted_quantile(values, weights, share)
    assert found is not None
    return found


def _scaled(name: str, values: Any) -> Any:
    """Return values on the scale on which they compare."""
    return np.log(np.maximum(values, 1e-6)) if SIGNS[name].ratio else values
