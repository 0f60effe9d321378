"""Automatic assessment of pain from faces: GSFF augmentation and the AACSFNet network.

The names listed in `__all__` are loaded on first use, so that importing the package stays light.
"""

import os
from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# onnxruntime, which diffusers imports where it is installed, else keeps an identity of this machine
# in the home folder and reports to its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_HOMES = {
    "create_model": "aacsfnet.models",
    "load_model": "aacsfnet.models",
    "Predictor": "aacsfnet.inference",
}

#: Parts that can be used without importing them first.
_PACKAGES = ("evaluation", "faces", "table", "tables")

__all__ = ["Predictor", "__version__", "create_model", "load_model"]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"aacsfnet.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'aacsfnet' has no attribute {name!r}")
