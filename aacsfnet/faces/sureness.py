"""Which faces of a crop table are least sure, so that somebody looks at them."""

import polars as pl

from aacsfnet.tables import VISIBLE

#: How many of them are shown.
SHOWN = 12
#: Columns of the crop table that are read.
COLUMNS = ["frame_id", "status", "confidence", "presence", *VISIBLE]


def least_sure(crops: pl.DataFrame, count: int = SHOWN) -> pl.DataFrame:
    """Return the faces of which the networks are least sure, least sure first.

    What counts is the lowest of the detector's score (where the face was not followed), the mesh's
    score and the mean share of the regions that is seen.

    Args:
        crops: rows of crop tables with `COLUMNS`; only those that are "ok" count.
        count: at most so many.

    Returns:
        `COLUMNS`, `seen` (mean over the regions) and `sureness`.
    """
    seen = pl.mean_horizontal(*VISIBLE)
    return (
        crops.filter(pl.col("status") == "ok")
        .select(*COLUMNS, seen.alias("seen"))
        .with_columns(pl.min_horizontal("confidence", "presence", "seen").alias("sureness"))
        .sort("sureness", "frame_id", nulls_last=True)
        .head(count)
    )


def in_words(face: dict[str, object]) -> str:
    """Return the scores of a row of `least_sure`.

    >>> in_words({"confidence": 0.71, "presence": 0.99, "seen": 0.5})
    'detector 0.71, mesh 0.99, seen 0.50'
    >>> in_words({"confidence": None, "presence": 0.99, "seen": None})
    'mesh 0.99'
    """
    names = {"confidence": "detector", "presence": "mesh", "seen": "seen"}
    known = {name: face[name] for name in names if face[name] is not None}
    return ", ".join(f"{names[name]} {value:.2f}" for name, value in known.items())
