"""Depth maps that steer generation."""
