"""The feature fusion block: the sub-networks' outputs aligned and integrated."""

from collections.abc import Sequence

import torch
from timm.layers.drop import DropPath
from torch import Tensor, nn


class Align(nn.Module):
    """Bring each branch's vector to one width: `(B, C_i)` each to tokens `(B, branches, width)`.

    In training, tokens of all branches but the first are left out at times, a picture at a time
    (stochastic depth, Huang et al. 2016): the first branch, which may start from pretrained
    weights, must be enough alone, and the others add to it.
    """

    def __init__(self, channels: Sequence[int], width: int, left_out: float = 0.0) -> None:
        super().__init__()
        self.drop = DropPath(left_out)
        self.branches = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(count), nn.Linear(count, width)) for count in channels
        )

    def forward(self, vectors: Sequence[Tensor]) -> Tensor:
        """Return tokens `(B, branches, width)`."""
        aligned = [branch(each) for branch, each in zip(self.branches, vectors, strict=True)]
        first, *others = aligned
        return torch.stack([first, *map(self.drop, others)], dim=1)


class AttentionFusion(nn.Module):
    """Multi-head attention over the branches' tokens, with a residual.

    The published code hands its encoder a batch-first tensor as if the batch were the sequence,
    so the branches never meet; see `docs/explanation/deviations.md`. As there, the tokens before
    and after go side by side to the head.
    """

    def __init__(self, branches: int, width: int, heads: int = 4, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(
            width, heads, dropout=dropout, bias=False, batch_first=True
        )
        self.channels = 2 * branches * width

    def forward(self, tokens: Tensor) -> Tensor:
        """Return `(B, channels)` from tokens `(B, branches, width)`."""
        normed = self.norm(tokens)
        found, _ = self.attention(normed, normed, normed, need_weights=False)
        return torch.cat([tokens, tokens + found], dim=2).flatten(1)


class Concatenation(nn.Module):
    """The branches' tokens side by side: the ablation without attention."""

    def __init__(self, branches: int, width: int) -> None:
        super().__init__()
        self.channels = branches * width

    def forward(self, tokens: Tensor) -> Tensor:
        """Return `(B, branches * width)` from tokens `(B, branches, width)`."""
        return tokens.flatten(1)


class GatedFusion(nn.Module):
    """A weighted mean of the branches, the weights computed from all of them."""

    def __init__(self, branches: int, width: int) -> None:
        super().__init__()
        # No bias: over two branches only the weights' difference counts.
        self.gate = nn.Linear(branches * width, branches, bias=False)
        self.channels = width

    def forward(self, tokens: Tensor) -> Tensor:
        """Return `(B, width)` from tokens `(B, branches, width)`."""
        weights = self.gate(tokens.flatten(1)).softmax(dim=1)  # (B, branches)
        fused: Tensor = (tokens * weights.unsqueeze(2)).sum(dim=1)
        return fused
