"""What a label is; loading a trained network needs this, and no data set."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Label:
    """A label's name, range and meaning, for axes, clipping and captions."""

    name: str
    low: float
    high: float
    meaning: str
