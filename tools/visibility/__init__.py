"""The network that tells covered regions of a face: its data, its training."""
