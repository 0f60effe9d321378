"""Variation of training pictures, a whole batch at a time, on the device where it lies.

A face's left-right flip swaps nothing that a label depends on: PSPI sums actions of both sides.
"""

import math

import torch
import torch.nn.functional as functional
from torch import Generator, Tensor

ROTATION = math.radians(12.0)
SCALE = 0.12
SHIFT = 0.06  # share of the side
BRIGHTNESS = 0.2
CONTRAST = 0.25
SATURATION = 0.4
BLUR_SHARE = 0.2  # of the pictures
ERASE_SHARE = 0.25
ERASE_SIDE = (0.1, 0.3)  # share of the side


def augment(pictures: Tensor, amount: float, generator: Generator) -> Tensor:
    """Return varied pictures: flipped, moved, recoloured, blurred, partly erased.

    Args:
        pictures: `(B, 3, H, W)` float in 0-1.
        amount: 0 leaves them as they are, 1 uses the ranges above, 2 doubles them.
        generator: on the CPU, so that a seed means the same on every device.

    Returns:
        `(B, 3, H, W)` float in 0-1.
    """
    if amount == 0:
        return pictures
    draws = torch.rand((len(pictures), 15), generator=generator).to(pictures.device)
    return vary_look(_move(pictures, amount, draws[:, :5]), amount, draws[:, 5:])


def vary_look(pictures: Tensor, amount: float, draws: Tensor) -> Tensor:
    """Return pictures recoloured, blurred and partly erased, but not moved.

    Args:
        pictures: `(B, 3, H, W)` float in 0-1.
        amount: as for `augment`.
        draws: `(B, 10)` uniform in 0-1.
    """
    coloured = _recolour(pictures, amount, draws[:, :3])
    return _erase(_blur(coloured, amount, draws[:, 3:5]), amount, draws[:, 5:])


def _spread(draws: Tensor) -> Tensor:
    """Return uniform draws in -1 to 1."""
    return 2.0 * draws - 1.0


def _move(pictures: Tensor, amount: float, draws: Tensor) -> Tensor:
    """Flip, turn, scale and shift in one resampling; the border is continued outwards."""
    flip = torch.where(draws[:, 0] < 0.5, -1.0, 1.0)
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


def _blur(pictures: Tensor, amount: float, draws: Tensor) -> Tensor:
    """Mix some pictures with their 3×3 average."""
    chosen = draws[:, 0] < min(1.0, amount * BLUR_SHARE)
    share = torch.where(chosen, draws[:, 1], 0.0).view(-1, 1, 1, 1)
    padded = functional.pad(pictures, (1, 1, 1, 1), mode="replicate")
    return torch.lerp(pictures, functional.avg_pool2d(padded, 3, stride=1), share)


def _erase(pictures: Tensor, amount: float, draws: Tensor) -> Tensor:
    """Paint a rectangle of some pictures in their mean colour."""
    height, width = pictures.shape[-2:]
    low, high = ERASE_SIDE
    sides = low + (high - low) * draws[:, 1:3]  # shares of height and width
    corner = draws[:, 3:5] * (1.0 - sides)
    rows = (torch.arange(height, device=pictures.device) + 0.5) / height
    columns = (torch.arange(width, device=pictures.device) + 0.5) / width
    in_rows = (rows >= corner[:, :1]) & (rows < corner[:, :1] + sides[:, :1])  # (B, H)
    in_columns = (columns >= corner[:, 1:]) & (columns < corner[:, 1:] + sides[:, 1:])  # (B, W)
    chosen = (draws[:, 0] < min(1.0, amount * ERASE_SHARE)).view(-1, 1, 1)
    hole = (in_rows.unsqueeze(2) & in_columns.unsqueeze(1) & chosen).unsqueeze(1)  # (B, 1, H, W)
    return torch.where(hole, pictures.mean(dim=(2, 3), keepdim=True), pictures)
