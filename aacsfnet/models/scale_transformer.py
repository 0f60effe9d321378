"""One scale of the spatial network: patches of one size and a transformer over them."""

import torch
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from aacsfnet.models.positions import position_codes


class ScaleTransformer(nn.Module):
    """Embed square patches, add a class token, and let all tokens of a picture attend.

    Raises:
        ValueError: in the forward pass, for a picture whose sides the patch does not divide.
    """

    def __init__(
        self,
        patch: int,
        width: int = 192,
        depth: int = 3,
        heads: int = 6,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.patch = patch
        self.width = width
        self.embed = PatchEmbed(img_size=None, patch_size=patch, embed_dim=width)
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
        tokens = self.embed(pictures)  # (B, N, width)
        grid = height // self.patch, width // self.patch
        tokens = tokens + position_codes(*grid, self.width, tokens)
        class_token = self.class_token.expand(len(tokens), -1, -1)  # (B, 1, width)
        tokens = torch.cat([class_token, tokens], dim=1)  # (B, 1 + N, width)
        normed: Tensor = self.norm(self.blocks(tokens))
        return normed
