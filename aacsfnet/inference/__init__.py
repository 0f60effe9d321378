"""Scores for new pictures."""

from aacsfnet.inference.predictor import Predictor, ScoredFace

__all__ = ["Predictor", "ScoredFace"]
