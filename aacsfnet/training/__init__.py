"""From merged pictures to a trained network: batches, losses, the training loop."""
