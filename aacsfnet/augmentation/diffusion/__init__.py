"""The diffusion models: found, loaded, run, and what they made told apart."""
