"""Channel feature enhancement: the first stage of the hybrid attention module."""

from timm.layers.squeeze_excite import SEModule
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Weigh each channel by a gate computed from all channels' averages.

    Squeeze and excitation (Hu et al. 2018), reduction 16 as in the published code.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.gate = SEModule(channels, rd_channels=max(channels // reduction, 4))

    def forward(self, features: Tensor) -> Tensor:
        """Return gated features, `(B, C, H, W)` as given."""
        gated: Tensor = self.gate(features)
        return gated
