"""Scores for new pictures."""

from aacsfnet.inference.predictor import Predictor

__all__ = ["Predictor"]
