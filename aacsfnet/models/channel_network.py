"""The channel sub-network (ResNet50-HAM in the paper): backbone and hybrid attention."""

from torch import Tensor, nn

from aacsfnet.models.backbone import Backbone
from aacsfnet.models.hybrid_attention import HybridAttention


class ChannelNetwork(nn.Module):
    """Convolutional features, refined by the hybrid attention module."""

    def __init__(self, backbone: Backbone, attention: HybridAttention, channels: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.attention = attention
        self.channels = channels

    def forward(self, pictures: Tensor) -> Tensor:
        """Return `(B, channels)` from normalised pictures `(B, 3, H, W)`."""
        pooled: Tensor = self.attention(self.backbone(pictures))
        return pooled
