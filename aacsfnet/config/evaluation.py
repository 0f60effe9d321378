"""The blocks `evaluate` and `report`."""

from typing import Annotated

from pydantic import Field

from aacsfnet.config.block import Block

#: How a person's own neutral level is told: the median of all their scores in a recording, or of
#: the first so many.
NEUTRAL = r"^(median|first:[1-9][0-9]*)$"


class Evaluate(Block):
    """Figures on held-out subjects."""

    bootstrap: int = Field(2000, ge=100, description="bootstrap resamples of subjects")
    confidence: float = Field(0.95, gt=0.5, lt=1.0, description="confidence level of the intervals")
    thresholds: tuple[float, ...] | None = Field(
        None,
        min_length=1,
        description="labels at or above one count as pain; null: usual ones, of PSPI 1, 2 and 3",
    )
    groups: tuple[str, ...] = Field(
        ("sex", "age_group"),
        description="groups of people to compare: sex, age_group, or columns of the manifest",
    )
    coverage: float = Field(
        0.9,
        gt=0.5,
        lt=1.0,
        description="coverage asked of the prediction intervals, mean over held-out people",
    )
    abstention: float = Field(
        0.005,
        gt=0.0,
        lt=0.5,
        description="share of held-out frames that each reason to abstain may take",
    )
    neutral: tuple[Annotated[str, Field(pattern=NEUTRAL)], ...] = Field(
        ("median", "first:50"),
        description="own neutral levels by which scores are also evaluated: median, first:N",
    )


class Report(Block):
    """The page that shows it all."""

    title: str = Field("Pain assessment from faces", description="heading of the page")
    examples: int = Field(12, ge=1, le=200, description="pictures shown of each kind")
    subject_names: bool = Field(
        False, description="show the subjects' names; otherwise they are numbered S1, S2, ..."
    )
