"""A small convolutional network by numpy alone, so that finding faces needs no learning library.

Stored as safetensors: `<n>.weight` and `<n>.bias` of each layer in order, convolutions
`(rows, columns, channels in, channels out)`, then dense layers `(in, out)`. Convolutions halve each
side where `<n>.halves` is there, and see zeros beyond the border. Every layer but the last is
followed by max(0, x).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]


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
        """Return what the last layer gives for a picture `(H, W, C)` float32."""
        values = pixels
        for at, (weight, bias, step) in enumerate(self._layers):
            if weight.ndim == 4:
                values = convolved(values, weight, step) + bias
            else:
                values = values.ravel() @ weight + bias
            if at < len(self._layers) - 1:
                np.maximum(values, 0, out=values)
        return values


def convolved(values: Values, weight: Values, step: int) -> Values:
    """Return a picture's cross-correlation with filters, zeros beyond its border.

    Args:
        values: `(H, W, C)`.
        weight: `(k, k, C, D)`, k odd.
        step: 1, or 2 for half of the sides.

    Returns:
        `(ceil(H / step), ceil(W / step), D)`.

    >>> convolved(np.ones((2, 3, 1), np.float32), np.ones((3, 3, 1, 1), np.float32), 1)[..., 0]
    array([[4., 6., 4.],
           [4., 6., 4.]], dtype=float32)
    """
    (height, width, channels), (side, _, _, filters) = values.shape, weight.shape
    rows, columns, edge = -(-height // step), -(-width // step), side // 2
    padded = np.zeros((height + 2 * edge, width + 2 * edge, channels), np.float32)
    padded[edge : edge + height, edge : edge + width] = values
    down, right, one = padded.strides
    # What each filter sees, a row of it in one piece: (rows, columns, k, k * C).
    seen = np.lib.stride_tricks.as_strided(
        padded,
        (rows, columns, side, side * channels),
        (step * down, step * right, down, one),
        writeable=False,
    )
    filtered = seen.reshape(rows * columns, -1) @ weight.reshape(-1, filters)
    return np.asarray(filtered.reshape(rows, columns, filters), np.float32)
