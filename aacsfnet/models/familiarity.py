"""How far a face's features lie from those of the faces that a network was trained on."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from aacsfnet.errors import ModelFileError
from aacsfnet.files import replacing


class Familiarity(nn.Module):
    """The Mahalanobis distance of fused features from the training subjects' real pictures.

    Mean and covariance alone are kept, never the features of a person. The distance is divided by
    the root of the number of features, so it is about 1 for a training picture, whatever the
    network. Source: Lee et al., NeurIPS 2018 (with one class).

    Args:
        mean: `(C,)`.
        whitening: `(C, C)`: features less the mean, times this, have covariance 1.
    """

    def __init__(self, mean: Tensor, whitening: Tensor) -> None:
        super().__init__()
        self.mean: Tensor
        self.whitening: Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("whitening", whitening)

    @classmethod
    def of(cls, features: np.ndarray) -> "Familiarity":
        """Return the one of features `(n, C)`, their covariance shrunk, see `shrunk_covariance`."""
        values, directions = np.linalg.eigh(shrunk_covariance(features))
        # A direction in which nothing ever moved would make any rounding look far.
        scales = np.sqrt(np.maximum(values, max(values[-1] * 1e-6, 1e-12)))
        whitening = directions / scales
        return cls(torch.tensor(features.mean(axis=0)).float(), torch.tensor(whitening).float())

    def forward(self, features: Tensor) -> Tensor:
        """Return the distance `(B,)` of each of features `(B, C)`."""
        whitened = (features.float() - self.mean) @ self.whitening
        return whitened.square().mean(dim=1).sqrt()

    def save(self, path: Path) -> None:
        """Write mean and whitening, atomically."""
        with replacing(path) as temporary:
            save_file({name: each.cpu() for name, each in self.state_dict().items()}, temporary)

    @classmethod
    def load(cls, path: Path) -> "Familiarity | None":
        """Return what a file holds, None where there is no file, as of older training.

        Raises:
            ModelFileError: the file is damaged.
        """
        if not path.is_file():
            return None
        try:
            return cls(**load_file(path))
        except (SafetensorError, TypeError) as error:
            raise ModelFileError(f"{path}: cannot be read ({error}); train again") from None


def shrunk_covariance(features: np.ndarray) -> np.ndarray:
    """Return the covariance `(C, C)` of features `(n, C)`, shrunk to a multiple of the identity.

    By so much as is expected to be nearest the truth. Without it the covariance of fewer pictures
    than features has no inverse. Source: Ledoit and Wolf, J. Multivariate Analysis 88 (2004).
    """
    values = np.asarray(features, np.float64)
    count, channels = values.shape
    centred = values - values.mean(axis=0)
    sample = centred.T @ centred / count
    scale = np.trace(sample) / channels
    distance = np.square(sample).sum() - channels * scale**2
    squares = np.square(centred)
    error = ((squares.T @ squares).sum() / count - np.square(sample).sum()) / count
    share = min(1.0, error / distance) if distance > 0 else 1.0
    shrunk: np.ndarray = (1 - share) * sample + share * scale * np.eye(channels)
    return shrunk
