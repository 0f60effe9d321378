"""Settings laid over others, key by key: a user's file over `config.yaml`."""

import difflib
from collections.abc import Iterable
from typing import Any

from aacsfnet.errors import SettingsError


def check_removed(layers: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Refuse an experiment set to null where no layer before has it: the name is mistyped.

    Args:
        layers: name and settings of each file, each laid over those before.

    Raises:
        SettingsError: there is one; the message names it and those that there are.
    """
    known: set[str] = set()
    for source, settings in layers:
        given = settings.get("experiments")
        if not isinstance(given, dict):
            continue
        for name, keys in given.items():
            if keys is None and name not in known:
                near = difflib.get_close_matches(str(name), known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise SettingsError(
                    f"{source}: experiments.{name}: null removes an experiment, and there is none"
                    f" of this name; there are {', '.join(sorted(known)) or 'none'}{hint}"
                )
        known |= {name for name, keys in given.items() if keys is not None}


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return settings with others laid over them, key by key in nested blocks."""
    nested = {
        key: laid_over(below[key], value)
        for key, value in above.items()
        if isinstance(value, dict) and isinstance(below.get(key), dict)
    }
    return below | above | nested
