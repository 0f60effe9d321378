"""Dual-path cross-attention: how one scale looks at the other."""

from torch import Tensor, nn


class CrossAttention(nn.Module):
    """Let one scale's class token attend to the other scale's patch tokens, and add the result.

    As in CrossViT (Chen et al. 2021). The published code offers the other scale's class token as
    the only key, over which softmax is 1 whatever the query, and adds no residual; see
    `docs/explanation/deviations.md`.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm_query = nn.LayerNorm(width)
        self.norm_key = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(
            width, heads, dropout=dropout, bias=False, batch_first=True
        )

    def forward(self, class_token: Tensor, patches: Tensor) -> Tensor:
        """Return the informed class token.

        Args:
            class_token: `(B, 1, width)` of this scale.
            patches: `(B, N, width)` of the other scale, N > 1.
        """
        keys = self.norm_key(patches)
        found, _ = self.attention(self.norm_query(class_token), keys, keys, need_weights=False)
        informed: Tensor = class_token + found  # (B, 1, width)
        return informed
