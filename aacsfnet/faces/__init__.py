"""Faces: found, levelled and cut out, measured in 478 points.

The names listed in `__all__` are loaded on first use, so that importing the package stays light.
"""

from importlib import import_module
from typing import Any

__all__ = ["FaceExtractor", "FoundFace", "find_faces"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("aacsfnet.faces.find"), name)
    raise AttributeError(f"module 'aacsfnet.faces' has no attribute {name!r}")
