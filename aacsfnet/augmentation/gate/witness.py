"""A second witness for the gate: action units read off a face's pixels, where a mesh is blind.

MediaPipe's mesh does not follow brows drawn together, raised cheeks or a wrinkled nose, so AU6 and
AU9 need an observer that looks at the skin. A small network reads the six units of PSPI on the face
levelled by its eyes; what counts is how they *change* between a source and a picture of the same
person, because what a face is like at rest then cancels.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from aacsfnet.augmentation.local_models import check_folder, checksum_of
from aacsfnet.errors import ModelFileError, first_line
from aacsfnet.faces.sampling import sample, square_matrix
from aacsfnet.facs import HIGHEST, PSPI_UNITS, pspi
from aacsfnet.landmark_sets import LEFT_EYE, RIGHT_EYE

if TYPE_CHECKING:
    from torch import nn

#: Weights that the package carries, trained by `tools/witness.py`; see README.md there.
BUNDLED = Path(__file__).with_name("witness")
WEIGHTS, DESCRIPTION = "model.safetensors", "config.json"
FORMAT = 1
#: What is judged of a change: the units of PSPI, and PSPI itself, in which small errors add up.
JUDGED = (*PSPI_UNITS, "pspi")
#: Pixels along a side of what the network sees, and to an eye distance (eyes' middles) in it.
SIDE, PIXELS_PER_EYES = 96, 40.0
#: How far below the eyes the middle of what is seen lies, eye distances: brows to lower lip.
_BELOW = 0.3


def levelled(
    crop: NDArray[np.uint8], landmarks_px: NDArray[np.floating], side: int = SIDE
) -> NDArray[np.uint8]:
    """Return the middle of a face in grey, `(side, side)`, its eyes level and at one place.

    Args:
        crop: `(H, W, 3)` RGB.
        landmarks_px: `(478, 3)` in its pixels.
        side: pixels; a larger side shows more round it at the same scale.
    """
    points = np.asarray(landmarks_px, np.float64)
    right, left = (points[list(eye)].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE))
    across = left - right
    distance, angle = float(np.linalg.norm(across)), float(np.arctan2(across[1], across[0]))
    down = np.array([-np.sin(angle), np.cos(angle)]) * distance
    middle = (right + left)[:2] / 2 + _BELOW * down
    matrix = square_matrix(middle, side / PIXELS_PER_EYES * distance, angle, side)
    return np.asarray(cv2.cvtColor(sample(crop, matrix, side), cv2.COLOR_RGB2GRAY))


def evened(views: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return grey pictures `(n, H, W)` with mean 0 and deviation 1 each."""
    pixels = views.astype(np.float32)
    mean, spread = (measure(pixels, axis=(1, 2), keepdims=True) for measure in (np.mean, np.std))
    return np.asarray((pixels - mean) / np.maximum(spread, 1.0))


