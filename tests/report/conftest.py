"""Finished results, see `tests.made_results`."""

from tests.made_results import label, made, original

__all__ = ["label", "made", "original"]
