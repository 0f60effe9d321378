"""The published network's forward pass, faults and all, to compare with; never for use.

What it does differently from `aacsfnet.models.network`, and why that is wrong, stands in
`docs/explanation/deviations.md`. Its transformers run across the *batch*: a picture's score depends
on which others it comes with, so the batch size is fixed. The layers that the original builds and
never uses (two transformer decoders, 1.76 M parameters) are left out; `tools.published_weights`
adds and removes them.
"""

from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as functional
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from aacsfnet.config import PublishedSettings
from aacsfnet.errors import SettingsError
from aacsfnet.models.backbone import Backbone
from aacsfnet.models.network import Network

PATCHES = (32, 16, 8)  # three scales, although the network is called BiScale
_BRANCH = 16
_DROP = 0.1


def sequence_encoder(width: int, heads: int, depth: int, hidden: int) -> nn.TransformerEncoder:
    """Return torch's post-norm encoder over the *first* axis, with the norm at its end."""
    layer = nn.TransformerEncoderLayer(width, heads, hidden)  # dropout 0.1, ReLU
    return nn.TransformerEncoder(layer, depth, nn.LayerNorm(width), enable_nested_tensor=False)


class PublishedScale(nn.Module):
    """Patches of one size, a class token, learned positions, three pre-norm blocks."""

    def __init__(self, patch: int, image_size: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, width, patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.zeros(1, (image_size // patch) ** 2 + 1, width))
        self.drop = nn.Dropout(_DROP)
        block = partial(Block, width, heads, qkv_bias=True, norm_layer=nn.LayerNorm)
        blocks = (block(proj_drop=_DROP, attn_drop=_DROP) for _ in range(depth))
        self.blocks = nn.Sequential(*blocks)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return tokens `(B, 1 + N, width)` of pictures `(B, 3, S, S)`."""
        patches = self.embed(pictures).flatten(2).transpose(1, 2)  # (B, N, width)
        class_token = self.class_token.expand(len(pictures), -1, -1)
        placed = torch.cat([class_token, patches], dim=1) + self.positions
        tokens: Tensor = self.blocks(self.drop(placed))
        return tokens


class PublishedCrossAttention(nn.Module):
    """A class token attends to the other scales' class tokens: two keys, one of them for each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.proj = (nn.Linear(width, width) for _ in range(4))
        self.drop = nn.Dropout(_DROP)

    def forward(self, query: Tensor, others: Tensor) -> Tensor:
        """Return `(B, width)` from a class token `(B, width)` and the others' `(B, 2, width)`."""

        def heads(tokens: Tensor) -> Tensor:  # (B, N, width) -> (B, heads, N, width / heads)
            split: Tensor = tokens.unflatten(2, (self.heads, -1)).transpose(1, 2)
            return split

        found = functional.scaled_dot_product_attention(
            heads(self.q(query.unsqueeze(1))),
            heads(self.k(others)),
            heads(self.v(others)),
            dropout_p=_DROP if self.training else 0.0,
        )
        mixed: Tensor = self.drop(self.proj(found.transpose(1, 2).flatten(2)))  # (B, 1, width)
        token: Tensor = mixed.squeeze(1)
        return token


class Published(Network):
    """The original's forward pass.

    With resnet50, 224 pixels and the other defaults it is the published network, number for number.
    At other sizes the positions of the last feature map, which are its encoder's channels, are as
    many as there are, and it has as many heads as the map has columns (7 at 224). Widths and depths
    are settable so that a small one can be compared with a small one of ours.

    Args:
        settings: the backbone needs a feature map of stride 32.
        pretrained: as for `aacsfnet.models.create.aacsfnet`.
        image_size: side of the pictures, pixels; a multiple of 32.
        batch: the only batch size that it takes (32 in the original).

    Raises:
        SettingsError: a value is impossible.
    """

    def __init__(
        self,
        settings: PublishedSettings,
        /,
        *,
        pretrained: bool | str | Path = False,
        image_size: int = 224,
        batch: int = 32,
    ) -> None:
        keys = settings.model_dump(include=set(PublishedSettings.model_fields))
        super().__init__("published", keys | {"image_size": image_size, "batch": batch})
        width, heads, depth = settings.width, settings.heads, settings.depth
        context_width, context_depth = settings.context_width, settings.context_depth
        if image_size % 32:
            raise SettingsError(f"image_size = {image_size}: expected a multiple of 32")
        if width % heads:
            raise SettingsError(f"width = {width}: expected a multiple of heads = {heads}")
        self.fixed_batch = batch
        side = image_size // 32
        self.backbone = Backbone(settings.backbone, 32, pretrained, image_size)
        channels = self.backbone.channels
        self.channel_gate = nn.Sequential(
            nn.Linear(channels, channels // 16, bias=False),
            nn.ReLU(),
            nn.Linear(channels // 16, channels, bias=False),
            nn.Sigmoid(),
        )
        self.spatial_gate = nn.Conv2d(2, 1, 7, padding=3)
        self.narrow = nn.Sequential(
            nn.Conv2d(channels, context_width, 1), nn.BatchNorm2d(context_width), nn.ReLU()
        )
        hidden = 4 * context_width  # of both encoders; in the original torch's default, 2048
        self.context = sequence_encoder(side * side, side, context_depth, hidden)
        half, quarter = context_width // 2, context_width // 4
        self.reduce = nn.Sequential(
            *self._reducing(context_width, half),
            *self._reducing(half, quarter),
            nn.Linear(quarter, _BRANCH),
        )
        self.scales = nn.ModuleList(
            PublishedScale(patch, image_size, width, depth, heads) for patch in PATCHES
        )
        self.scale_norm = nn.LayerNorm(width)
        self.crossing = PublishedCrossAttention(width, heads)
        self.join = nn.Linear(width * len(PATCHES), _BRANCH)
        self.fusion = sequence_encoder(_BRANCH, 1, 2, hidden)
        self.feature_channels = 4 * _BRANCH
        self.head = nn.Sequential(
            nn.Linear(self.feature_channels, 32),
            nn.BatchNorm1d(32),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(32, 1),
        )

    @staticmethod
    def _reducing(channels: int, fewer: int) -> list[nn.Module]:
        return [nn.Linear(channels, fewer), nn.BatchNorm1d(fewer), nn.ReLU(), nn.Dropout(_DROP)]

    def _channel_branch(self, pictures: Tensor) -> Tensor:
        features = self.backbone(pictures)  # (B, C, H, W)
        features = features * self.channel_gate(features.mean((2, 3)))[:, :, None, None]
        maps = torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], dim=1)
        features = features * self.spatial_gate(maps).sigmoid()
        tokens = self.narrow(features).flatten(2)  # (B, context_width, H*W)
        # Fault: the encoder takes the first axis for its sequence, so pictures attend to pictures.
        # Fault: its last norm is over the H*W positions, whose mean is then near nothing.
        pooled = self.context(tokens).mean(dim=2)  # (B, context_width)
        reduced: Tensor = self.reduce(pooled)
        return reduced

    def _spatial_branch(self, pictures: Tensor) -> Tensor:
        classes = [self.scale_norm(scale(pictures))[:, 0] for scale in self.scales]
        crossed = [
            self.crossing(query, torch.stack([*classes[:i], *classes[i + 1 :]], dim=1))
            for i, query in enumerate(classes)
        ]
        joined: Tensor = self.join(torch.cat(crossed, dim=1))
        return joined

    def features(self, pictures: Tensor) -> Tensor:
        """Return the fused branches `(batch, 64)` of pictures `(batch, 3, S, S)` in 0-1.

        Raises:
            ValueError: another batch size than the one that the network was made for.
        """
        if len(pictures) != self.fixed_batch:
            raise ValueError(
                f"the published network takes batches of {self.fixed_batch}, got {len(pictures)}"
            )
        normal = self.normalise(pictures)
        branches = [self._channel_branch(normal), self._spatial_branch(normal)]
        tokens = torch.stack(branches, dim=1)  # (B, 2, 16)
        # Fault: again the batch is taken for the sequence; the two branches never meet here.
        return torch.cat([tokens, self.fusion(tokens)], dim=2).flatten(1)  # (B, 64)

    def score(self, raw: Tensor) -> Tensor:
        """Return scores `(B,)` in units of the label."""
        return self.label_mean + self.label_deviation * raw[:, 0]
