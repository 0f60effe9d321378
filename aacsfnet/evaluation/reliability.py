"""How far an experiment's scores can be trusted, stored beside it: `reliability.json`."""

import json
from dataclasses import dataclass
from pathlib import Path

from aacsfnet.errors import ModelFileError
from aacsfnet.evaluation.abstention import Bounds
from aacsfnet.evaluation.conformal import Intervals

FORMAT = 1


@dataclass(frozen=True)
class Reliability:
    """What tells how far a network's scores can be trusted.

    Attributes:
        intervals: turn a score into an interval.
        bounds: tell on which faces to abstain.
        networks: SHA-256 of the weights of the networks that it was calibrated on.
    """

    intervals: Intervals
    bounds: Bounds
    networks: tuple[str, ...]

    def as_json(self) -> str:
        """Return the text of `reliability.json`."""
        found = {
            "format": FORMAT,
            "intervals": self.intervals.stored(),
            "abstention": self.bounds.stored(),
            "networks": list(self.networks),
        }
        return json.dumps(found, indent=1, allow_nan=False) + "\n"


def read(path: Path) -> Reliability:
    """Return what a `reliability.json` holds.

    Raises:
        ModelFileError: the file is damaged or of another format.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise ModelFileError(f"{path}: of format {found['format']}, expected {FORMAT}")
        return Reliability(
            Intervals.read(found["intervals"]),
            Bounds.read(found["abstention"]),
            tuple(found["networks"]),
        )
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, IndexError) as error:
        raise ModelFileError(
            f"{path}: cannot be read ({error!r}); run `aacsfnet evaluate` again"
        ) from None
