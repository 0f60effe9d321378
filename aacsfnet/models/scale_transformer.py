"""One scale of the spatial network: patches of one size and a transformer over them."""

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from aacsfnet.models.positions import position_codes


class ScaleTransformer(nn.Module):
    """Embed square patches, add a class token, and let all tokens of a picture attend.

    Raises:
        ValueError: in the forward pass, for a picture whose sides the patch does not divide.
    """

    def __init__(self, patch: int, width: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.patch = patch
        self.width = width
        # The same as a convolution with the patch as stride, and several times faster on a CPU.
        self.embed = nn.Linear(patch * patch * 3, width)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        nn.init.normal_(self.class_token, std=0.02)
        self.blocks = nn.Sequential(*(Block(width, heads, proj_drop=dropout) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return tokens `(B, 1 + N, width)`, class token first, of pictures `(B, 3, H, W)`."""
        height, width = pictures.shape[-2:]
        if height % self.patch or width % self.patch:
            raise ValueError(
                f"pictures of {height}x{width} pixels: patches of {self.patch} do not divide them"
            )
        grid = height // self.patch, width // self.patch
        patches = pictures.permute(0, 2, 3, 1)  # (B, H, W, 3)
        patches = patches.unflatten(2, (grid[1], self.patch)).unflatten(1, (grid[0], self.patch))
        patches = patches.transpose(2, 3).flatten(3).flatten(1, 2)  # (B, N, patch * patch * 3)
        tokens = self.embed(patches)  # (B, N, width)
        tokens = tokens + position_codes(*grid, self.width, tokens)
        class_token = self.class_token.expand(tokens.shape[0], -1, -1)  # (B, 1, width)
        tokens = torch.cat([class_token, tokens], dim=1)  # (B, 1 + N, width)
        normed: Tensor = self.norm(self.blocks(tokens))
        return normed
