"""The stage `evaluate`: the predictions of an experiment's folds become its figures."""

import json
from pathlib import Path

from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.evaluation.predictions import gather
from aacsfnet.evaluation.summaries import summarise
from aacsfnet.files import replacing
from aacsfnet.layout import Evaluated, Trained
from aacsfnet.made import hash_in, hash_of, made_from


def evaluate(config: Config, predictions: list[Path], output: Path) -> None:
    """Write `predictions.parquet` and `metrics.json` of one experiment.

    Args:
        config: blocks `dataset`, `index` and `evaluate`.
        predictions: the `predictions.parquet` of every fold and seed.
        output: the experiment's folder.

    Raises:
        DataError: a file cannot be used.
        LeakError: a subject is held out in more than one fold.
        WorkError: frames are predicted twice, or not by every seed.
    """
    label = open_dataset(config).label
    rows = gather(predictions, label)
    found = summarise(rows, label, config.evaluate.bootstrap, config.evaluate.confidence)
    # The model's own description stands beside its predictions.
    models = [Trained(file.parent).description for file in predictions]
    found["made_from"] = made_from(config, "evaluate", train=hash_of(sorted(map(hash_in, models))))
    with replacing(Evaluated(output).predictions) as temporary:
        rows.write_parquet(temporary)
    with replacing(Evaluated(output).metrics) as temporary:
        temporary.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
