"""The settings of the networks: the block `train.network`, and what `create_model` takes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from aacsfnet.config.block import Block

#: A sub-network, which is built by `aacsfnet.models.<name>_network.build`.
Branch = Literal["channel", "spatial"]

_ContextWidth = Annotated[
    int, Field(ge=32, le=2048, multiple_of=32, description="channels of the global context stage")
]


class PublishedSettings(Block):
    """The published network, in its full size; ours has these settings too."""

    backbone: str = Field("resnet50", description="a timm network with feature maps")
    context_width: _ContextWidth = 512
    context_depth: int = Field(3, ge=1, le=24, description="transformer blocks of that stage")
    width: int = Field(192, ge=8, le=2048, description="embedding width of a patch")
    depth: int = Field(3, ge=1, le=24, description="transformer blocks of each patch size")
    heads: int = Field(6, ge=1, le=64, description="attention heads of each patch size")


class NetworkSettings(PublishedSettings):
    """The network."""

    context_width: _ContextWidth = 256
    feature_stride: int = Field(32, ge=2, le=32, description="stride of the feature map, pixels")
    branches: tuple[Branch, ...] = Field(
        ("channel", "spatial"), min_length=1, description="sub-networks in use"
    )
    attention: tuple[Literal["channel", "spatial", "global"], ...] = Field(
        ("channel", "spatial", "global"), description="stages of the hybrid attention module in use"
    )
    scales: tuple[int, ...] = Field(
        (32, 16), min_length=1, max_length=2, description="spatial branch's patch sizes, pixels"
    )
    embedding: Literal["linear", "convolution"] = Field(
        "linear", description="patch embedding: one matrix, or overlapping convolutions"
    )
    position_scale: float = Field(
        0.1, ge=0.0, le=2.0, description="amplitude of position codes, beside features of about 1"
    )
    fusion: Literal["attention", "positions", "concatenation", "gated"] = Field(
        "attention",
        description="fusion of the branches: attention over their two vectors, or over all "
        "positions of their maps; side by side; weighted mean",
    )
    fusion_width: int = Field(
        64, ge=8, le=1024, multiple_of=4, description="token width of a branch in the fusion"
    )
    regions: bool = Field(
        False, description="features of brows, lids, nose and lips beside the fused ones"
    )
    branch_dropout: float = Field(
        0.5, ge=0.0, lt=1.0, description="probability that training drops the spatial vector"
    )
    dropout: float = Field(0.1, ge=0.0, lt=1.0, description="dropout probability")
    context: Literal["none", "person", "sequence"] = Field(
        "none",
        description="pictures seen beside the one that is scored: the person's own label-free "
        "reference, or the frames before and after",
    )
    context_frames: int = Field(
        2, ge=1, le=8, description="frames of the reference, or on each side of the frame"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> "NetworkSettings":
        if len(set(self.branches)) < len(self.branches):
            raise ValueError(f"branches = {list(self.branches)}: expected each once")
        if "spatial" in self.branches and (self.width % self.heads or self.width % 4):
            raise ValueError(
                f"width = {self.width}: expected a multiple of 4 and of heads = {self.heads}"
            )
        if self.embedding == "convolution" and any(each.bit_count() > 1 for each in self.scales):
            raise ValueError(
                f"scales = {list(self.scales)}: expected powers of two for embedding: convolution"
            )
        return self


#: The network of the demo, small enough for a CPU; the package carries weights of all its parts but
#: the regions, and of the hybrid attention module, which is off: it was not shown to pay.
DEMO_NETWORK = NetworkSettings(
    backbone="test_resnet",
    feature_stride=16,
    context_width=64,
    context_depth=1,
    attention=(),
    width=64,
    depth=1,
    heads=4,
    scales=(16, 8),
    embedding="convolution",
    position_scale=0.5,
    fusion="positions",
    regions=True,
    branch_dropout=0.0,
)
