"""How many pictures of each kind are made: the blocks `prompts.keep`, `.level` and `.person`."""

from typing import Literal

from pydantic import Field, field_validator

from aacsfnet.config.block import Block

Kind = Literal["keep", "level", "person"]


class Keep(Block):
    """Pictures of a frame as it is: its face, expression and label."""

    variants: int | None = Field(
        None,
        ge=0,
        le=64,
        description="pictures generated from each frame with pain; "
        "null: 1 where no pictures of other levels are wanted, else none",
    )
    balance: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="more variants of a person's rare levels: 0 none, 1 equally many of each",
    )
    max_variants: int = Field(
        4, ge=1, le=64, description="upper limit of balance: variants of one frame"
    )
    neutral_share: float = Field(
        0.1, ge=0.0, le=1.0, description="share of frames at the lowest label that get variants too"
    )


class Person(Keep):
    """Pictures of a frame's expression on another face; the label stays."""

    variants: int = Field(  # type: ignore[assignment]  # narrower: nothing decides it but this
        0, ge=0, le=64, description="pictures generated from each frame with pain"
    )


class Level(Block):
    """Pictures of a person's frame without pain, given action units of a chosen PSPI."""

    pictures: int | None = Field(
        None,
        ge=0,
        le=10_000,
        description="pictures wanted of each person and level, real frames within 1 point counted; "
        "null: 8 where labels are PSPI, else none",
    )
    levels: tuple[int, ...] = Field(
        (2, 4, 6, 8, 10, 12), min_length=1, description="wanted levels of PSPI, 1 to 16, rising"
    )
    max_variants: int = Field(4, ge=1, le=64, description="variants of one frame, at most")
    rare_share: float = Field(
        0.5,
        ge=0.0,
        le=1.0,
        description="share whose units are any that give the level; the rest have usual ones",
    )

    @field_validator("levels")
    @classmethod
    def _within_pspi(cls, levels: tuple[int, ...]) -> tuple[int, ...]:
        if not all(1 <= level <= 16 for level in levels) or list(levels) != sorted(set(levels)):
            raise ValueError(f"levels {list(levels)}: expected different ones from 1 to 16, rising")
        return levels
