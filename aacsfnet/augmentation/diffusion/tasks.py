"""What a generator is asked for, and what it gives back."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from aacsfnet.augmentation.diffusion.latents import Source, content_key
from aacsfnet.errors import WorkError

if TYPE_CHECKING:
    import torch


class AnyTask(Source, Protocol):
    """One picture to make from a source. Its arrays may be read when they are asked for."""

    @property
    def depth(self) -> NDArray[np.uint16]:
        """The depth map, `(H, W)` uint16, near = white."""

    @property
    def prompt(self) -> str:
        """What it shall show."""

    @property
    def negative_prompt(self) -> str:
        """What it shall not show."""

    @property
    def seed(self) -> int:
        """Seed of its noise."""

    @property
    def strength(self) -> float | None:
        """How far it may leave the source (image-to-image strength); None: as the recipe says."""

    @property
    def restored(self) -> bool:
        """Whether what the autoencoder loses of the source is added back to the picture."""

    @property
    def drawing(self) -> NDArray[np.uint8] | None:
        """The landmarks drawn, `(H, W, 3)` uint8 RGB, for a second ControlNet."""


@dataclass(frozen=True)
class Task:
    """A task whose arrays are there; see `AnyTask`."""

    image: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    prompt: str
    negative_prompt: str
    seed: int
    drawing: NDArray[np.uint8] | None = None
    strength: float | None = None
    restored: bool = False

    @cached_property
    def source_key(self) -> str:
        """Stands for the source's content."""
        return content_key(self.image)


@dataclass(frozen=True)
class Result:
    """What became of a task.

    Attributes:
        picture: `(H, W, 3)` uint8 RGB, or None.
        fault: why there is none; empty when there is one.
        batch: pictures in the pass that it was made in.
        precision: of the pass, e.g. "bfloat16"; of the U-Net and of the VAE where they differ.
    """

    picture: NDArray[np.uint8] | None
    fault: str
    batch: int
    precision: str


def drawings_of(tasks: list[AnyTask], device: "torch.device") -> "torch.Tensor | None":
    """Return the drawings of landmarks `(B, 3, H, W)`, 0..1, or None where tasks have none."""
    import torch

    pictures = [task.drawing for task in tasks if task.drawing is not None]
    if len(pictures) != len(tasks):
        return None
    return torch.from_numpy(np.stack(pictures)).to(device).permute(0, 3, 1, 2) / 255


def check_sizes(tasks: Sequence[AnyTask]) -> None:
    """Raise unless the pictures of every task have one size, divisible by 8.

    The pipeline would resize a map that is not divisible by 8 without a word.
    """
    pictures = [
        p for task in tasks for p in (task.image, task.depth, task.drawing) if p is not None
    ]
    one_size({picture.shape[:2] for picture in pictures})


def one_size(sizes: set[tuple[int, ...]]) -> None:
    """Raise unless there is one size (height, width), divisible by 8.

    Raises:
        WorkError: there are others.
    """
    if len(sizes) > 1 or any(side % 8 for size in sizes for side in size):
        shown = ", ".join(f"{height} x {width}" for height, width in sorted(sizes))
        raise WorkError(
            f"crops and depth maps are {shown} pixels; expected one size, divisible by 8; "
            "run crop, landmarks and depth again with one crop.size"
        )
