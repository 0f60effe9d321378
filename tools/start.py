r"""How the bundled start of the whole network was made: all parts learned the geometry of faces.

    python -m tools.start FACES first.safetensors --minutes 7 --network JSON
    python -m tools.start FACES second.safetensors --minutes 8 --network JSON \
        --start first.safetensors

with the settings of docs/explanation/training.md, "The bundled weights", as JSON.
`FACES` and what is learned are those of `tools/backbone.py`, whose weights the backbone starts
from. Each branch's maps and vector, the vectors side by side and the fused features have a head of
their own, linear and thrown away, so every part is asked to know the face alone and together. No
pain label is used. The last 480 faces are held out.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from aacsfnet.config import Merge
from aacsfnet.config.network import DEMO_NETWORK
from aacsfnet.models import create_model
from aacsfnet.models.network import AACSFNet
from aacsfnet.models.start import load_start, save_start
from aacsfnet.training.augment import vary_look
from aacsfnet.training.optimiser import optimiser_of
from tools.backbone import HELD_OUT, read, shifted


class Geometry(nn.Module):
    """The network with a linear head on each of its stations."""

    def __init__(self, network: AACSFNet, targets: int, side: int) -> None:
        super().__init__()
        self.network = network.eval()
        stations = self.stations(torch.zeros(2, 3, side, side))
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(nn.LayerNorm(each.shape[1]), nn.Linear(each.shape[1], targets))
                for name, each in stations.items()
            }
        )

    def stations(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return `(B, C)` of each station, of pictures `(B, 3, S, S)` in 0-1."""
        outputs = self.network.branch_outputs(pictures)
        vectors = {name: vector for name, (vector, *_) in outputs.items()}
        maps = {
            f"{name}_map_{place}": each.flatten(1)
            for name, (_, *found) in outputs.items()
            for place, each in enumerate(found)
        }
        beside = self.network.align(list(vectors.values())).flatten(1)
        fused = self.network.fused(outputs)
        return maps | vectors | {"side_by_side": beside, "fused": fused}

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return each station's guesses `(B, targets)`."""
        return {name: self.heads[name](each) for name, each in self.stations(pictures).items()}


def train(model: Geometry, pictures: Tensor, targets: Tensor, given: argparse.Namespace) -> None:
    """Train for so many minutes of processor time; print the variance explained."""
    count = len(pictures) - HELD_OUT
    random = np.random.default_rng(1)
    optimiser, schedule = optimiser_of(model, given.rate, 0.02, 1000, 50)
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    spent, started, step = 0.0, time.process_time(), 0
    while spent < given.minutes * 60:
        rows = torch.from_numpy(random.integers(count, size=32))
        # Turning or mirroring would change what is learned.
        draws = torch.rand((len(rows), 10), generator=torch.Generator().manual_seed(step))
        varied = vary_look(shifted(_floats(pictures[rows]), step), 0.6, draws)
        guesses = model(varied.contiguous(memory_format=torch.channels_last))
        losses = [
            functional.smooth_l1_loss(guess, targets[rows], beta=0.5) for guess in guesses.values()
        ]
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        spent = time.process_time() - started
        # The schedule goes by time: warm up, then half a cosine to the end.
        schedule.last_epoch = round(1000 * spent / (given.minutes * 60)) - 1
        schedule.step()
        step += 1
        if step % 300 == 0:
            print(f"{spent:.0f} s, step {step}: {explained(model, pictures, targets)}", flush=True)
    print(f"end, step {step}: {explained(model, pictures, targets)}", flush=True)


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
    settings: dict[str, Any] = DEMO_NETWORK.model_dump() | given.network
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
