"""Settings read from a file, or from JSON text."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from aacsfnet.config.config import EXPERIMENTS, Config
from aacsfnet.config.explain import explain
from aacsfnet.config.layers import check_removed, laid_over
from aacsfnet.errors import SettingsError
from aacsfnet.files import shown

#: The settings of the workflow, in the folder that it is started in.
BASE = Path("config.yaml")


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

    A file is laid over the working folder's `config.yaml` key by key, as the workflow does; where
    there is none, over the defaults. JSON text is all there is.

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
    layers = {str(path): _read(path)}
    if not BASE.is_file():
        layers = {"the defaults": {"experiments": EXPERIMENTS}} | layers
    elif not path.samefile(BASE):
        layers = {str(BASE): _read(BASE)} | layers
    check_removed(layers.items())
    settings: dict[str, Any] = {}
    for layer in layers.values():
        settings = laid_over(settings, layer)
    return validate(settings, str(path))


def check_files(files: Iterable[str | Path]) -> None:
    """Refuse settings files, each laid over those before, of which one removes what is not there.

    Raises:
        SettingsError: an experiment is set to null that no file before has.
    """
    check_removed((str(file), _read(Path(file))) for file in files)


def _read(path: Path) -> dict[str, Any]:
    """Return the keys of a YAML file; none if it is empty."""
    if not path.is_file():
        raise SettingsError(f"{shown(path)}: no such file; give --config a YAML file or JSON text")
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        kind = type(settings).__name__
        raise SettingsError(f"{path}: expected keys and values, got {kind}")
    return settings
