"""Global context modelling: the third stage of the hybrid attention module."""

from timm.models.vision_transformer import Block
from torch import Tensor, nn

from aacsfnet.models.positions import position_codes


class GlobalContext(nn.Module):
    """Let every position of the feature map attend to every other one of the same picture.

    A 1×1 convolution narrows the features, a pre-norm transformer encoder runs over the positions,
    and what it finds is widened and added to the features. The way back starts at zero, so that a
    pretrained backbone's features first pass as they are. The published code runs its encoder
    across the pictures of a batch and normalises over the positions that it then averages, which
    leaves nothing; see `docs/explanation/deviations.md`.
    """

    def __init__(
        self,
        channels: int,
        width: int = 256,
        depth: int = 3,
        heads: int = 8,
        dropout: float = 0.0,
        position_scale: float = 0.1,
    ) -> None:
        super().__init__()
        self.narrow = nn.Sequential(
            nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        # No bias on queries and keys: softmax cancels a key's bias, which would never learn.
        self.encoder = nn.Sequential(
            *(Block(width, heads, mlp_ratio=2.0, proj_drop=dropout) for _ in range(depth))
        )
        self.widen = nn.Linear(width, channels)
        nn.init.zeros_(self.widen.weight)
        nn.init.zeros_(self.widen.bias)
        self.width = width
        self.position_scale = position_scale

    def forward(self, features: Tensor) -> Tensor:
        """Return features with their context, `(B, C, H, W)` as given."""
        narrow = self.narrow(features)
        height, width = narrow.shape[-2:]
        tokens = narrow.flatten(2).transpose(1, 2)  # (B, H*W, width)
        tokens = tokens + position_codes(height, width, self.width, self.position_scale, tokens)
        found = self.widen(self.encoder(tokens))  # (B, H*W, C)
        context: Tensor = found.transpose(1, 2).unflatten(2, (height, width))  # (B, C, H, W)
        return features + context
