"""Make the bundled generator anew: `make miniature`.

Each step resumes where it was stopped, and is left out when its result is there.
"""

import argparse
import logging
import shutil
from pathlib import Path

from tools.miniature import autoencoder, data, diffusion
from tools.miniature.architecture import save

CHUNK = 480


def main() -> None:
    """Run the steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="for data and checkpoints")
    parser.add_argument("--output", type=Path, required=True, help="folder of the model")
    parser.add_argument("--faces", type=int, default=7440, help="rendered faces")
    parser.add_argument("--autoencoder-minutes", type=float, default=26)
    parser.add_argument("--diffusion-minutes", type=float, default=70)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    faces = given.folder / "faces"
    for first in range(0, given.faces, CHUNK):
        if not (faces / f"prompts-{first:06d}.json").exists():
            data.make(faces, min(CHUNK, given.faces - first), first)
    weights, latents = given.folder / "autoencoder.pt", given.folder / "latents.npz"
    denoiser = given.folder / "diffusion.pt"
    autoencoder.train(faces, weights, given.autoencoder_minutes)
    if not latents.exists():
        diffusion.encode(faces, weights, latents)
    diffusion.train(latents, denoiser, given.diffusion_minutes)
    for path in given.output.glob("*/"):  # the parts; the README beside them stays
        shutil.rmtree(path)
    card = {"name": "miniature", "trained": True, "faces": given.faces}
    save(diffusion.assemble(weights, latents, denoiser), given.output, card)


if __name__ == "__main__":
    main()
