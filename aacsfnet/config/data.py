"""Where the frames come from: the block `index`, with one block a data set."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from aacsfnet.config.block import Block

DatasetName = Literal["demo", "manifest", "unbc", "biovid", "data_pre"]


class DemoData(Block):
    """The built-in data set of rendered faces."""

    subjects: int = Field(12, ge=3, le=10_000, description="number of rendered people")
    sequences: int = Field(3, ge=1, le=1_000, description="sequences of each person")
    frames: int = Field(24, ge=2, le=10_000, description="frames of each sequence")
    picture_size: int = Field(256, ge=96, le=4096, description="side of a frame, pixels")
    seed: int = Field(1, ge=0, description="seed of people, movements and light")


class ManifestData(Block):
    """A table of the user's own pictures."""

    file: Path | None = Field(None, description="the table: columns path, subject, label at least")
    root: Path | None = Field(None, description="where the paths start; null: the table's folder")
    label: str = Field("pspi", description="what the label column holds, e.g. pspi or vas")
    label_low: float = Field(0.0, description="lowest possible label")
    label_high: float = Field(16.0, description="highest possible label")
    unlabelled: Literal["leave_out", "pretrain"] = Field(
        "leave_out",
        description="rows without a label; pretrain: train.geometry_pretraining_steps alone sees "
        "their faces",
    )

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> "ManifestData":
        if not self.label_low < self.label_high:
            raise ValueError(
                f"label_low {self.label_low} must be below label_high {self.label_high}"
            )
        return self


class UnbcData(Block):
    """The UNBC-McMaster Shoulder Pain Expression Archive."""

    root: Path | None = Field(None, description="folder that holds Images and Frame_Labels")


class BiovidData(Block):
    """The BioVid Heat Pain Database, part A."""

    root: Path | None = Field(None, description="folder that holds the clips (PartA), or one above")


class PublishedArrays(Block):
    """Arrays in the layout of the published code: <i>/<i>_image.npy, <i>/<i>_label1.npy."""

    root: Path | None = Field(None, description="folder that holds the numbered folders")
    channels: Literal["rgb", "bgr"] = Field("rgb", description="channel order of the arrays")
    trusted: Path | None = Field(
        None,
        description="the same folder again, if you trust its origin: only then are pickled arrays "
        "loaded, which can execute any code",
    )


class Videos(Block):
    """How videos become frames, in every data set that holds videos."""

    rate: float = Field(
        5.0, gt=0.0, le=1000.0, description="frames sampled per second; at most the video's rate"
    )
    seconds: float = Field(6.0, gt=0.0, description="typical video length, seconds; to plan shards")


class Index(Block):
    """Which frames there are, and how they are split into shards."""

    shard_frames: int = Field(512, ge=1, description="frames per shard (one job), at most")
    packed_frames: int = Field(
        256, ge=0, description="frames per shard of several people, at most; 0: never shared"
    )
    max_megapixels: float = Field(64.0, gt=0.0, le=170.0, description="largest picture decoded")
    further_roots: tuple[Path, ...] = Field(
        (), description="folders outside the data set that symbolic links may point into"
    )
    videos: Videos = Videos()
    demo: DemoData = DemoData()
    manifest: ManifestData = ManifestData()
    unbc: UnbcData = UnbcData()
    biovid: BiovidData = BiovidData()
    data_pre: PublishedArrays = PublishedArrays()
