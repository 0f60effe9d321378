"""Rendered faces with known action units."""

from aacsfnet.datasets.demo.dataset import Demo

__all__ = ["Demo"]
