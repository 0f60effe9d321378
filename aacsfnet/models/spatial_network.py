"""The spatial sub-network (BiScaleCrossViT in the paper)."""

import torch
from torch import Tensor, nn

from aacsfnet.config import NetworkSettings
from aacsfnet.errors import SettingsError
from aacsfnet.models.cross_attention import CrossAttention
from aacsfnet.models.patch_embedding import EMBEDDINGS
from aacsfnet.models.scale_transformer import ScaleTransformer


class SpatialNetwork(nn.Module):
    """One or two patch scales, each with its own transformer; two scales look at each other.

    With one scale it is a plain vision transformer.
    """

    def __init__(self, scales: list[ScaleTransformer], crossings: list[CrossAttention]) -> None:
        """Take the scales, and for two scales the paths: first to second, second to first."""
        super().__init__()
        self.scales = nn.ModuleList(scales)
        self.crossings = nn.ModuleList(crossings)
        self.channels = sum(scale.width for scale in scales)
        self.patches = [scale.patch for scale in scales]
        self.map_channels = tuple(scale.width for scale in scales)
        self.finest_channels = scales[-1].width

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return the class tokens side by side, `(B, channels)`, and each scale's patch tokens.

        Those are maps `(B, width, H / patch, W / patch)`, of normalised pictures `(B, 3, H, W)`.
        """
        tokens = [scale(pictures) for scale in self.scales]  # each (B, 1 + N, width)
        rows = [pictures.shape[-2] // patch for patch in self.patches]
        maps = [
            each[:, 1:].transpose(1, 2).unflatten(2, (count, -1))
            for each, count in zip(tokens, rows, strict=True)
        ]
        classes = [each[:, :1] for each in tokens]  # each (B, 1, width)
        if self.crossings:
            first, second = tokens
            classes = [
                self.crossings[0](classes[0], second[:, 1:]),
                self.crossings[1](classes[1], first[:, 1:]),
            ]
        return torch.cat(classes, dim=2).squeeze(1), *maps  # (B, channels)


def build(settings: NetworkSettings, image_size: int, _: object) -> SpatialNetwork:
    """Return the branch, with random weights.

    Raises:
        SettingsError: the patches do not divide the pictures.
    """
    scales, width, heads = settings.scales, settings.width, settings.heads
    for patch in scales:
        if image_size % patch or image_size // patch < 2:
            raise SettingsError(
                f"scales = {list(scales)}: {patch} must divide image_size {image_size}, and be less"
            )
    transformers = [
        ScaleTransformer(
            EMBEDDINGS[settings.embedding](patch, width),
            settings.depth,
            heads,
            settings.dropout,
            settings.position_scale,
        )
        for patch in scales
    ]
    paths = len(scales) if len(scales) > 1 else 0
    crossings = [CrossAttention(width, heads, settings.dropout) for _ in range(paths)]
    return SpatialNetwork(transformers, crossings)
