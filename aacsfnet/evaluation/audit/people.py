"""What is wrong with who people are: in the index, in the pool, in the folds."""

from collections.abc import Iterator

import polars as pl

from aacsfnet.cohort.splits import in_pool, pool_of
from aacsfnet.errors import DataError
from aacsfnet.evaluation.audit.discrepancy import Discrepancy, some
from aacsfnet.evaluation.results import Results


def look_at_index(results: Results) -> list[Discrepancy]:
    """Return what is wrong with the index: frames named twice, a pool that is none."""
    discrepancies = []
    twice = results.index.filter(pl.col("frame_id").is_duplicated())["frame_id"].unique().sort()
    if len(twice):
        words = f"frames stand twice: {some(twice)}"
        discrepancies.append(Discrepancy("index.parquet", words))
    said = results.index.group_by("subject").agg(pl.col("split").fill_null("").unique())
    try:
        pool_of(dict(said.iter_rows()))
    except DataError as error:
        discrepancies.append(Discrepancy("index.parquet", str(error)))
    return discrepancies


def pool_people(results: Results) -> list[str]:
    """Return whom any row of the index puts in the pool."""
    return results.index.filter(in_pool())["subject"].unique().sort().to_list()


def look_at_roles(
    where: str, results: Results, splits: pl.DataFrame, given: bool
) -> Iterator[Discrepancy]:
    """Yield subjects with two roles in a fold, without one, or not tested exactly once.

    A given split tests some of them only; the pool is never held out. Rows without a subject are
    nobody's.
    """
    twice = splits.filter(pl.struct("fold", "subject").is_duplicated())
    if len(twice):
        names = [f"{subject} in fold {fold}" for fold, subject, _ in twice.rows()]
        yield Discrepancy(where, f"subjects with several roles: {some(sorted(set(names)))}")
    subjects = set(results.index["subject"]) - {""}
    for (fold,), part in splits.group_by("fold", maintain_order=True):
        missing = sorted(subjects - set(part["subject"]))
        if missing:
            yield Discrepancy(where, f"fold {fold} gives no role to subjects: {some(missing)}")
    tested = splits.filter(pl.col("role") == "test").unique()["subject"].to_list()
    pool = set(pool_people(results))
    held_out = splits.filter(pl.col("subject").is_in(list(pool)) & (pl.col("role") != "train"))
    if len(held_out):
        names = held_out["subject"].unique().sort().to_list()
        yield Discrepancy(where, f"subjects of the pool held out: {some(names)}")
    allowed = (0, 1) if given else (1,)
    wrong = sorted(name for name in subjects - pool if tested.count(name) not in allowed)
    if wrong:
        yield Discrepancy(where, f"subjects not tested in exactly one fold: {some(wrong)}")
