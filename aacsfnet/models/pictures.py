"""How a face crop becomes the network's picture: the one way, in training and in use."""

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def resized(picture: np.ndarray, size: int, kept: float = 1.0) -> np.ndarray:
    """Return the middle of a square picture `(S, S, 3)` uint8 at a side of `size`.

    Smaller by averaging over areas, which keeps the mean and does not alias; larger by bilinear
    interpolation.

    Args:
        picture: a face crop.
        size: side of the result, pixels.
        kept: how much is used, about the centre, as a share of the side; rounded to whole pixels,
            as many off each side.
    """
    side = picture.shape[0]
    off = round(side * (1.0 - kept) / 2.0)
    middle = picture[off : side - off, off : side - off]
    if middle.shape[0] == size:
        return np.ascontiguousarray(middle)
    method = cv2.INTER_AREA if middle.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(middle, (size, size), interpolation=method)


def to_float(pictures: "Tensor") -> "Tensor":
    """Return `(B, 3, S, S)` float32 in 0-1 from `(B, S, S, 3)` uint8, on the same device."""
    return pictures.permute(0, 3, 1, 2).float().div_(255)
