"""Which action units show a wanted PSPI: every way in whole intensities, usual or rare ones."""

from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from aacsfnet.facs import HIGHEST

_STRONGEST = int(HIGHEST["au4"])
#: How often each part of PSPI, and each unit of a pair, is coded in the UNBC-McMaster archive:
#: frames of 48,398 (Lucey et al., FG 2011). They are fixed, so that nobody's labels
#: decide what is made from another's frames.
_CODED = {"au4": 1074, "au6": 5557, "au7": 3366, "au9": 423, "au10": 525, "au43": 2454}


class Way(NamedTuple):
    """PSPI's summands: AU4, the stronger of AU6 and AU7, that of AU9 and AU10, AU43."""

    brows: int
    eyes: int
    lip: int
    closed: int


@cache
def ways(level: int) -> tuple[Way, ...]:
    """Return all ways in which whole intensities sum up to a PSPI, 0 to 16.

    >>> len(ways(1)), len(ways(16))
    (4, 1)
    """
    steps = range(_STRONGEST + 1)
    found = (Way(*way) for way in product(steps, steps, steps, range(2)))
    return tuple(way for way in found if sum(way) == level)


@cache
def _usual(level: int) -> tuple[float, ...]:
    """Return the probability of each of `ways(level)` where units come as often as coded."""
    parts = np.array([_CODED["au4"], _CODED["au6"] + _CODED["au7"], _CODED["au9"] + _CODED["au10"]])
    share = parts / parts.sum()
    weights = []
    for way in ways(level):
        points = np.array(way[:3])
        # Multinomial: each point of intensity falls on brows, eyes or lip by how often these move.
        orders = np.log(np.arange(1, points.sum() + 1)).sum() - sum(
            np.log(np.arange(1, n + 1)).sum() for n in points
        )
        # Eyes close in strong pain rather than in weak.
        eyes = level / 16 if way.closed else 1 - level / 16
        weights.append(np.exp(orders + (points * np.log(share)).sum()) * eyes)
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def units_of(level: int, rare: bool, draws: np.random.Generator) -> dict[str, float]:
    """Return intensities of the six units of PSPI that give a level, drawn among its ways.

    Of a pair of units of which PSPI counts the stronger, the other has any intensity up to it.

    Args:
        level: PSPI, 1 to 16.
        rare: every way is as likely as any other; otherwise by how often its units are coded.
        draws: decides.
    """
    possible = ways(level)
    way = possible[draws.choice(len(possible), p=None if rare else _usual(level))]
    units = {"au4": float(way.brows)}
    for pair, strongest in ((("au6", "au7"), way.eyes), (("au9", "au10"), way.lip)):
        first = 0.5 if rare else _CODED[pair[0]] / (_CODED[pair[0]] + _CODED[pair[1]])
        leading, other = pair if draws.random() < first else pair[::-1]
        units |= {leading: float(strongest), other: float(draws.integers(strongest + 1))}
    return units | {"au43": float(way.closed)}
