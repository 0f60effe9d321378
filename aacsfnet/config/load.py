"""Settings read from a file, or from JSON text."""

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from aacsfnet.config.config import Config
from aacsfnet.config.explain import explain
from aacsfnet.errors import SettingsError


def validate(settings: Any, source: str = "config") -> Config:
    """Return checked settings.

    Raises:
        SettingsError: with one line that names every wrong key.
    """
    if not isinstance(settings, dict):
        raise SettingsError(f"{source}: expected keys and values, got {type(settings).__name__}")
    try:
        return Config.model_validate(settings)
    except ValidationError as error:
        raise SettingsError(f"{source}: {explain(error, Config)}") from None


def load(config: str | Path) -> Config:
    """Return the settings in a YAML file, or in JSON text (anything that starts with '{').

    Raises:
        SettingsError: the file is missing, is no YAML, or holds a wrong key or value.
    """
    text = str(config)
    if text.lstrip().startswith("{"):
        try:
            return validate(json.loads(text), "config")
        except json.JSONDecodeError as error:
            raise SettingsError(f"--config: not JSON: {error}") from None
    path = Path(config)
    if not path.is_file():
        raise SettingsError(f"{path}: no such file; give --config a YAML file or JSON text")
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    return validate(settings if settings is not None else {}, str(path))
