"""The words for each picture."""
