"""Which regions of a face are seen, and what may not be told of a face where one is covered.

Behind a hand, sunglasses or a scarf the mesh invents lids and lips. Each region of
`aacsfnet.tables.REGIONS` has a score: the share of it that is seen, 0 to 1; of brows and eyes that
of the worse side, since their measures take both. What rests on a region below
`landmarks.min_visibility` is left out of everything that is made of it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from aacsfnet.tables import REGIONS

#: The regions that each measure of `aacsfnet.tables.MEASURES` is taken on.
RESTS_ON = {
    **dict.fromkeys(("brow_height_right", "brow_height_left", "brow_height"), ("brows", "eyes")),
    "brow_distance": ("brows",),
    **dict.fromkeys(("lid_opening_right", "lid_opening_left", "lid_opening"), ("eyes",)),
    "lower_lid_height": ("eyes",),
    "cheek_raise": ("eyes", "nose"),  # what covers the nose covers the cheeks beside it
    "nose_wrinkle": ("eyes", "nose"),
    "upper_lip_raise": ("nose", "mouth"),
    **dict.fromkeys(("mouth_opening", "mouth_width", "mouth_corner_pull"), ("mouth",)),
    "asymmetry": REGIONS,
}
#: The region on which each action unit is seen.
SEEN_ON = {
    "au4": "brows",
    **dict.fromkeys(("au6", "au7", "au43"), "eyes"),
    "au9": "nose",
    **dict.fromkeys(("au10", "au12", "au20", "au25", "au26"), "mouth"),
}


def visible_of(row: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the score of each region in a row of the landmarks table; None: not judged."""
    return {region: row[f"visible_{region}"] for region in REGIONS}


def covered(visible: Mapping[str, float | None], least: float) -> tuple[str, ...]:
    """Return the regions that are seen less than what counts, in the order of `REGIONS`.

    Args:
        visible: share of each region that is seen; None, or left out, is not judged.
        least: `landmarks.min_visibility`.

    >>> covered({"brows": 0.9, "eyes": 0.2, "nose": None, "mouth": 0.4}, 0.5)
    ('eyes', 'mouth')
    """
    scores = {region: visible.get(region) for region in REGIONS}
    return tuple(name for name, score in scores.items() if score is not None and score < least)


def hidden_measures(regions: Iterable[str]) -> frozenset[str]:
    """Return the measures that rest on one of these regions.

    >>> sorted(hidden_measures(["nose"]))
    ['asymmetry', 'cheek_raise', 'nose_wrinkle', 'upper_lip_raise']
    """
    hidden = set(regions)
    return frozenset(name for name, needed in RESTS_ON.items() if hidden.intersection(needed))


def hidden_units(regions: Iterable[str]) -> frozenset[str]:
    """Return the action units that are seen on one of these regions.

    >>> sorted(hidden_units(["eyes"]))
    ['au43', 'au6', 'au7']
    """
    hidden = set(regions)
    return frozenset(unit for unit, region in SEEN_ON.items() if region in hidden)
