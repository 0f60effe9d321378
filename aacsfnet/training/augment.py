"""Data augmentation of training pictures, a batch at a time, on the device where it lies.

A face's left-right flip swaps nothing that a label depends on: PSPI sums actions of both sides.
"""

import math

import torch
import torch.nn.functional as functional
from torch import Generator, Tensor

from aacsfnet.models.pictures import to_float

ROTATION = math.radians(12.0)
SCALE = 0.12
SHIFT = 0.06  # share of the side
BRIGHTNESS = 0.2
CONTRAST = 0.25
SATURATION = 0.4
BLUR_SHARE = 0.2  # of the pictures
ERASE_SHARE = 0.25
ERASE_SIDE = (0.1, 0.3)  # share of the side


def draw(count: int, generator: Generator) -> Tensor:
    """Return the draws `(count, 15)`, uniform in 0-1, that vary so many pictures.

    Args:
        count: pictures.
        generator: on the CPU, so that a seed means the same on every device.
    """
    return torch.rand((count, 15), generator=generator)


def flipped(amount: float, draws: Tensor) -> Tensor:
    """Return which pictures `augment` mirrors, `(B,)`."""
    return (draws[:, 0] < 0.5) & (amount > 0)


def augment(pictures: Tensor, amount: float, draws: Tensor) -> Tensor:
    """Return augmented pictures: flipped, moved, recoloured, blurred, partly erased.

    Args:
        pictures: `(B, 3, H, W)` float in 0-1.
        amount: 0 leaves them as they are, 1 uses the ranges above, 2 doubles them.
        draws: `(B, 15)` of `draw`.

    Returns:
        `(B, 3, H, W)` float in 0-1.
    """
    if amount == 0:
        return pictures
    moved = _move(pictures, amount, draws[:, :5].to(pictures.device))
    return vary_look(moved, amount, draws[:, 5:])


def vary_look(pictures: Tensor, amount: float, draws: Tensor) -> Tensor:
    """Return pictures recoloured, blurred and partly erased, but not moved.

    Args:
        pictures: `(B, 3, H, W)` float in 0-1.
        amount: as for `augment`.
        draws: `(B, 10)` uniform in 0-1, on the CPU: which pictures are chosen is known without
            waiting for the device.
    """
    coloured = _recolour(pictures, amount, draws[:, :3].to(pictures.device))
    for change, share, part in (
        (_blur, BLUR_SHARE, draws[:, 3:5]),
        (_erase, ERASE_SHARE, draws[:, 5:]),
    ):
        chosen = (part[:, 0] < min(1.0, amount * share)).nonzero()[:, 0]
        if len(chosen):
            places, details = chosen.to(pictures.device), part[chosen, 1:].to(pictures.device)
            coloured[places] = change(coloured[places], details)
    return coloured


def varied(pictures: Tensor, amount: float, draws: Tensor) -> Tensor:
    """Return a batch `(B, S, S, 3)` uint8 augmented as a network takes it.

    Returns:
        `(B, 3, S, S)` float in 0-1, channels last in memory.
    """
    changed = augment(to_float(pictures), amount, draws)
    return changed.contiguous(memory_format=torch.channels_last)


def _spread(draws: Tensor) -> Tensor:
    """Return uniform draws in -1 to 1."""
    return 2.0 * draws - 1.0


def _move(pictures: Tensor, amount: float, draws: Tensor) -> Tensor:
    """Flip, turn, scale and shift in one resampling; the border is continued outwards."""
    flip = torch.where(flipped(amount, draws), -1.0, 1.0)
    angle = amount * ROTATION * _spread(draws[:, 1])
    scale = 1.0 + amount * SCALE * _spread(draws[:, 2])
    cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
    shift = 2.0 * amount * SHIFT * _spread(draws[:, 3:5])  # grid runs from -1 to 1
    first = torch.stack([cosine * flip, -sine, shift[:, 0]], dim=1)
    second = torch.stack([sine * flip, cosine, shift[:, 1]], dim=1)
    matrix = torch.stack([first, second], dim=1)  # (B, 2, 3)
    grid = functional.affine_grid(matrix, list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _recolour(pictures: Tensor, amount: float, draws: Tensor) -> Tensor:
    brightness, contrast, saturation = (
        (1.0 + amount * limit * _spread(draws[:, i])).view(-1, 1, 1, 1)
        for i, limit in enumerate((BRIGHTNESS, CONTRAST, SATURATION))
    )
    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    toned = (pictures - mean) * contrast + mean * brightness
    grey = toned.mean(dim=1, keepdim=True)
    return (grey + (toned - grey) * saturation).clamp(0.0, 1.0)


def _blur(pictures: Tensor, draws: Tensor) -> Tensor:
    """Mix pictures with their 3×3 average."""
    padded = functional.pad(pictures, (1, 1, 1, 1), mode="replicate")
    average = functional.avg_pool2d(padded, 3, stride=1)
    return torch.lerp(pictures, average, draws[:, 0].view(-1, 1, 1, 1))


def _erase(pictures: Tensor, draws: Tensor) -> Tensor:
    """Paint a rectangle of each picture in its mean colour."""
    height, width = pictures.shape[-2:]
    low, high = ERASE_SIDE
    sides = low + (high - low) * draws[:, :2]  # shares of height and width
    corner = draws[:, 2:4] * (1.0 - sides)
    rows = (torch.arange(height, device=pictures.device) + 0.5) / height
    columns = (torch.arange(width, device=pictures.device) + 0.5) / width
    in_rows = (rows >= corner[:, :1]) & (rows < corner[:, :1] + sides[:, :1])  # (B, H)
    in_columns = (columns >= corner[:, 1:]) & (columns < corner[:, 1:] + sides[:, 1:])  # (B, W)
    hole = (in_rows.unsqueeze(2) & in_columns.unsqueeze(1)).unsqueeze(1)  # (B, 1, H, W)
    return torch.where(hole, pictures.mean(dim=(2, 3), keepdim=True), pictures)
