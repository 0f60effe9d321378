"""Rendered people: faces of known action units, for the built-in data and as truth in tests."""
