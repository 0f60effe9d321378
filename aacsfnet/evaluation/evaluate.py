"""The stage `evaluate`: the predictions of an experiment's folds become its figures."""

import json
from pathlib import Path

from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.evaluation.held_out import calibrate, judged
from aacsfnet.evaluation.predictions import gather
from aacsfnet.evaluation.reliability_figures import (
    abstention_figures,
    interval_figures,
    relative_figures,
)
from aacsfnet.evaluation.summaries import summarise
from aacsfnet.files import digest_of, replacing
from aacsfnet.layout import Evaluated, Trained


def evaluate(config: Config, predictions: list[Path], output: Path) -> None:
    """Write `predictions.parquet`, `metrics.json` and `reliability.json` of one experiment.

    Args:
        config: blocks `dataset`, `index` and `evaluate`.
        predictions: the `predictions.parquet` of every fold and seed, each beside its network.
        output: the experiment's folder.

    Raises:
        DataError: a file cannot be used.
        LeakError: a subject is held out in more than one fold.
        WorkError: frames are predicted twice, or not by every seed.
    """
    settings = config.evaluate
    label = open_dataset(config).label
    asked, resampling = (
        (settings.coverage, settings.abstention),
        (settings.bootstrap, settings.confidence),
    )
    rows = judged(gather(predictions, label), label, *asked)
    networks = [Trained(path.parent).weights for path in predictions]
    reliability = calibrate(
        rows, label, *asked, networks=[digest_of(path) for path in networks if path.is_file()]
    )
    found = summarise(rows, label, *resampling) | {
        "intervals": interval_figures(rows, label, settings.coverage, *resampling),
        "abstention": abstention_figures(rows, label, settings.abstention, *resampling),
        "relative": relative_figures(rows, label, settings.neutral, *resampling),
    }
    with replacing(Evaluated(output).predictions) as temporary:
        rows.write_parquet(temporary)
    with replacing(Evaluated(output).reliability) as temporary:
        temporary.write_text(reliability.as_json(), encoding="utf-8")
    with replacing(Evaluated(output).metrics) as temporary:
        temporary.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
