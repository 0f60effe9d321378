"""The stage `evaluate`: the predictions of an experiment's folds become its figures."""

import json
from pathlib import Path

from aacsfnet import tables
from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.evaluation.geometry_baseline import geometry_predictions
from aacsfnet.evaluation.group_summary import words_hash, words_of
from aacsfnet.evaluation.held_out import calibrate, judged
from aacsfnet.evaluation.predictions import gather
from aacsfnet.evaluation.reliability_figures import reliability_figures
from aacsfnet.evaluation.review import review, with_geometry
from aacsfnet.evaluation.summaries import summarise
from aacsfnet.evaluation.thresholds import thresholds_of
from aacsfnet.files import digest_of, replacing
from aacsfnet.layout import Evaluated, Merged, Trained
from aacsfnet.made import hash_in, hash_of, made_from


def evaluate(
    config: Config,
    predictions: list[Path],
    output: Path,
    index: Path | None = None,
    merge: Path | None = None,
) -> None:
    """Write `predictions.parquet`, `metrics.json` and `reliability.json` of one experiment.

    Args:
        config: blocks `dataset`, `index` and `evaluate`.
        predictions: the `predictions.parquet` of every fold and seed, each beside its network.
        output: the experiment's folder.
        index: the index table, which knows people's sex and age; without it no groups are told.
        merge: the folder of the merged data, which holds the facial measures; without it there is
            no geometry baseline.

    Raises:
        DataError: a file cannot be used.
        LeakError: a subject is held out in more than one fold.
        SettingsError: a threshold lies outside the label's range, or there is no such group.
        WorkError: frames are predicted twice, or not by every seed.
    """
    dataset, settings = open_dataset(config), config.evaluate
    label, size = dataset.label, (settings.bootstrap, settings.confidence)
    thresholds = thresholds_of(label, settings.thresholds)
    asked = settings.coverage, settings.abstention
    rows = judged(gather(predictions, label), label, *asked)
    networks = [Trained(path.parent).weights for path in predictions]
    reliability = calibrate(
        rows, label, *asked, networks=[digest_of(path) for path in networks if path.is_file()]
    )
    words = None
    if index is not None:
        words = words_of(tables.read(index), dataset, settings.groups)
    found = summarise(rows, label, *size) | review(rows, label, *size, thresholds, words)
    found |= reliability_figures(rows, label, settings)
    if merge is not None:
        merged = Merged(merge)
        measured = tables.read(
            merged.index,
            ["frame_id", "subject", "label", "status", "synthetic", "pool", "row", "measures"],
        )
        geometry = geometry_predictions(measured, tables.read(merged.splits))
        found["baselines"]["geometry"] = with_geometry(rows, geometry, label, *size)
    # The model's own description stands beside its predictions.
    models = [Trained(file.parent).description for file in predictions]
    found["made_from"] = made_from(
        config,
        "evaluate",
        train=hash_of(sorted(map(hash_in, models))),
        groups=words_hash(dataset, settings.groups),
    )
    tables.write_rows(Evaluated(output).predictions, rows)
    with replacing(Evaluated(output).reliability) as temporary:
        temporary.write_text(reliability.as_json(), encoding="utf-8")
    with replacing(Evaluated(output).metrics) as temporary:
        temporary.write_text(json.dumps(found, indent=1, allow_nan=False) + "\n", encoding="utf-8")
