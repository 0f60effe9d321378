"""Scores for new pictures.

The names listed in `__all__` are loaded on first use: the report reads explanations without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aacsfnet.inference.judged import ScoredFace
    from aacsfnet.inference.predictor import Predictor

_HOMES = {"Predictor": "predictor", "ScoredFace": "judged"}

__all__ = ["Predictor", "ScoredFace"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"aacsfnet.inference.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'aacsfnet.inference' has no attribute {name!r}")
