"""The channel network's backbone: any timm network that gives a feature map."""

from pathlib import Path
from typing import Any

import timm
from torch import Tensor, nn

from aacsfnet.errors import ModelFileError, SettingsError


class Backbone(nn.Module):
    """A timm network cut after the feature map of a given stride.

    Layers beyond that map are not built, so no parameter is idle.

    Raises:
        SettingsError: timm has no such network, or it gives no such feature map.
        ModelFileError: the file of pretrained weights is missing or is not safetensors.
    """

    def __init__(self, name: str, stride: int = 32, pretrained: bool | str | Path = False) -> None:
        super().__init__()
        weights = _weights(pretrained)
        try:
            whole: Any = timm.create_model(name, features_only=True)
        except (RuntimeError, AttributeError, TypeError) as error:
            raise SettingsError(
                f"backbone = {name!r}: expected a timm network with feature maps, such as resnet50"
                f" ({' '.join(str(error).split())})"
            ) from None
        reductions = whole.feature_info.reduction()
        if stride not in reductions:
            raise SettingsError(
                f"feature_stride = {stride}: {name} has maps of stride {sorted(set(reductions))}"
            )
        level = len(reductions) - 1 - reductions[::-1].index(stride)
        body: Any = timm.create_model(name, features_only=True, out_indices=(level,), **weights)
        self.body = body
        self.channels: int = body.feature_info.channels()[-1]

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the feature map `(B, C, H/stride, W/stride)` of `(B, 3, H, W)`."""
        features: Tensor = self.body(pictures)[-1]
        if features.shape[1] != self.channels:  # some transformers put channels last
            features = features.permute(0, 3, 1, 2)
        return features


def _weights(pretrained: bool | str | Path) -> dict[str, Any]:
    """Return timm's arguments for no weights, weights of its own cache, or a local file."""
    if isinstance(pretrained, bool):
        return {"pretrained": pretrained}
    path = Path(pretrained)
    if path.suffix != ".safetensors" or not path.is_file():
        raise ModelFileError(
            f"pretrained = {str(pretrained)!r}: expected a .safetensors file of timm's weights"
        )
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(path)}}
