"""How the bundled generator was made: rendered faces, an autoencoder, a depth-guided diffusion."""
