"""AACSFNet as a whole: two branches, their fusion, and a score."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from aacsfnet.models.context import Context, ContextFusion
from aacsfnet.models.fusion import Align
from aacsfnet.models.head import OrdinalHead, RegressionHead
from aacsfnet.models.regions import RegionTokens

#: Pixel means and standard deviations of ImageNet, on which pretrained backbones were trained.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Network(nn.Module):
    """What every network of the package shares: its settings, and how pictures and labels scale.

    Convention: pictures `(B, 3, H, W)`, RGB, float in 0-1; scores `(B,)` in units of the label,
    not clipped to its range. The statistics are buffers: they are saved with the weights, so
    training and use cannot differ.
    """

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        super().__init__()
        self.name = name
        self.settings = dict(settings)
        #: Lets a picture's features meet those of further pictures; None: each stands by itself.
        self.context_fusion: ContextFusion | None = None
        mean, deviation = IMAGENET
        self.pixel_mean: Tensor
        self.pixel_deviation: Tensor
        self.label_mean: Tensor
        self.label_deviation: Tensor
        self.register_buffer("pixel_mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("pixel_deviation", torch.tensor(deviation).view(3, 1, 1))
        self.register_buffer("label_mean", torch.tensor(0.0))
        self.register_buffer("label_deviation", torch.tensor(1.0))

    #: Batch size that the network is tied to, if it is.
    fixed_batch: int | None = None
    #: Turns features `(B, feature_channels)` into raw outputs.
    head: nn.Module
    feature_channels: int

    def standardise(self, labels: Tensor) -> Tensor:
        """Return labels standardised by mean and standard deviation of the training labels."""
        return (labels - self.label_mean) / self.label_deviation

    def normalise(self, pictures: Tensor) -> Tensor:
        """Return pictures standardised by mean and standard deviation of the training pictures."""
        return (pictures - self.pixel_mean) / self.pixel_deviation

    def features(self, pictures: Tensor) -> Tensor:
        """Return what the head reads, `(B, feature_channels)`, of pictures `(B, 3, H, W)` in 0-1.

        Those are the branches' outputs, fused, of each picture by itself.
        """
        raise NotImplementedError

    def features_in(self, pictures: Tensor, context: Context | None) -> Tensor:
        """Return what the head reads of pictures `(B, 3, H, W)` in 0-1 in their context.

        A picture and its context go through the network together: batch norm, in training, must
        not standardise them apart, or their differences would be lost.
        """
        if context is None or self.context_fusion is None:
            return self.features(pictures)
        count = len(pictures)
        found = self.features(torch.cat([pictures, context.pictures]))
        fused: Tensor = self.context_fusion(found[:count], found[count:], context.known)
        return fused

    def raw(self, pictures: Tensor, context: Context | None = None) -> Tensor:
        """Return the head's raw outputs `(B, outputs)`."""
        raw: Tensor = self.head(self.features_in(pictures, context))
        return raw

    def score(self, raw: Tensor) -> Tensor:
        """Return scores `(B,)` in units of the label from raw outputs `(B, outputs)`."""
        raise NotImplementedError

    def spread(self, raw: Tensor) -> Tensor | None:
        """Return the standard deviation `(B,)` of each score; None if the network has none."""
        return None

    def forward(self, pictures: Tensor) -> Tensor:
        """Return scores `(B,)` of pictures `(B, 3, H, W)` in 0-1."""
        return self.score(self.raw(pictures))


class AACSFNet(Network):
    """One or two branches over the same picture, fused, and a head."""

    head: RegressionHead | OrdinalHead
    #: Names of the parts that are `pretrained` and `random`, where a file gave weights to all.
    start: dict[str, list[str]] | None = None

    def __init__(
        self,
        settings: Mapping[str, Any],
        branches: Mapping[str, nn.Module],
        align: Align,
        fusion: nn.Module,
        head: RegressionHead | OrdinalHead,
        context: ContextFusion | None = None,
        regions: RegionTokens | None = None,
    ) -> None:
        super().__init__("aacsfnet", settings)
        self.branches = nn.ModuleDict(branches)
        self.align = align
        self.fusion = fusion
        self.head = head
        self.context_fusion = context
        self.regions = regions
        self.feature_channels = int(fusion.channels)  # type: ignore[arg-type]
        if regions is not None:
            self.feature_channels += regions.channels

    def branch_outputs(self, pictures: Tensor) -> dict[str, tuple[Tensor, ...]]:
        """Return each branch's vector `(B, C_i)` and its maps `(B, C, H, W)`, by its name."""
        normal = self.normalise(pictures)
        return {name: branch(normal) for name, branch in self.branches.items()}

    def fused(self, outputs: Mapping[str, tuple[Tensor, ...]]) -> Tensor:
        """Return features `(B, feature_channels)` from the branches' vectors and maps."""
        found = [outputs[name] for name in self.branches]
        tokens = self.align([vector for vector, *_ in found])  # (B, branches, width)
        counts = [len(branch.map_channels) for branch in self.branches.values()]  # type: ignore[arg-type]
        places = [
            each for (_, *maps), count in zip(found, counts, strict=True) for each in maps[:count]
        ]
        fused: Tensor = self.fusion(tokens, places)
        if self.regions is None:
            return fused
        return torch.cat([fused, self.regions([maps[-1] for _, *maps in found])], dim=1)

    def features(self, pictures: Tensor) -> Tensor:
        """Return the fused branches, `(B, feature_channels)`."""
        return self.fused(self.branch_outputs(pictures))

    def score(self, raw: Tensor) -> Tensor:
        """Return scores `(B,)` in units of the label."""
        return self.head.score(raw, self.label_mean, self.label_deviation)

    def spread(self, raw: Tensor) -> Tensor | None:
        """Return the standard deviation `(B,)` of each score; None from a plain regression head."""
        return self.head.spread(raw, self.label_deviation)