def network() -> "nn.Sequential":
    """Return the network without its weights: `(B, 1, 96, 96)` -> shares of the highest (B, 6)."""
    from torch import nn

    layers: list[nn.Module] = []
    before = 1
    for width, kernel, stride in (
        *((24, 5, 2), (32, 3, 2), (32, 3, 1)),
        *((64, 3, 2), (64, 3, 1), (48, 3, 2)),
    ):
        convolution = nn.Conv2d(before, width, kernel, stride, kernel // 2, bias=False)
        layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    return nn.Sequential(
        *layers,  # (B, 48, 6, 6)
        *(nn.Flatten(), nn.Dropout(0.2), nn.Linear(48 * 36, 128), nn.ReLU()),
        nn.Linear(128, len(PSPI_UNITS)),
    )


class Witness:
    """Reads the units of PSPI off faces.

    Args:
        folder: with `model.safetensors` and `config.json`, as `tools/witness.py` writes them;
            "bundled" for the one that the package carries, which knows rendered faces only.

    Attributes:
        facts: its name and checksum.
        bounds: by unit and for "pspi" how far a read change may be from the one asked for: where
            none is asked, and where the highest is.

    Raises:
        ModelFileError: a file is missing, altered or of another kind.
    """

    def __init__(self, folder: str | Path = "bundled") -> None:
        from safetensors.torch import load_file

        path = BUNDLED if folder == "bundled" else Path(folder)
        check_folder("quality.witness", path)
        try:
            description: Any = json.loads((path / DESCRIPTION).read_text(encoding="utf-8"))
            if description["format"] != FORMAT or description["units"] != list(PSPI_UNITS):
                raise ValueError(f"expected format {FORMAT} and units {', '.join(PSPI_UNITS)}")
            self.bounds: dict[str, tuple[float, float]] = {
                name: (float(low), float(high))
                for name, (low, high) in ((name, description["bounds"][name]) for name in JUDGED)
            }
            self._network = network()
            self._network.load_state_dict(load_file(path / WEIGHTS))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise ModelFileError(
                f"quality.witness = '{path}': no witness: {first_line(error)}"
            ) from error
        self._network.eval()
        name = "bundled" if path == BUNDLED else path.name
        self.facts = {"name": name, "sha256": checksum_of(path)}

    def read(self, crop: NDArray[np.uint8], landmarks_px: NDArray[np.floating]) -> dict[str, float]:
        """Return the intensity of each unit of PSPI, 0 to 5 (AU43: 1); see `read_all`."""
        intensities = self.read_all([crop], [landmarks_px])[0]
        return dict(zip(PSPI_UNITS, intensities.tolist(), strict=True))

    def read_all(
        self, crops: Sequence[NDArray[np.uint8]], landmarks_px: Sequence[NDArray[np.floating]]
    ) -> NDArray[np.float64]:
        """Return intensities `(n, 6)` in the order of `PSPI_UNITS`, the mean with the mirror image.

        They are not clipped: where a face at rest is read a little off, changes stay right.

        Args:
            crops: n of `(H, W, 3)` uint8 RGB, of any size.
            landmarks_px: n of `(478, 3)`, in the crops' pixels.
        """
        views = [levelled(crop, at) for crop, at in zip(crops, landmarks_px, strict=True)]
        return self.read_levelled(np.stack(views))

    def read_levelled(self, views: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return intensities `(n, 6)` of levelled faces `(n, 96, 96)`."""
        import torch

        pixels = torch.from_numpy(evened(views))[:, None]
        with torch.inference_mode():
            shares = (self._network(pixels) + self._network(pixels.flip(-1))) / 2
        highest = [HIGHEST[unit] for unit in PSPI_UNITS]
        return np.asarray(shares.numpy() * highest, np.float64)


def agreement(
    asked_change: Mapping[str, float],
    read_change: Mapping[str, float],
    bounds: Mapping[str, tuple[float, float]],
    unseen: Collection[str] = (),
) -> list[str]:
    """Return what is wrong with a picture, one text for each unit that failed; none if it is right.

    Args:
        asked_change: by unit how much more than the source the picture shall show; a unit left out
            shall not change.
        read_change: what the witness read on the picture, less what it read on the source.
        bounds: the witness's.
        unseen: units on covered regions, of which nothing can be read; with any, PSPI neither.
    """
    faults = []
    asked, read = (change_with_pspi(change) for change in (asked_change, read_change))
    for name in JUDGED:
        if name in unseen or (unseen and name == "pspi"):
            continue
        still, most = bounds[name]
        allowed = still + (most - still) * min(1.0, abs(asked[name]) / _HIGHEST[name])
        off = read[name] - asked[name]
        if not abs(off) <= allowed:  # NaN fails
            faults.append(
                f"{name}: asked {asked[name]:+.1f}, read {read[name]:+.1f}, "
                f"off by {abs(off):.1f}, allowed {allowed:.1f}"
            )
    return faults


def change_with_pspi(change: Mapping[str, float]) -> dict[str, float]:
    """Return a change of every unit, and what it does to PSPI as if the source were at rest."""
    units = {unit: float(change.get(unit, 0.0)) for unit in PSPI_UNITS}
    return units | {"pspi": float(pspi(units))}


_HIGHEST = {**HIGHEST, "pspi": 16.0}
