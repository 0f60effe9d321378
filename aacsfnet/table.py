"""`aacsfnet.table.read`, a name that programs build on; the tables live in `aacsfnet.tables`."""

from aacsfnet.tables import read

__all__ = ["read"]
