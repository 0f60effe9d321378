"""How the bundled backbone was made: it learned the geometry of rendered faces, no pain.

    python -m tools.backbone FACES aacsfnet/models/bundled/test_resnet.safetensors --minutes 6

`FACES` is a folder that `tools.miniature.data.make` filled with 7,680 faces.
The faces are of people that the demo data set never shows. What is learned is what MediaPipe finds
on each picture, which needs no label: where brows, lids, nose and lips lie on the levelled face,
and the facial measures. The same could be done with any unlabelled pictures of faces.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from aacsfnet import landmark_sets as sets
from aacsfnet.config import Merge
from aacsfnet.faces.geometry import level, measure_all
from aacsfnet.files import replacing
from aacsfnet.models.pictures import resized
from aacsfnet.training.augment import vary_look
from tools.by_time import steps

NAME = "test_resnet"
HELD_OUT = 480
#: Brows, lids, nose and mouth, both sides.
_RIGHT = (
    *(*sets.RIGHT_EYE, *sets.RIGHT_UPPER_LID[3:6], *sets.RIGHT_LOWER_LID[3:6]),
    *(*sets.RIGHT_BROW_BOTTOM[1:], *sets.RIGHT_BROW_TOP[1:]),
    *(*sets.RIGHT_WING, *sets.RIGHT_CHEEK, 6, 197, 1, 4),
    *(sets.MOUTH_CORNERS[0], 0, 37, 17, 84, 13, 14, 82, 87),
)
FEATURES = sorted({*_RIGHT, *sets.mirrored(_RIGHT)})


class Geometry(nn.Module):
    """The backbone with a head on each of its last maps."""

    def __init__(self, targets: int) -> None:
        super().__init__()
        self.body = timm.create_model(NAME, features_only=True)
        channels = self.body.feature_info.channels()
        self.pooled = nn.ModuleList(nn.Linear(count, targets) for count in channels[-3:])
        self.placed = nn.Sequential(
            nn.Conv2d(channels[-2], 32, 1), nn.Flatten(), nn.LazyLinear(targets)
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Return four guesses `(B, targets)` of pictures `(B, 3, S, S)`."""
        maps = self.body(pictures)[-3:]
        guesses = [head(each.mean((2, 3))) for head, each in zip(self.pooled, maps, strict=True)]
        return [*guesses, self.placed(maps[-2])]


def targets_of(points: np.ndarray) -> np.ndarray:
    """Return what to learn of each face, `(N, targets)`, standardised."""
    places = np.stack([level(each)[FEATURES, :2].ravel() for each in points])
    measures = np.array([list(measure_all(each).values()) for each in points])
    # The measures are few, and what expressions move: count them as much as the places.
    measures = np.repeat(measures, places.shape[1] // measures.shape[1], axis=1)
    both = np.concatenate([places, measures], axis=1)
    spread = both.std(axis=0)
    return ((both - both.mean(axis=0)) / spread).astype(np.float32)


def read(folder: Path, side: int, kept: float) -> tuple[Tensor, Tensor]:
    """Return pictures `(N, S, S, 3)` uint8, cut as `merge` cuts them, and targets."""
    files = sorted(folder.glob("points-*.npy"))
    points = np.concatenate([np.load(file) for file in files]).astype(float)
    names = [file.name.replace("points", "images") for file in files]
    crops = (crop for name in names for crop in np.load(folder / name, mmap_mode="r"))
    images = np.stack([resized(crop, side, kept) for crop in crops])
    return torch.from_numpy(images), torch.from_numpy(targets_of(points))


def train(pictures: Tensor, targets: Tensor, minutes: float, batch: int = 32) -> Geometry:
    """Train for so many minutes of processor time; print the variance explained."""
    torch.manual_seed(1)
    model = Geometry(targets.shape[1])
    mean = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
    deviation = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)

    def ready(rows: Tensor, amount: float, seed: int) -> Tensor:
        floats = pictures[rows].permute(0, 3, 1, 2).float() / 255
        if amount:  # turning or mirroring would change what is learned
            draws = torch.rand((len(rows), 10), generator=torch.Generator().manual_seed(seed))
            floats = vary_look(shifted(floats, seed), amount, draws)
        return (floats - mean) / deviation

    model(ready(torch.arange(2), 0.0, 0))
    count = len(pictures) - HELD_OUT
    random = np.random.default_rng(1)
    model.to(memory_format=torch.channels_last)
    told = partial(explained, model, ready, targets)
    for step, update in enumerate(steps(model, minutes, 2e-3, 200, told)):
        rows = torch.from_numpy(random.integers(count, size=batch))
        guesses = model(ready(rows, 0.6, step))
        update(sum(functional.smooth_l1_loss(guess, targets[rows], beta=0.5) for guess in guesses))
    return model


def shifted(pictures: Tensor, seed: int) -> Tensor:
    """Move pictures by a few pixels: what is learned does not depend on place."""
    generator = torch.Generator().manual_seed(seed)
    top, left = (int(each) for each in torch.randint(0, 9, (2,), generator=generator))
    padded = functional.pad(pictures, (4, 4, 4, 4), mode="replicate")
    side = pictures.shape[-1]
    return padded[..., top : top + side, left : left + side]


@torch.inference_mode()
def explained(model: Geometry, ready: object, targets: Tensor) -> str:
    """Return the variance of the held-out faces that each head explains."""
    model.eval()
    rows = torch.arange(len(targets) - HELD_OUT, len(targets))
    guesses = model(ready(rows, 0.0, 0))  # type: ignore[operator]
    model.train()
    truth = targets[rows]
    shares = [1 - (guess - truth).square().mean() / truth.square().mean() for guess in guesses]
    return ", ".join(f"{float(share):.3f}" for share in shares)


def main() -> None:
    """Train and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, default=6.0)
    given = parser.parse_args()
    pictures, targets = read(given.faces, Merge().image_size, Merge().kept)
    model = train(pictures, targets, given.minutes)
    weights = {name: each.contiguous() for name, each in model.body.state_dict().items()}
    given.output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(given.output) as temporary:
        save_file(weights, temporary)


if __name__ == "__main__":
    main()
