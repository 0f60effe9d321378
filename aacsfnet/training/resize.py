"""The one way in which a face crop comes to the network's size, in training and in use."""

import cv2
import numpy as np


def resized(picture: np.ndarray, size: int) -> np.ndarray:
    """Return a square picture `(S, S, 3)` uint8 at a side of `size`.

    Smaller by averaging over areas, which keeps the mean and does not alias; larger by bilinear
    interpolation.
    """
    if picture.shape[:2] == (size, size):
        return np.ascontiguousarray(picture)
    method = cv2.INTER_AREA if picture.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(picture), (size, size), interpolation=method)
