"""Scores relative to each person's own neutral level in a recording, without any label.

The level is known when the recording has been read, so its rows wait in a temporary file: memory
holds one number a face.
"""

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq

from aacsfnet.evaluation.neutral import Neutral
from aacsfnet.inference.table import Row, writing

_ROWS = 4096


def with_relative(rows: Iterable[Row], neutral: Neutral) -> Iterator[Row]:
    """Yield the rows of one recording, `relative` set where there is a score.

    Scores that were abstained on do not set a person's level where there are others.
    """
    scores: dict[int, array[float]] = {}
    trusted: dict[int, array[int]] = {}
    with TemporaryDirectory() as folder:
        waiting = Path(folder) / "rows.parquet"
        with writing(waiting) as writer:
            for row in rows:
                writer.write(row)
                if row.get("prediction") is not None:
                    scores.setdefault(row["face"], array("d")).append(row["prediction"])
                    trusted.setdefault(row["face"], array("b")).append(not row["abstained"])
        levels = {
            face: neutral.level(np.array(values), np.array(trusted[face], bool))
            for face, values in scores.items()
        }
        with pq.ParquetFile(waiting) as file:
            for batch in file.iter_batches(_ROWS):
                for row in batch.to_pylist():
                    if row["prediction"] is not None:
                        row["relative"] = row["prediction"] - levels[row["face"]]
                    yield row
