"""Which parts of a face a trained network reads."""
