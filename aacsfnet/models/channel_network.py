"""The channel sub-network (ResNet50-HAM in the paper): backbone and hybrid attention."""

from pathlib import Path

from torch import Tensor, nn

from aacsfnet.config import NetworkSettings
from aacsfnet.models.backbone import Backbone
from aacsfnet.models.channel_attention import ChannelAttention
from aacsfnet.models.global_context import GlobalContext
from aacsfnet.models.hybrid_attention import HybridAttention
from aacsfnet.models.spatial_refinement import SpatialRefinement


class ChannelNetwork(nn.Module):
    """Convolutional features, refined by the hybrid attention module."""

    def __init__(self, backbone: Backbone, attention: HybridAttention, channels: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.attention = attention
        self.channels = channels
        self.map_channels = (channels,)
        self.finest_channels = backbone.finest_channels

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return the vector `(B, channels)` and the map, of normalised pictures `(B, 3, H, W)`.

        After them comes the backbone's finer map, where it gives one.
        """
        coarse, *finer = self.backbone.maps(pictures)
        vector, refined = self.attention(coarse)
        return vector, refined, *finer


def build(
    settings: NetworkSettings, image_size: int, pretrained: bool | str | Path
) -> ChannelNetwork:
    """Return the branch; the backbone's weights as `Backbone` takes them."""
    stride, finer = settings.feature_stride, settings.regions
    backbone = Backbone(settings.backbone, stride, pretrained, image_size, finer)
    stages: list[nn.Module] = []
    channels, width = backbone.channels, settings.context_width
    if "channel" in settings.attention:
        stages.append(ChannelAttention(channels))
    if "spatial" in settings.attention:
        stages.append(SpatialRefinement())
    if "global" in settings.attention:
        heads = max(1, width // 32)
        depth, dropout = settings.context_depth, settings.dropout
        scale = settings.position_scale
        stages.append(GlobalContext(channels, width, depth, heads, dropout, scale))
    return ChannelNetwork(backbone, HybridAttention(stages, channels), channels)
