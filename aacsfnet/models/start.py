"""Weights for all parts of a network at the start, in one file; every part is taken whole or not.

A part is what an ablation takes away or leaves: a stage of the hybrid attention module, the spatial
network, a branch's way into the fusion. Parts have names of their own, so a network that lacks some
finds the others.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from aacsfnet.errors import ModelFileError
from aacsfnet.files import replacing
from aacsfnet.models.channel_network import ChannelNetwork
from aacsfnet.models.network import AACSFNet

#: All parts of the demo's network but the regions, which the package carries; see README.md there.
BUNDLED_NETWORK = Path(__file__).with_name("bundled") / "demo_network.safetensors"
#: Settings that change what weights mean, and not their shapes.
UNSEEN = ("backbone", "feature_stride", "scales", "heads", "position_scale")


def parts_of(model: AACSFNet) -> dict[str, nn.Module]:
    """Return the parts that have weights, but for the head, by name."""
    found: dict[str, nn.Module] = {}
    aligned = model.align.branches
    for (name, branch), align in zip(model.branches.items(), aligned.children(), strict=True):
        if isinstance(branch, ChannelNetwork):
            found["backbone"] = branch.backbone
            stages = {_snake(type(stage).__name__): stage for stage in branch.attention.stages}
            found |= stages | {"pooling": branch.attention.norm}
        else:
            found[f"{name}_network"] = branch
        found[f"align_{name}"] = align
    found["fusion"] = model.fusion
    if model.regions is not None:
        found["regions"] = model.regions
    return {name: part for name, part in found.items() if part.state_dict()}


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def save_start(model: AACSFNet, path: Path) -> None:
    """Write the weights of all parts, atomically."""
    weights = {
        f"{name}.{key}": value.contiguous().cpu()
        for name, part in parts_of(model).items()
        for key, value in part.state_dict().items()
    }
    unseen = {name: model.settings[name] for name in UNSEEN}
    with replacing(path) as temporary:
        save_file(weights, temporary, {"settings": json.dumps(unseen)})


def load_start(model: AACSFNet, path: Path) -> dict[str, list[str]]:
    """Give the network the weights of those of its parts that a file has, shape for shape.

    Returns:
        The names of the parts `pretrained` and of those left `random`.

    Raises:
        ModelFileError: the file is missing or damaged, has no part of the network, or is of one
            whose other settings give its weights another meaning.
    """
    try:
        with safe_open(path, "pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            unseen = json.loads(file.metadata()["settings"])
    except (FileNotFoundError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path}: cannot be read ({error})") from None
    for name, value in unseen.items():
        if model.settings[name] != value:
            raise ModelFileError(
                f"{path}: made for {name} = {value}, got {model.settings[name]}; set that, or"
                " another `pretrained`"
            )
    names: dict[str, list[str]] = {"pretrained": [], "random": []}
    for name, part in parts_of(model).items():
        own = {key: value.shape for key, value in part.state_dict().items()}
        given = _below(weights, f"{name}.")
        fits = {key: value.shape for key, value in given.items()} == own
        names["pretrained" if fits else "random"].append(name)
        if fits:
            part.load_state_dict(given)
    if not names["pretrained"]:
        parts = ", ".join(names["random"])
        raise ModelFileError(f"{path}: has no part of this network that fits (it has {parts})")
    return names


def _below(weights: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): each for name, each in weights.items() if name.startswith(prefix)
    }
