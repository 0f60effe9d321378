"""Faces given another expression: first the mesh, then the picture after the mesh."""
