"""Spatial context refinement: the second stage of the hybrid attention module."""

from timm.layers.cbam import SpatialAttn
from torch import Tensor, nn


class SpatialRefinement(nn.Module):
    """Weigh each position by a gate computed from its neighbourhood's channel mean and maximum.

    The spatial half of CBAM (Woo et al. 2018), kernel 7 as in the published code. At first it
    weighs all positions nearly alike.
    """

    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        self.gate = SpatialAttn(kernel)
        nn.init.constant_(self.gate.conv.bn.weight, 0.1)

    def forward(self, features: Tensor) -> Tensor:
        """Return gated features, `(B, C, H, W)` as given."""
        gated: Tensor = self.gate(features)
        return gated
