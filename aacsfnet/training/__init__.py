"""From accepted pictures to a trained network: merge, splits, loading, the training loop."""
