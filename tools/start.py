r"""How the bundled start of the whole network was made: all parts learned the geometry of faces.

    python -m tools.start FACES first.safetensors --minutes 7 --network JSON
    python -m tools.start FACES second.safetensors --minutes 8 --network JSON \
        --start first.safetensors

with the settings of docs/explanation/training.md, "The bundled weights", as JSON.
`FACES` and what is learned are those of `tools/backbone.py`, whose weights the backbone starts
from; how, is `train.geometry_pretraining_steps`' way, in `aacsfnet/training/pretraining.py`. No
pain label is used. The last 480 faces are held out.
"""

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from aacsfnet.config import Merge
from aacsfnet.config.network import DEMO_NETWORK, NetworkSettings
from aacsfnet.models import create_model
from aacsfnet.models.network import AACSFNet
from aacsfnet.models.start import load_start, save_start
from aacsfnet.training.augment import vary_look
from aacsfnet.training.pretraining import Geometry, stations_loss
from tools.backbone import HELD_OUT, read, shifted
from tools.by_time import steps


def train(model: Geometry, pictures: Tensor, targets: Tensor, given: argparse.Namespace) -> None:
    """Train for so many minutes of processor time; print the variance explained."""
    count = len(pictures) - HELD_OUT
    random = np.random.default_rng(1)
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    told = partial(explained, model, pictures, targets)
    for step, update in enumerate(steps(model, given.minutes, given.rate, 300, told)):
        rows = torch.from_numpy(random.integers(count, size=32))
        # Turning or mirroring would change what is learned.
        draws = torch.rand((len(rows), 10), generator=torch.Generator().manual_seed(step))
        varied = vary_look(shifted(_floats(pictures[rows]), step), 0.6, draws)
        guesses = model(varied.contiguous(memory_format=torch.channels_last))
        update(stations_loss(guesses, targets[rows]))


def _floats(pictures: Tensor) -> Tensor:
    return pictures.permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def explained(model: Geometry, pictures: Tensor, targets: Tensor) -> str:
    """Return the variance of the held-out faces that each head explains."""
    model.eval()
    guesses = model(_floats(pictures[-HELD_OUT:]))
    model.train()
    truth = targets[-HELD_OUT:]
    spread = truth.square().mean()
    shares = {name: 1 - (each - truth).square().mean() / spread for name, each in guesses.items()}
    return ", ".join(f"{name} {float(share):.3f}" for name, share in shares.items())


def main() -> None:
    """Train and write the weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--start", type=Path, help="weights of an earlier run to go on from")
    parser.add_argument("--network", type=json.loads, default={}, help="settings laid over (JSON)")
    given = parser.parse_args()
    merge = Merge()
    pictures, targets = read(given.faces, merge.image_size, merge.kept)
    whole = {"attention": NetworkSettings().attention}  # which the demo leaves out
    settings: dict[str, Any] = DEMO_NETWORK.model_dump() | whole | given.network
    torch.manual_seed(1)
    network = create_model(**settings, image_size=merge.image_size, pretrained="bundled")
    assert isinstance(network, AACSFNet)
    if given.start:
        load_start(network, given.start)
    model = Geometry(network, targets.shape[1], merge.image_size)
    train(model, pictures, targets, given)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    save_start(network.eval(), given.output)


if __name__ == "__main__":
    main()
