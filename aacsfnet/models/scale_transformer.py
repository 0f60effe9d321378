"""One scale of the spatial network: patches of one size and a transformer over them."""

import torch
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from aacsfnet.models.patch_embedding import ConvolutionalEmbedding, LinearEmbedding
from aacsfnet.models.positions import position_codes


class ScaleTransformer(nn.Module):
    """Embed patches, add a class token, and let all tokens of a picture attend.

    Raises:
        ValueError: in the forward pass, for a picture whose sides the patch does not divide.
    """

    def __init__(
        self,
        embed: LinearEmbedding | ConvolutionalEmbedding,
        depth: int,
        heads: int,
        dropout: float,
        position_scale: float,
    ) -> None:
        super().__init__()
        self.patch = embed.patch
        self.width = width = embed.width
        self.embed = embed
        self.position_scale = position_scale
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
        tokens = self.embed(pictures)  # (B, N, width)
        tokens = tokens + position_codes(*grid, self.width, self.position_scale, tokens)
        class_token = self.class_token.expand(tokens.shape[0], -1, -1)  # (B, 1, width)
        tokens = torch.cat([class_token, tokens], dim=1)  # (B, 1 + N, width)
        normed: Tensor = self.norm(self.blocks(tokens))
        return normed
