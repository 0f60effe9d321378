"""Faces: found, levelled and cut out, measured in 478 points."""
