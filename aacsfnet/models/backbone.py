"""The channel network's backbone: any timm network that gives a feature map."""

from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError, safe_open
from timm.layers.format import Format
from torch import Tensor, nn

from aacsfnet.errors import ModelFileError, SettingsError
from aacsfnet.files import check_lock
from aacsfnet.models.packaged_weights import origin, packaged_weights

#: Weights that the package carries, by timm's name of the network; see README.md there.
BUNDLED = Path(__file__).with_name("bundled")


class Backbone(nn.Module):
    """A timm network cut after the feature map of a given stride.

    Layers beyond that map are not built, so no parameter is idle.

    Attributes:
        channels: of the map.
        finest_channels: of the last of `maps`.
        origin: where the weights come from, if that is a package.
        pixels: pixel means and deviations that timm names for its weights; None where they are not
            timm's.

    Args:
        name: timm's name of the network.
        stride: pixels between positions of the map.
        pretrained: a safetensors file of weights under timm's names (checked against the lock file
            beside it, if `aacsfnet fetch-models` fetched it), "bundled" for those that the package
            carries, "package" for ImageNet's out of a Python package (see `packaged_weights`), True
            for timm's own cache, False for random weights.
        image_size: side of the pictures, pixels, for networks that are built for one size, as most
            transformers are; None leaves them at their own.
        finer: whether `maps` gives the map of half the stride, too, where the network has one.

    Raises:
        SettingsError: timm has no such network, or it gives no such feature map.
        ModelFileError: the file of pretrained weights is missing, no safetensors, or of others; or
            the package of weights is not the one.
    """

    def __init__(
        self,
        name: str,
        stride: int = 32,
        pretrained: bool | str | Path = False,
        image_size: int | None = None,
        finer: bool = False,
    ) -> None:
        super().__init__()
        settings = check_weights(name, pretrained)
        if image_size is not None and _is_built_for_one_size(name):
            settings["img_size"] = image_size
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
        levels = [
            len(reductions) - 1 - reductions[::-1].index(each)
            for each in ((stride // 2, stride) if finer else (stride,))
            if each in reductions
        ]
        body: Any = timm.create_model(name, features_only=True, out_indices=levels, **settings)
        # Timm keeps what it was given: the weights would be held, and copied, twice.
        body.pretrained_cfg.pop("state_dict", None)
        told = body.pretrained_cfg
        self.pixels: tuple[tuple[float, ...], tuple[float, ...]] | None = (
            None if pretrained in (False, "bundled") else (told["mean"], told["std"])
        )
        self.origin = origin() if pretrained == "package" else None
        self.body = body
        # Some transformers put channels last, and timm says so.
        self._channels_last = getattr(body, "output_fmt", Format.NCHW) == Format.NHWC
        counts = body.feature_info.channels()
        self.finest_channels, self.channels = counts[0], counts[-1]

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the feature map `(B, C, H/stride, W/stride)` of `(B, 3, H, W)`."""
        return self.maps(pictures)[0]

    def maps(self, pictures: Tensor) -> list[Tensor]:
        """Return the feature map, and after it the finer one where that was asked for."""
        found: list[Tensor] = self.body(pictures)
        if self._channels_last:
            found = [each.permute(0, 3, 1, 2) for each in found]
        return found[::-1]


def _is_built_for_one_size(name: str) -> bool:
    """Tell whether timm's network takes pictures of one size only, which is then a setting."""
    try:
        return bool(timm.get_pretrained_cfg_value(name, "fixed_input_size"))
    except RuntimeError:  # no such network, which is said elsewhere
        return False


def check_weights(name: str, pretrained: bool | str | Path) -> dict[str, Any]:
    """Return timm's arguments for no weights, weights of its own cache, of a package, or a file.

    Raises:
        ModelFileError: the file is missing, no safetensors, altered, or of another network; the
            package is missing, damaged, or of another version or network.
    """
    if isinstance(pretrained, bool):
        return {"pretrained": pretrained}
    if pretrained == "package":
        given = packaged_weights(name)
        return {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": given}}
    if pretrained == "bundled_network":
        raise ModelFileError(
            "pretrained = 'bundled_network': those weights are of the network of the package, not"
            " of the published one; give 'bundled', a file, or null for random weights"
        )
    path = BUNDLED / f"{name}.safetensors" if pretrained == "bundled" else Path(pretrained)
    if pretrained == "bundled" and not path.is_file():
        stems = (file.stem for file in BUNDLED.glob("*.safetensors"))
        names = ", ".join(sorted(stem for stem in stems if timm.is_model(stem)))
        raise ModelFileError(
            f"pretrained = 'bundled': the package holds weights of {names} only, not of {name};"
            " give a file, or null for random weights"
        )
    if path.suffix != ".safetensors" or not path.is_file():
        raise ModelFileError(
            f"pretrained = {str(pretrained)!r}: expected a .safetensors file of timm's weights"
            f" ({'no such file' if not path.is_file() else 'another kind of file'}:"
            f" {path.absolute()})"
        )
    check_lock(path.parent, {})
    _check_names(name, path)
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(path)}}


def _check_names(name: str, path: Path) -> None:
    """Refuse a file of other weights: timm leaves what it does not find as random as it was."""
    with torch.device("meta"):
        expected = set(timm.create_model(name, num_classes=0).state_dict())
    try:
        with safe_open(path, "pt") as file:
            missing = sorted(expected - set(file.keys()))
    except SafetensorError as error:
        raise ModelFileError(f"{path}: cannot be read ({error})") from None
    if missing:
        raise ModelFileError(
            f"{path}: lacks {len(missing)} of {len(expected)} weights of {name}, {missing[0]} first"
        )
