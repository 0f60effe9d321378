"""Networks by name, from settings."""

from collections.abc import Callable, Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from aacsfnet.config import NetworkSettings, PublishedSettings
from aacsfnet.config.explain import explain
from aacsfnet.config.network import Branch
from aacsfnet.errors import SettingsError
from aacsfnet.models.context import ContextFusion
from aacsfnet.models.fusion import (
    Align,
    AttentionFusion,
    Concatenation,
    GatedFusion,
    PositionFusion,
)
from aacsfnet.models.head import GaussianHead, OrdinalHead, RegressionHead
from aacsfnet.models.network import AACSFNet, Network
from aacsfnet.models.published import Published
from aacsfnet.models.regions import RegionTokens
from aacsfnet.models.start import BUNDLED_NETWORK, load_start

Fusion = AttentionFusion | PositionFusion | Concatenation | GatedFusion

HEADS: dict[str, Callable[..., RegressionHead | OrdinalHead]] = {
    "regression": RegressionHead,
    "gaussian": GaussianHead,
    "ordinal": OrdinalHead,
}
FUSIONS: dict[str, Callable[..., Fusion]] = {
    "attention": AttentionFusion,
    "positions": PositionFusion,
    "concatenation": Concatenation,
    "gated": GatedFusion,
}


def aacsfnet(
    settings: NetworkSettings,
    /,
    *,
    pretrained: bool | str | Path = False,
    image_size: int = 224,
    head: str = "regression",
    label_range: Sequence[float] = (0.0, 16.0),
    levels: int = 16,
) -> AACSFNet:
    """Return an AACSFNet.

    Args:
        settings: the default sizes are the published ones where those make sense.
        pretrained: a safetensors file of the backbone's weights, "bundled", "package" for weights
            from ImageNet (extra `imagenet`), True for timm's own cache, "bundled_network" for those
            parts that the package carries weights of, or False for random weights.
        image_size: side of the pictures, pixels; others work too if the patches divide them.
        head: "regression"; "gaussian", with its uncertainty; or "ordinal", cumulative levels.
        label_range: lowest and highest label; only the ordinal head asks.
        levels: steps of the ordinal head.

    Raises:
        SettingsError: a setting is impossible.
        ModelFileError: the pretrained weights are not usable.
    """
    if head not in HEADS:
        raise SettingsError(f"head = {head!r}: expected one of {', '.join(HEADS)}")
    if head == "ordinal" and not (levels >= 2 and label_range[0] < label_range[1]):
        raise SettingsError(f"levels = {levels}, label_range = {label_range}: expected 2 or more")
    # The order of the names is that of the branches' tokens and of the random weights.
    parts: dict[str, Any] = {}
    whole_start = pretrained == "bundled_network"
    for name in (each for each in get_args(Branch) if each in settings.branches):
        file = import_module(f"aacsfnet.models.{name}_network")
        parts[name] = file.build(settings, image_size, False if whole_start else pretrained)
    channels = [branch.channels for branch in parts.values()]
    align = Align(channels, settings.fusion_width, settings.branch_dropout)
    # One branch alone has nothing to fuse with: attention over one token would be idle.
    kind = FUSIONS[settings.fusion] if len(parts) > 1 else Concatenation
    maps = [count for branch in parts.values() for count in branch.map_channels]
    fused = kind(len(parts), settings.fusion_width, maps, settings.position_scale)
    whole = settings.model_dump(mode="json") | {"image_size": image_size, "head": head}
    whole |= {"label_range": list(label_range), "levels": levels}
    steps = (*label_range, levels) if head == "ordinal" else ()
    regions = (
        RegionTokens([branch.finest_channels for branch in parts.values()], settings.fusion_width)
        if settings.regions
        else None
    )
    features = fused.channels + (regions.channels if regions else 0)
    scored = HEADS[head](features, *steps, dropout=settings.dropout)
    # Last, so that all other random weights are those of the network without it.
    context = (
        None
        if settings.context == "none"
        else ContextFusion(features, settings.context, settings.context_frames)
    )
    model = AACSFNet(whole, parts, align, fused, scored, context, regions)
    if whole_start:
        model.start = load_start(model, BUNDLED_NETWORK)
    return model


#: Networks by name, each with the class of its settings.
MODELS: dict[str, tuple[type[PublishedSettings], Callable[..., Network]]] = {
    "aacsfnet": (NetworkSettings, aacsfnet),
    "published": (PublishedSettings, Published),
}


def create_model(name: str = "aacsfnet", **settings: Any) -> Network:
    """Return a network that turns pictures `(B, 3, H, W)` in 0-1 into scores `(B,)`.

    Args:
        name: one of `MODELS`.
        settings: those of the network's class of settings in `aacsfnet.config`, by name, and the
            further arguments of `aacsfnet` or `Published`.

    Raises:
        SettingsError: no network has this name, it has no such setting, or a value is impossible.
    """
    if name not in MODELS:
        raise SettingsError(f"model {name!r}: expected one of {', '.join(MODELS)}")
    kind, build = MODELS[name]
    own = {key: settings.pop(key) for key in kind.model_fields if key in settings}
    if unknown := set(settings) - set(signature(build).parameters):
        known = ", ".join(sorted({*kind.model_fields, *signature(build).parameters} - {"settings"}))
        raise SettingsError(f"model {name!r}: no setting {min(unknown)!r}; it has {known}")
    settings["pretrained"] = settings.get("pretrained") or False
    try:
        return build(kind.model_validate(own), **settings)
    except ValidationError as error:
        raise SettingsError(f"model {name!r}: {explain(error, kind)}") from error
