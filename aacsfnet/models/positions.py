"""Where a token lies: fixed sine and cosine codes, which fit any grid."""

import torch
from timm.layers.pos_embed_sincos import build_sincos2d_pos_embed
from torch import Tensor

#: Small beside the features: what is the same in every picture must not drown what differs.
AMPLITUDE = 0.1


def position_codes(height: int, width: int, channels: int, like: Tensor) -> Tensor:
    """Return codes of a grid's positions, row by row.

    The published code learns one vector a position, which ties a model to one input size.

    Args:
        height: rows of the grid.
        width: columns of the grid.
        channels: length of a code; a multiple of four.
        like: tensor whose type and device the codes get.

    Returns:
        `(height * width, channels)`, each code of length `AMPLITUDE` * sqrt(channels / 2).
    """
    with torch.no_grad():
        codes = build_sincos2d_pos_embed([height, width], dim=channels, device=like.device)
        return (AMPLITUDE * codes).to(like.dtype)
