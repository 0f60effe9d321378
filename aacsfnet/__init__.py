"""Automatic assessment of pain from faces: GSFF augmentation and the AACSFNet network.

The names listed in `__all__` are loaded on first use, so that importing the package stays light.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "create_model": "aacsfnet.models",
    "load_model": "aacsfnet.models",
    "Predictor": "aacsfnet.inference",
}

__all__ = ["Predictor", "__version__", "create_model", "load_model", "table"]


def __getattr__(name: str) -> Any:
    if name == "table":  # the package's former name for its tables
        return import_module("aacsfnet.tables")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'aacsfnet' has no attribute {name!r}")
