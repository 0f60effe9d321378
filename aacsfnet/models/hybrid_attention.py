"""The hybrid attention module (HAM): channel, spatial and global attention in turn."""

from torch import Tensor, nn


class HybridAttention(nn.Module):
    """Refine a feature map in the stages given and pool it into one vector a picture.

    The average over positions is normalised over the *channels*, so that it differs between
    pictures from the first step on.
    """

    def __init__(self, stages: list[nn.Module], channels: int) -> None:
        """Take the stages in order, and how many channels the last one gives."""
        super().__init__()
        self.stages = nn.Sequential(*stages)
        self.norm = nn.LayerNorm(channels)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the vector `(B, C)` and the refined map `(B, C, H, W)` of a feature map."""
        refined: Tensor = self.stages(features)
        return self.norm(refined.mean((2, 3))), refined
