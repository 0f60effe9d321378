"""How far apart in time the frames of recordings lie that training takes for neighbours."""

import polars as pl


def spacing_of(frames: pl.DataFrame) -> float | None:
    """Return the median time from a frame to the next of its sequence, seconds; None if unknown.

    Args:
        frames: of the index, in its order: `subject`, `sequence` and `time_s`.

    >>> rows = {"subject": ["a"] * 4, "sequence": ["q"] * 4, "time_s": [0.0, 0.2, 0.4, None]}
    >>> spacing_of(pl.DataFrame(rows))
    0.2
    """
    step = pl.col("time_s").diff().over("subject", "sequence")
    steps = frames.select(step.alias("step")).filter(pl.col("step") > 0)["step"]
    median = steps.median()
    return None if median is None else round(float(median), 6)  # type: ignore[arg-type]
