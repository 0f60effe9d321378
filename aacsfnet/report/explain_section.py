"""The report's section on what the networks read, where `aacsfnet explain` was run."""

from typing import Any

import cv2
import matplotlib as mpl
import numpy as np

from aacsfnet import landmark_sets as sets
from aacsfnet import tables
from aacsfnet.evaluation.results import Results
from aacsfnet.evaluation.statistics import Interval
from aacsfnet.inference.explain.summary import Explained, models_of, summarise
from aacsfnet.report.pictures import data_uri

#: Side of a map on the page, pixels.
_SIDE = 192
#: Maps are drawn up to this share of their pixels; the few beyond are as bright.
_BRIGHTEST = 0.995


def explain_section(results: Results) -> dict[str, Any]:
    """Return the section of every experiment that was explained."""
    found: dict[str, Any] = {"experiments": [], "outdated": [], "side": _SIDE}
    for name in results.experiments:
        path = results.layout.experiment(name).explanation
        if not path.is_file():
            continue
        notes = tables.notes(path)
        if notes["models"] != models_of(results.layout, name):
            found["outdated"].append(name)
            continue
        config = results.layout.config(f"experiments/{name}/").evaluate
        explained = summarise(tables.read(path), config.bootstrap, config.confidence)
        if explained.groups:
            found["experiments"].append(_experiment(name, explained, np.array(notes["face"])))
    return found


def _experiment(name: str, explained: Explained, face: np.ndarray) -> dict[str, Any]:
    maps = [group.maps[branch] for group in explained.groups for branch in explained.branches]
    most = float(np.quantile(np.stack(maps), _BRIGHTEST)) or 1.0
    return {
        "name": name,
        "frames": explained.frames,
        "subjects": explained.subjects,
        "ignored": explained.ignored,
        "branches": explained.branches,
        "amounts": [100 * explained.amounts[each] for each in explained.branches],
        "regions": [
            {
                "name": region,
                "area": 100 * explained.areas[region],
                "shares": [_percent(explained.shares[each][region]) for each in explained.branches],
            }
            for region in tables.PARTS
        ],
        "groups": [
            {
                "levels": _levels(group.lowest, group.highest),
                "subjects": group.subjects,
                "shares": [
                    _percent(group.shares[explained.branches[-1]][each]) for each in tables.PARTS
                ],
                "maps": [
                    data_uri(_drawn(group.maps[each], face, most)) for each in explained.branches
                ],
            }
            for group in explained.groups
        ],
        "most": most,
    }


def _levels(lowest: float, highest: float) -> str:
    return f"{lowest:g}" if lowest == highest else f"{lowest:g}–{highest:g}"


def _percent(value: Interval) -> dict[str, float | None]:
    ends = {"value": value.value, "low": value.low, "high": value.high}
    return {name: 100 * each if np.isfinite(each) else None for name, each in ends.items()}


def _drawn(values: np.ndarray, face: np.ndarray, most: float) -> np.ndarray:
    """Return a map `(side, side)` as colours, the mean face's outlines over it.

    Args:
        values: 1 is what an even spread would be.
        face: `(478, 2)` landmarks of the mean face in its pixels.
        most: the value of the brightest colour.
    """
    colours = mpl.colormaps["magma"](np.clip(values / most, 0, 1))[..., :3]
    picture: np.ndarray = cv2.resize(
        np.rint(255 * colours).astype(np.uint8), (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC
    )
    points = (face + 0.5) * _SIDE / len(values) - 0.5
    lines = [np.rint(16 * points[list(outline)]).astype(np.int32) for outline in sets.OUTLINES]
    cv2.polylines(picture, lines, False, (200, 200, 200), 1, cv2.LINE_AA, 4)
    return picture
