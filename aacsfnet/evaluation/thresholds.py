"""At which levels a label counts as positive; needed before a run, so nothing heavy is imported."""

from collections.abc import Sequence

from aacsfnet.errors import SettingsError
from aacsfnet.labels import Label

#: Levels that the field asks about, by the label's name: PSPI as in UNBC's literature, the usual
#: borders of mild, moderate and severe pain on a scale of 0 to 10, each level of a stimulus.
_USUAL = {
    "pspi": (1.0, 2.0, 3.0),
    "vas": (1.0, 4.0, 7.0),
    "nrs": (1.0, 4.0, 7.0),
    "stimulus": (1.0, 2.0, 3.0, 4.0),
}


def thresholds_of(label: Label, asked: Sequence[float] | None) -> tuple[float, ...]:
    """Return the levels at which a label counts as positive: those asked for, or the usual ones.

    Of an unknown label they are the quarters of its range.

    Raises:
        SettingsError: one asked for tells nobody apart, since all or no labels are at or above it.

    >>> thresholds_of(Label("valence", 0.0, 2.0, ""), None)
    (0.5, 1.0, 1.5)
    """
    if asked is None:
        span = label.high - label.low
        quarters = tuple(label.low + span * part / 4 for part in (1, 2, 3))
        usual = _USUAL.get(label.name.lower(), quarters)
        within = tuple(level for level in usual if label.low < level <= label.high)
        return within or quarters
    for level in asked:
        if not label.low < level <= label.high:
            raise SettingsError(
                f"evaluate.thresholds: {level:g} is outside {label.name} {label.low:g}–"
                f"{label.high:g}; give levels above {label.low:g} and up to {label.high:g}, or null"
                " for those that follow the label"
            )
    return tuple(sorted(set(asked)))
