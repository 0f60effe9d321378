"""The network that tells what is seen of a face, and how it learns; needs the extra `onnx`."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from aacsfnet.faces.visibility import PARTS, SIDE
from tools.by_time import steps
from tools.visibility.faces import KEPT
from tools.visibility.views import nothing, smiling, varied

#: Share of a batch that shows nothing but fabrics and shapes.
NOTHING = 0.12
#: Share of the faces whose mouth is seen that get a broad smile painted on.
SMILING = 0.2
#: A part is told as covered below the first share and as seen above the second, between in part:
#: what counts is on which side of the half it lies.
_TOLD = (0.3, 0.8)
_MOUTH = PARTS.index("mouth")
#: Where the right side's parts stand in a mirror image.
_MIRRORED = [1, 0, 3, 2, 4, 5]


def network() -> nn.Sequential:
    """Return the network without its weights: `(B, 3, 64, 64)` -> logits of the shares (B, 6)."""
    layers: list[nn.Module] = []
    before = 3
    for width, kernel, stride in (
        *((16, 5, 2), (32, 3, 2), (32, 3, 1)),
        *((48, 3, 2), (64, 3, 1), (48, 3, 2)),
    ):
        convolution = nn.Conv2d(before, width, kernel, stride, kernel // 2, bias=False)
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(
        *layers,  # (B, 48, 4, 4)
        *(nn.Flatten(), nn.Dropout(0.2), nn.Linear(48 * 16, 96), nn.ReLU()),
        nn.Linear(96, len(PARTS)),
    )


def train(
    views: np.ndarray,
    shares: np.ndarray,
    minutes: float,
    start_from: Path | None = None,
    batch: int = 64,
) -> nn.Sequential:
    """Return a network trained for so many minutes of processor time.

    Args:
        views: `(n, 76, 76, 3)` uint8.
        shares: `(n, 6)` float32, how much of each part is seen.
        minutes: of processor time.
        start_from: weights as `main` writes them for going on; None starts at random.
        batch: faces of a step.
    """
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    model = restored(start_from) if start_from else network()
    model = model.to(memory_format=torch.channels_last)
    for update in steps(model, minutes, 1e-3 if start_from else 3e-3):
        rows = random.choice(len(views), batch, replace=False)
        seen, wanted = views[rows], torch.from_numpy(shares[rows])
        low, high = _TOLD
        wanted = ((wanted - low) / (high - low)).clamp(0, 1)
        for at in range(batch):
            if at < NOTHING * batch:
                seen[at], wanted[at] = nothing(random), 0.0
            elif shares[rows[at], _MOUTH] > 0.95 and random.random() < SMILING:
                seen[at] = smiling(seen[at], random)
        pixels = varied(seen, random)
        flipped = torch.from_numpy(random.random(batch) < 0.5)
        pixels = torch.where(flipped.view(-1, 1, 1, 1), pixels.flip(-1), pixels)
        wanted = torch.where(flipped.view(-1, 1), wanted[:, _MIRRORED], wanted)
        guess = model(pixels.contiguous(memory_format=torch.channels_last))
        update(functional.binary_cross_entropy_with_logits(guess, wanted))
    return model.eval()


def folded(model: nn.Sequential) -> nn.Sequential:
    """Return the network, in evaluation, with normalisations multiplied into the convolutions."""
    layers: list[nn.Module] = []
    for layer in model.eval():
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = fuse_conv_bn_eval(layers[-1], layer)
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval()


def write(model: nn.Sequential, path: Path) -> None:
    """Write the network as `aacsfnet.faces.visibility` reads it."""
    example = torch.zeros(2, 3, SIDE, SIDE)  # a face and its mirror image
    names = {"input_names": ["faces"], "output_names": ["logits"]}
    program = torch.onnx.export(folded(model), (example,), dynamo=True, **names)
    made = program.model_proto
    for node in made.graph.node:
        del node.metadata_props[:]  # where this code lies on this machine
    onnx.save(made, path)


def restored(path: Path) -> nn.Sequential:
    """Return the network that `write` wrote, in training; it has no normalisations any more."""
    model = folded(network())
    stored = {each.name: numpy_helper.to_array(each) for each in onnx.load(path).graph.initializer}
    model.load_state_dict(
        {name: torch.from_numpy(stored[name].copy()) for name in model.state_dict()}
    )
    return model.train()


def told(model: nn.Sequential, views: np.ndarray, shares: np.ndarray) -> None:
    """Print by part how often what is covered is told, and what is seen is taken for covered."""
    edge = (KEPT - SIDE) // 2
    pixels = torch.from_numpy(views[:, edge:-edge, edge:-edge]).permute(0, 3, 1, 2).float()
    spread, mean = torch.std_mean(pixels, dim=(1, 2, 3), keepdim=True, correction=0)
    with torch.inference_mode():
        guess = model((pixels - mean) / spread.clamp_min(1)).sigmoid().numpy()
    for least in (0.4, 0.5, 0.6, 0.7):
        rows = []
        for part, found, true in zip(PARTS, guess.T, shares.T, strict=True):
            hit, false = (found[true < 0.5] < least).mean(), (found[true > 0.9] < least).mean()
            rows.append(f"{part} {hit:.3f}/{false:.3f}")
        print(f"below {least}: covered told / seen taken for covered: {', '.join(rows)}")
