"""What is wrong with an experiment's predictions and figures."""

from collections.abc import Iterator

import polars as pl

from aacsfnet import tables
from aacsfnet.cohort.selection import has_label
from aacsfnet.evaluation.audit.discrepancy import Discrepancy, name_of, some
from aacsfnet.evaluation.audit.people import pool_people
from aacsfnet.evaluation.results import Results


def look_at_experiment(
    results: Results, name: str, seeds: tuple[int, ...], given: bool
) -> Iterator[Discrepancy]:
    """Yield what is wrong with an experiment: each test frame is predicted once by each seed.

    Everybody outside the pool is tested by one fold, or, where the split is given, those whom it
    marks.
    """
    where = name_of(results, results.layout.experiment(name).folder)
    merged = results.layout.merged(results.layout.scope(name, "merge"))
    predictions, metrics = results.predictions(name), results.metrics(name)
    if predictions is None or metrics is None:
        yield Discrepancy(where, "has no predictions or no metrics; run evaluate")
        return
    if not merged.folder.is_dir():
        return
    index = tables.read(merged.index)
    splits = tables.read(merged.splits).filter(pl.col("role") == "test")
    tested = dict(zip(splits["subject"], splits["fold"], strict=True))
    expected = index.filter(
        has_label() & ~pl.col("synthetic") & ~pl.col("subject").is_in(pool_people(results))
    )
    if given:
        expected = expected.filter(pl.col("subject").is_in(list(tested)))
    if sorted(predictions["seed"].unique()) != sorted(seeds):
        got = ", ".join(map(str, predictions["seed"].unique().sort()))
        yield Discrepancy(where, f"predictions of seeds {got}; the settings ask for {seeds}")
    for (seed,), part in predictions.group_by("seed", maintain_order=True):
        twice = part.filter(pl.col("frame_id").is_duplicated())["frame_id"].unique().sort()
        if len(twice):
            yield Discrepancy(where, f"seed {seed} predicts frames twice: {some(twice)}")
        for words, one, other in (("lacks", expected, part), ("adds", part, expected)):
            differing = one.join(other, on="frame_id", how="anti")["frame_id"].sort()
            if len(differing):
                yield Discrepancy(where, f"seed {seed} {words} frames: {some(differing)}")
    leaked = predictions.filter(
        pl.col("fold")
        != pl.col("subject").replace_strict(tested, default=-1, return_dtype=pl.Int64)
    )
    if len(leaked):
        names = leaked["subject"].unique().sort().to_list()
        yield Discrepancy(
            where, f"subjects predicted by a fold that trained on them: {some(names)}"
        )
    altered = predictions.join(results.index, on="frame_id", suffix="_index").filter(
        (pl.col("label") != pl.col("label_index")) | (pl.col("subject") != pl.col("subject_index"))
    )
    if len(altered):
        frames = altered["frame_id"].unique().sort().to_list()
        yield Discrepancy(where, f"another label or subject than in the index: {some(frames)}")
    counts = (predictions["frame_id"].n_unique(), predictions["subject"].n_unique())
    if (metrics.get("frames"), metrics.get("subjects")) != counts:
        got = f"{metrics.get('frames')} frames of {metrics.get('subjects')} subjects"
        yield Discrepancy(where, f"metrics.json: {got}; predictions: {counts[0]} of {counts[1]}")
