"""MiDaS and ZoeDepth as controlnet-aux runs them, from the weights that it names.

Convention: nearness, as `scene_depth` has it. The detectors' own pictures have 256 levels, so
their networks are asked directly, on the picture as the detectors prepare it.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aacsfnet.augmentation.depth.scene_depth import as_nearness
from aacsfnet.augmentation.local_models import check_folder
from aacsfnet.errors import ModelFileError, first_line

if TYPE_CHECKING:
    import torch

#: The file of weights for each value of `depth.method`, as lllyasviel/Annotators has it.
FILES = {"midas": "dpt_hybrid-midas-501f0c75.pt", "zoe": "ZoeD_M12_N.pt"}
#: Shorter side of the picture that a detector shows its network, pixels.
_SIDE = 512


class Annotator:
    """A depth detector of controlnet-aux from a local folder, loaded once.

    Args:
        method: a key of `FILES`; zoe gives distances, which are inverted.
        folder: with that file. It is unpickled by torch's `weights_only`, which runs nothing.
        device: to compute on.

    Raises:
        ModelFileError: the file is missing, altered, or no weights of that network alone.
    """

    def __init__(self, method: str, folder: Path, device: "torch.device") -> None:
        check_folder("depth.model", folder)
        file = folder / FILES[method]
        if not file.is_file():
            raise ModelFileError(
                f"depth.model = '{folder}': no {file.name}, which method {method} needs; it is in "
                "lllyasviel/Annotators"
            )
        try:
            stored = _names_in(file)
            network = _detector(method, file).to(device).model
        except Exception as error:  # an unpickler raises what its file makes it raise
            raise ModelFileError(f"{file}: no weights of {method}: {first_line(error)}") from error
        # controlnet-aux loads ZoeDepth leniently and would leave what is missing at random.
        missing = sorted(_weights(network) - stored) if method == "zoe" else []
        if missing:
            raise ModelFileError(
                f"{file}: no weights of {method}: {len(missing)} missing, {missing[0]} for one"
            )
        self._network, self._is_metric, self._device = network, method == "zoe", device

    def nearness(self, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the nearness of each pixel, `(H, W)`.

        Args:
            picture: `(H, W, 3)` RGB.
        """
        import cv2
        import torch
        from controlnet_aux.util import resize_image

        sized = torch.from_numpy(resize_image(picture, _SIDE)).to(self._device).float()
        pixels = sized.permute(2, 0, 1)[None]  # (1, 3, h, w)
        with torch.inference_mode():
            if self._is_metric:
                found = self._network.infer(pixels / 255)
            else:
                found = self._network(pixels / 127.5 - 1)
        height, width = picture.shape[:2]
        depth = cv2.resize(found.squeeze().float().cpu().numpy(), (width, height))
        return as_nearness(depth.astype(np.float64), self._is_metric)


def _names_in(file: Path) -> set[str]:
    """Return the names of the weights in a file, nothing but weights being read.

    controlnet-aux leaves `weights_only` to torch's default, which the environment can turn off; so
    the file has to pass here first.
    """
    import torch

    stored = torch.load(file, map_location="cpu", weights_only=True)
    return set(stored.get("model", stored))


def _weights(network: Any) -> set[str]:
    """Return the names of a network's weights, without the tables that follow from its size."""
    return {name for name in network.state_dict() if "relative_position_index" not in name}


def _detector(method: str, file: Path) -> Any:
    with warnings.catch_warnings():  # of controlnet-aux's own imports, and of timm's older names
        warnings.simplefilter("ignore")
        from controlnet_aux import MidasDetector, ZoeDetector

        detector = {"midas": MidasDetector, "zoe": ZoeDetector}[method]
        # An absolute path, since the name of a hub's repository would be taken for one.
        return detector.from_pretrained(str(file.parent.resolve()), filename=file.name)
