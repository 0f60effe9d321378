"""Where a token lies: fixed sine and cosine codes, which fit any grid."""

import torch
from timm.layers.pos_embed_sincos import build_sincos2d_pos_embed
from torch import Tensor


def position_codes(
    height: int, width: int, channels: int, amplitude: float, like: Tensor
) -> Tensor:
    """Return codes of a grid's positions, row by row.

    The published code learns one vector a position, which ties a model to one input size.

    Args:
        height: rows of the grid.
        width: columns of the grid.
        channels: length of a code; a multiple of four.
        amplitude: of the sines. Small beside the features, what is the same in every picture does
            not drown what differs; as large, a token can be found by its place.
        like: tensor whose type and device the codes get.

    Returns:
        `(height * width, channels)`, each code of length `amplitude` * sqrt(channels / 2).
    """
    with torch.no_grad():
        codes = build_sincos2d_pos_embed([height, width], dim=channels, device=like.device)
        return (amplitude * codes).to(like.dtype)
