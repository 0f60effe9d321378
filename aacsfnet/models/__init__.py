"""The network, one file for each named part of the paper's figure.

A picture goes through two branches, the channel network (backbone, hybrid attention module) and the
spatial network (two patch scales, cross-attention); fusion joins them and the head gives a score.
"""

from aacsfnet.models.create import create_model
from aacsfnet.models.folder import load_model, save_model
from aacsfnet.models.network import Network

__all__ = ["Network", "create_model", "load_model", "save_model"]
