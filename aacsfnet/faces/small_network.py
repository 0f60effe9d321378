"""A small convolutional network by numpy alone, so that finding faces needs no learning library.

Stored as safetensors: `<n>.weight` and `<n>.bias` of each layer in order, convolutions
`(rows, columns, channels in, channels out)`, then dense layers `(in, out)`. Convolutions halve each
side where `<n>.halves` is there, and see zeros beyond the border. Every layer but the last is
followed by max(0, x).
"""

from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

Values = NDArray[np.float32]
#: Held while the number of threads is changed, which is the whole process's.
_LOCK = Lock()


class SmallNetwork:
    """Layers of a file.

    Args:
        path: safetensors, as described above.
    """

    def __init__(self, path: Path) -> None:
        from safetensors.numpy import load_file

        stored = load_file(path)
        count = sum(name.endswith(".weight") for name in stored)
        self._layers = [
            (stored[f"{at}.weight"], stored[f"{at}.bias"], 2 if f"{at}.halves" in stored else 1)
            for at in range(count)
        ]

    def __call__(self, pixels: Values) -> Values:
        """Return what the last layer gives for pictures `(B, H, W, C)` float32: `(B, n)`.

        One thread multiplies: the products are small, and OpenBLAS keeps its other threads
        spinning for some 25 ms after each, which takes a core from whoever could use it.
        """
        values = pixels
        with _LOCK, _pools().limit(limits=1, user_api="blas"):
            for at, (weight, bias, step) in enumerate(self._layers):
                if weight.ndim == 4:
                    values = convolved(values, weight, step)
                else:
                    values = values.reshape(len(values), -1) @ weight
                values += bias
                if at < len(self._layers) - 1:
                    np.maximum(values, 0, out=values)
        return values


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()


def convolved(values: Values, weight: Values, step: int) -> Values:
    """Return pictures' cross-correlation with filters, zeros beyond their border.

    Args:
        values: `(B, H, W, C)`.
        weight: `(k, k, C, D)`, k odd.
        step: 1, or 2 for half of the sides.

    Returns:
        `(B, ceil(H / step), ceil(W / step), D)`.

    >>> ones = np.ones((1, 2, 3, 1), np.float32)
    >>> convolved(ones, np.ones((3, 3, 1, 1), np.float32), 1)[0, ..., 0]
    array([[4., 6., 4.],
           [4., 6., 4.]], dtype=float32)
    """
    (count, height, width, channels), (side, _, _, filters) = values.shape, weight.shape
    rows, columns, edge = -(-height // step), -(-width // step), side // 2
    padded = np.zeros((count, height + 2 * edge, width + 2 * edge, channels), np.float32)
    padded[:, edge : edge + height, edge : edge + width] = values
    each, down, right, one = padded.strides
    # What each filter sees, a row of it in one piece: (B, rows, columns, k, k * C).
    seen: Values = np.ndarray(
        (count, rows, columns, side, side * channels),
        np.float32,
        padded,
        strides=(each, step * down, step * right, down, one),
    )
    filtered = seen.reshape(count * rows * columns, -1) @ weight.reshape(-1, filters)
    return np.asarray(filtered.reshape(count, rows, columns, filters), np.float32)
