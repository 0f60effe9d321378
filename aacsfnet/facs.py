"""Action units of the Facial Action Coding System (FACS), and PSPI, which is made of them.

An intensity runs 0 to 5 (A to E in FACS); AU43, closed eyes, is there or not: 0 or 1.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Units that a table of frames holds.
ACTION_UNITS = ("au4", "au6", "au7", "au9", "au10", "au12", "au20", "au25", "au26", "au43")
#: Units that PSPI is made of.
PSPI_UNITS = ("au4", "au6", "au7", "au9", "au10", "au43")
#: Highest intensity of each unit.
HIGHEST = {
    **dict.fromkeys(("au1", "au2", "au4", "au6", "au7", "au9", "au10"), 5.0),
    **dict.fromkeys(("au12", "au20", "au25", "au26"), 5.0),
    "au43": 1.0,
}


def pspi(units: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Return PSPI, 0 to 16: AU4 + max(AU6, AU7) + max(AU9, AU10) + AU43.

    Source: Prkachin and Solomon, Pain 139 (2008).

    Args:
        units: intensities by name, numbers or arrays `(...)`; a unit left out counts as 0.

    >>> float(pspi({"au4": 2, "au6": 1, "au7": 3, "au9": 0, "au10": 1.5, "au43": 1}))
    7.5
    """
    au = {unit: np.asarray(units.get(unit, 0.0), np.float64) for unit in PSPI_UNITS}
    eyes, mouth = np.maximum(au["au6"], au["au7"]), np.maximum(au["au9"], au["au10"])
    return np.asarray(au["au4"] + eyes + mouth + au["au43"])


def pspi_if_known(units: Mapping[str, float]) -> float | None:
    """Return PSPI, or None where the intensity of one of its units is not known.

    >>> pspi_if_known({"au4": 2, "au6": 3, "au7": 1, "au9": 0, "au10": 0, "au43": 1})
    6.0
    >>> pspi_if_known({"au4": 2})
    """
    return float(pspi(units)) if units.keys() >= set(PSPI_UNITS) else None
