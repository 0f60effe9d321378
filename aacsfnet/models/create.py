"""Networks by name, from settings."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from aacsfnet.errors import SettingsError
from aacsfnet.models.backbone import Backbone
from aacsfnet.models.channel_attention import ChannelAttention
from aacsfnet.models.channel_network import ChannelNetwork
from aacsfnet.models.cross_attention import CrossAttention
from aacsfnet.models.fusion import Align, AttentionFusion, Concatenation, GatedFusion
from aacsfnet.models.global_context import GlobalContext
from aacsfnet.models.head import GaussianHead, OrdinalHead, RegressionHead
from aacsfnet.models.hybrid_attention import HybridAttention
from aacsfnet.models.network import AACSFNet, Network
from aacsfnet.models.published import Published
from aacsfnet.models.scale_transformer import ScaleTransformer
from aacsfnet.models.spatial_network import SpatialNetwork
from aacsfnet.models.spatial_refinement import SpatialRefinement

BRANCHES = ("channel", "spatial")
ATTENTION = ("channel", "spatial", "global")
HEADS = ("regression", "gaussian", "ordinal")
FUSIONS: dict[str, Callable[..., AttentionFusion | Concatenation | GatedFusion]] = {
    "attention": AttentionFusion,
    "concatenation": Concatenation,
    "gated": GatedFusion,
}


def aacsfnet(
    *,
    backbone: str = "resnet50",
    pretrained: bool | str | Path = False,
    image_size: int = 224,
    branches: Sequence[str] = BRANCHES,
    attention: Sequence[str] = ATTENTION,
    feature_stride: int = 32,
    context_width: int = 256,
    context_depth: int = 3,
    scales: Sequence[int] = (32, 16),
    width: int = 192,
    depth: int = 3,
    heads: int = 6,
    fusion: str = "attention",
    fusion_width: int = 64,
    branch_dropout: float = 0.5,
    dropout: float = 0.1,
    head: str = "regression",
    label_range: Sequence[float] = (0.0, 16.0),
    levels: int = 16,
) -> AACSFNet:
    """Return an AACSFNet; its default sizes are the published ones where those make sense.

    Args:
        backbone: a timm network with feature maps.
        pretrained: a safetensors file of the backbone's weights, "bundled", True for timm's own
            cache, or False for random weights.
        image_size: side of the pictures, pixels; others work too if the patches divide them.
        branches: sub-networks in use, of `BRANCHES`.
        attention: stages of the hybrid attention module in use, of `ATTENTION`.
        feature_stride: pixels between positions of the backbone's last feature map.
        context_width: channels of the global context stage.
        context_depth: transformer blocks of the global context stage.
        scales: one or two patch sides, pixels.
        width: channels of a patch token.
        depth: transformer blocks of each scale.
        heads: attention heads of each scale and of the crossing.
        fusion: one of `FUSIONS`.
        fusion_width: channels of a branch's token in the fusion block.
        branch_dropout: share of pictures whose spatial branch is left out in training.
        dropout: share of activations dropped in training.
        head: "regression"; "gaussian", with its uncertainty; or "ordinal", cumulative levels.
        label_range: lowest and highest label; only the ordinal head asks.
        levels: steps of the ordinal head.

    Raises:
        SettingsError: a setting is impossible.
    """
    settings = {name: value for name, value in locals().items() if name != "pretrained"}
    settings = {
        name: list(value) if isinstance(value, tuple | list) else value
        for name, value in settings.items()
    }
    _check(image_size, branches, attention, scales, width, heads, fusion)
    if head not in HEADS:
        raise SettingsError(f"head = {head!r}: expected one of {', '.join(HEADS)}")
    if head == "ordinal" and not (levels >= 2 and label_range[0] < label_range[1]):
        raise SettingsError(f"levels = {levels}, label_range = {label_range}: expected 2 or more")
    parts: dict[str, nn.Module] = {}
    channels: list[int] = []
    if "channel" in branches:
        body = Backbone(backbone, feature_stride, pretrained, image_size)
        channel = _channel_network(body, attention, context_width, context_depth, dropout)
        parts["channel"] = channel
        channels.append(channel.channels)
    if "spatial" in branches:
        spatial = _spatial_network(scales, width, depth, heads, dropout)
        parts["spatial"] = spatial
        channels.append(spatial.channels)
    align = Align(channels, fusion_width, branch_dropout)
    # One branch alone has nothing to fuse with: attention over one token would be idle.
    kind = FUSIONS[fusion] if len(parts) > 1 else Concatenation
    fused = kind(len(parts), fusion_width)
    return AACSFNet(
        settings, parts, align, fused, _head(head, fused.channels, label_range, levels, dropout)
    )


def _head(
    kind: str, channels: int, label_range: Sequence[float], levels: int, dropout: float
) -> RegressionHead | OrdinalHead:
    if kind == "ordinal":
        low, high = label_range
        return OrdinalHead(channels, low, high, levels, dropout=dropout)
    return (GaussianHead if kind == "gaussian" else RegressionHead)(channels, dropout=dropout)


def _channel_network(
    backbone: Backbone, attention: Sequence[str], width: int, depth: int, dropout: float
) -> ChannelNetwork:
    stages: list[nn.Module] = []
    channels = backbone.channels
    if "channel" in attention:
        stages.append(ChannelAttention(channels))
    if "spatial" in attention:
        stages.append(SpatialRefinement())
    if "global" in attention:
        heads = max(1, width // 32)
        stages.append(GlobalContext(channels, width, depth, heads, dropout))
    return ChannelNetwork(backbone, HybridAttention(stages, channels), channels)


def _spatial_network(
    scales: Sequence[int], width: int, depth: int, heads: int, dropout: float
) -> SpatialNetwork:
    transformers = [ScaleTransformer(patch, width, depth, heads, dropout) for patch in scales]
    paths = len(scales) if len(scales) > 1 else 0
    crossings = [CrossAttention(width, heads, dropout) for _ in range(paths)]
    return SpatialNetwork(transformers, crossings)


def _check(
    image_size: int,
    branches: Sequence[str],
    attention: Sequence[str],
    scales: Sequence[int],
    width: int,
    heads: int,
    fusion: str,
) -> None:
    """Raise SettingsError where settings do not fit together."""
    if not branches or not set(branches) <= set(BRANCHES):
        raise SettingsError(f"branches = {list(branches)}: expected one or both of {BRANCHES}")
    if not set(attention) <= set(ATTENTION):
        raise SettingsError(f"attention = {list(attention)}: expected some of {ATTENTION}")
    if fusion not in FUSIONS:
        raise SettingsError(f"fusion = {fusion!r}: expected one of {', '.join(FUSIONS)}")
    if "spatial" not in branches:
        return
    if len(scales) not in (1, 2):
        raise SettingsError(f"scales = {list(scales)}: expected one or two patch sides")
    for patch in scales:
        if image_size % patch or image_size // patch < 2:
            raise SettingsError(
                f"scales = {list(scales)}: {patch} must divide image_size {image_size}, and be less"
            )
    if width % heads or width % 4:
        raise SettingsError(f"width = {width}: expected a multiple of 4 and of heads = {heads}")


#: Networks by name.
MODELS: dict[str, Callable[..., Network]] = {"aacsfnet": aacsfnet, "published": Published}


def create_model(name: str = "aacsfnet", **settings: Any) -> Network:
    """Return a network that turns pictures `(B, 3, H, W)` in 0-1 into scores `(B,)`.

    Args:
        name: one of `MODELS`.
        settings: of that network; see `aacsfnet`.

    Raises:
        SettingsError: no network has this name, it has no such setting, or a value is impossible.
    """
    if name not in MODELS:
        raise SettingsError(f"model {name!r}: expected one of {', '.join(MODELS)}")
    try:
        return MODELS[name](**settings)
    except TypeError as error:
        raise SettingsError(f"model {name!r}: {error}") from error
