"""What every block of the configuration is."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator


class Block(BaseModel):
    """A group of keys; unknown keys are errors and values cannot change.

    A `~` in front of a path is the user's home folder.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    @field_validator("*")
    @classmethod
    def _expand_home(cls, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(_home_expanded, value))
        return _home_expanded(value)


def _home_expanded(value: Any) -> Any:
    if isinstance(value, Path) and value.parts[:1] and value.parts[0].startswith("~"):
        return _expanded(value)
    # Names of folders may be text, as 'bundled' or nothing can stand there too.
    if isinstance(value, str) and value.startswith("~/"):
        return str(_expanded(Path(value)))
    return value


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path}: {error}") from None
