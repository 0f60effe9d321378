"""The blocks `crop` and `landmarks`."""

from typing import Literal

from pydantic import Field

from aacsfnet.config.block import Block


class Crop(Block):
    """The face found, levelled and cut out."""

    size: int = Field(128, ge=64, le=2048, multiple_of=8, description="side of a crop, pixels")
    margin: float = Field(
        0.25, ge=0.0, le=2.0, description="room round the face, share of its height"
    )
    min_face: int = Field(32, ge=8, description="smallest face accepted, pixels in the frame")
    min_confidence: float = Field(0.5, gt=0.0, lt=1.0, description="least score of the detector")
    min_presence: float = Field(
        0.5, gt=0.0, lt=1.0, description="least score of the face mesh for a detection to count"
    )
    people: Literal["largest", "central", "refuse"] = Field(
        "largest", description="whom to take of several people; refuse: none"
    )
    mode: Literal["still", "video"] = Field(
        "still",
        description="still: search every frame; video: follow the face from frame to frame",
    )
    smoothing: int = Field(
        4, ge=0, le=100, description="frames to each side that steady a sequence's crops; 0: none"
    )


class Landmarks(Block):
    """478 points on the cropped face."""

    mode: Literal["still", "video"] = Field(
        "still", description="still: look at each crop again; video: take the mesh it was cut by"
    )
    min_confidence: float = Field(0.5, gt=0.0, lt=1.0, description="least score of the face mesh")
