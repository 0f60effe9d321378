"""The regions of the face in which pain shows, each with features of its own."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

#: Where the parts of a face lie that PSPI and other expressions move: x and y as shares of the
#: network's picture, from its top left corner; means over 480 rendered faces, cropped, levelled and
#: cut as by default. Those of the person's right side, whose mirror images follow, and the middle.
_RIGHT = (
    *((0.433, 0.208), (0.305, 0.189), (0.227, 0.231)),  # brow: inner end, middle, outer end
    *((0.339, 0.300), (0.277, 0.299), (0.341, 0.333)),  # lids, outer corner, under the eye
    *((0.389, 0.480), (0.282, 0.429)),  # wing of the nose, cheek
    *((0.434, 0.606), (0.359, 0.654)),  # upper lip, corner of the mouth
)
_MIDDLE = ((0.5, 0.221), (0.5, 0.328), (0.5, 0.469), (0.5, 0.624), (0.5, 0.685), (0.5, 0.855))
REGIONS = (*_RIGHT, *((1.0 - x, y) for x, y in _RIGHT), *_MIDDLE)
#: How far a region reaches: deviation of a normal distribution, share of the picture's side.
REACH = 0.06


class RegionTokens(nn.Module):
    """A token for each of `REGIONS`: both branches' finest maps, averaged about its place.

    Faces are levelled and cropped alike, so a part of the face lies nearly at one place of every
    picture. A branch's vector is a mean over all places; here a brow has channels of its own.

    Args:
        map_channels: of each map.
        width: of a token; a quarter of it goes to the head.
    """

    def __init__(self, map_channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.values = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(count), nn.Linear(count, width)) for count in map_channels
        )
        self.codes = nn.Parameter(torch.empty(len(REGIONS), width))
        nn.init.normal_(self.codes, std=0.5)
        self.narrow = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width // 4))
        self.channels = len(REGIONS) * (width // 4)
        self.register_buffer("places", torch.tensor(REGIONS), persistent=False)
        self.places: Tensor

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return `(B, channels)` of maps `(B, C, H, W)`, one of each branch."""
        tokens = self.codes
        for value, each in zip(self.values, maps, strict=True):
            rows, columns = each.shape[-2:]
            weights = region_weights(self.places, rows, columns, each)  # (regions, H*W)
            tokens = tokens + value(weights @ each.flatten(2).transpose(1, 2))
        narrowed: Tensor = self.narrow(tokens)  # (B, regions, width / 4)
        return narrowed.flatten(1)


def region_weights(places: Tensor, rows: int, columns: int, like: Tensor) -> Tensor:
    """Return what each position of a grid counts in each region, `(regions, rows * columns)`.

    A normal distribution about the region's place, which reaches half a position at least.

    Args:
        places: `(regions, 2)`, x and y as shares of the picture.
        rows: of the grid.
        columns: of the grid.
        like: tensor whose type and device the weights get.
    """
    with torch.no_grad():
        x, y = places.T.unsqueeze(2)  # (regions, 1) each
        across = (torch.arange(columns, device=like.device) + 0.5) / columns
        down = (torch.arange(rows, device=like.device) + 0.5) / rows
        reach = max(REACH, 0.5 / min(rows, columns))
        squares = ((down - y) ** 2).unsqueeze(2) + ((across - x) ** 2).unsqueeze(1)
        weights: Tensor = (squares.flatten(1) / (-2.0 * reach**2)).softmax(dim=1)
        return weights.to(like.dtype)
