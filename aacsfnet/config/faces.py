"""The blocks `crop` and `landmarks`."""

from typing import Literal

from pydantic import Field

from aacsfnet.config.block import Block


class Crop(Block):
    """The face found, levelled and cut out."""

    size: int = Field(128, ge=64, le=2048, multiple_of=8, description="side of a crop, pixels")
    margin: float = Field(0.25, ge=0.0, le=2.0, description="margin, share of the face's height")
    min_face: int = Field(32, ge=8, description="smallest face accepted, pixels in the frame")
    min_confidence: float = Field(0.5, gt=0.0, lt=1.0, description="minimum score of the detector")
    min_presence: float = Field(0.5, gt=0.0, lt=1.0, description="minimum score of the face mesh")
    people: Literal["largest", "central", "refuse"] = Field(
        "largest", description="which face to use of several; refuse: none"
    )
    mode: Literal["still", "video"] = Field(
        "still",
        description="still: detect in every frame; video: track the face from frame to frame",
    )
    smoothing: int = Field(
        4, ge=0, le=100, description="temporal smoothing of the crops: frames to each side; 0: none"
    )


class Landmarks(Block):
    """478 points on the cropped face."""

    mode: Literal["still", "video"] = Field(
        "still", description="still: run the mesh on each crop; video: reuse the mesh of crop"
    )
    min_confidence: float = Field(0.5, gt=0.0, lt=1.0, description="minimum score of the face mesh")
    min_visibility: float = Field(
        0.5,
        ge=0.0,
        le=1.0,
        description="region of the face seen less than this is covered: its measures are left out",
    )
