"""The blocks `evaluate` and `report`."""

from pydantic import Field

from aacsfnet.config.block import Block


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


class Report(Block):
    """The page that shows it all."""

    title: str = Field("Pain assessment from faces", description="heading of the page")
    examples: int = Field(12, ge=1, le=200, description="pictures shown of each kind")
    subject_names: bool = Field(
        False, description="show the subjects' names; otherwise they are numbered S1, S2, ..."
    )
