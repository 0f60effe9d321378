"""Merged data, see `tests.merged_data`."""

from tests.merged_data import _merged

__all__ = ["_merged"]
