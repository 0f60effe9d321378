"""The feature fusion block: the sub-networks' outputs aligned and integrated."""

from collections.abc import Sequence

import torch
from timm.layers.drop import DropPath
from torch import Tensor, nn

from aacsfnet.models.positions import position_codes


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

    def __init__(self, branches: int, width: int, *_: object, heads: int = 4) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, bias=False, batch_first=True)
        self.channels = 2 * branches * width

    def forward(self, tokens: Tensor, _: object = ()) -> Tensor:
        """Return `(B, channels)` from tokens `(B, branches, width)`."""
        normed = self.norm(tokens)
        found, _ = self.attention(normed, normed, normed, need_weights=False)
        return torch.cat([tokens, tokens + found], dim=2).flatten(1)


class PositionFusion(nn.Module):
    """The branches' tokens, side by side, each with what it finds by attention on all maps.

    Two tokens alone hold little to attend over. Here the queries are the branches' tokens and the
    keys are the positions of the branches' maps: those of the backbone's last map and the patches
    of each scale. Where the picture tells of pain, both branches see it in its place, which their
    vectors, being means, have lost. What is found is added to the tokens, and its last matrix
    starts at zero: at first this is `Concatenation`.

    Args:
        branches: how many tokens there are.
        width: of a token.
        map_channels: of each map of all branches, in order.
        position_scale: amplitude of the position codes.
        heads: of the attention.
    """

    def __init__(
        self,
        branches: int,
        width: int,
        map_channels: Sequence[int],
        position_scale: float = 0.1,
        heads: int = 4,
    ) -> None:
        super().__init__()
        self.keys = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(count), nn.Linear(count, width)) for count in map_channels
        )
        self.norm = nn.LayerNorm(width)
        self.norm_keys = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, bias=False, batch_first=True)
        nn.init.zeros_(self.attention.out_proj.weight)
        self.width, self.position_scale = width, position_scale
        self.channels = branches * width

    def forward(self, tokens: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return `(B, branches * width)` from tokens `(B, branches, width)` and maps.

        Args:
            tokens: one for each branch.
            maps: `(B, C, H, W)` each.
        """
        places = []
        for key, each in zip(self.keys, maps, strict=True):
            rows, columns = each.shape[-2:]
            codes = position_codes(rows, columns, self.width, self.position_scale, tokens)
            places.append(key(each.flatten(2).transpose(1, 2)) + codes)  # (B, H*W, width)
        keys = self.norm_keys(torch.cat(places, dim=1))  # (B, positions, width)
        found, _ = self.attention(self.norm(tokens), keys, keys, need_weights=False)
        informed: Tensor = tokens + found
        return informed.flatten(1)


class Concatenation(nn.Module):
    """The branches' tokens side by side: the ablation without attention."""

    def __init__(self, branches: int, width: int, *_: object) -> None:
        super().__init__()
        self.channels = branches * width

    def forward(self, tokens: Tensor, _: object = ()) -> Tensor:
        """Return `(B, branches * width)` from tokens `(B, branches, width)`."""
        return tokens.flatten(1)


class GatedFusion(nn.Module):
    """A weighted mean of the branches, the weights computed from all of them."""

    def __init__(self, branches: int, width: int, *_: object) -> None:
        super().__init__()
        # No bias: over two branches only the weights' difference counts.
        self.gate = nn.Linear(branches * width, branches, bias=False)
        self.channels = width

    def forward(self, tokens: Tensor, _: object = ()) -> Tensor:
        """Return `(B, width)` from tokens `(B, branches, width)`."""
        weights = self.gate(tokens.flatten(1)).softmax(dim=1)  # (B, branches)
        fused: Tensor = (tokens * weights.unsqueeze(2)).sum(dim=1)
        return fused
