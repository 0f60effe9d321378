"""The network, one file for each named part of the paper's figure.

A picture goes through two branches, the channel network (backbone, hybrid attention module) and the
spatial network (two patch scales, cross-attention); fusion joins them and the head gives a score.
The names listed in `__all__` are loaded on first use: `pictures` is needed where no torch is.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aacsfnet.models.create import create_model
    from aacsfnet.models.folder import load_model, save_model
    from aacsfnet.models.network import Network

_HOMES = {
    "Network": "network",
    "create_model": "create",
    "load_model": "folder",
    "save_model": "folder",
}

__all__ = ["Network", "create_model", "load_model", "save_model"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"aacsfnet.models.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'aacsfnet.models' has no attribute {name!r}")
