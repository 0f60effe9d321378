"""Who is held out when: folds of whole subjects, balanced by pain."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import polars as pl

from aacsfnet.errors import SettingsError

ROLES = ("train", "validation", "test")


def fold_count(folds: int | Literal["loso"], subjects: int) -> int:
    """Return how many folds there are.

    >>> fold_count("loso", 25)
    25

    Raises:
        SettingsError: more folds than subjects.
    """
    count = subjects if folds == "loso" else folds
    if not 2 <= count <= subjects:
        raise SettingsError(
            f"merge.folds = {folds!r}: expected 2 to {subjects}, the number of subjects, or loso"
        )
    return count


def split(
    subjects: Sequence[str],
    labels: Sequence[np.ndarray],
    folds: int | Literal["loso"],
    validation_subjects: int,
    seed: int,
) -> pl.DataFrame:
    """Return each subject's role in each fold.

    Every subject is tested in exactly one fold. Test folds differ by one subject at most and share
    the pain out evenly; the inner validation subjects of a fold are those, among seeded draws from
    its other subjects, whose labels are most like those of all its other subjects.

    Args:
        subjects: distinct names.
        labels: of each subject's real pictures; may be empty for a subject without any.
        folds: number of folds, or "loso" to hold out one subject at a time.
        validation_subjects: how many subjects of each fold choose the model.
        seed: of ties and draws; the order of `subjects` does not matter.

    Returns:
        columns `fold`, `subject`, `role` (one of `ROLES`); one row a fold and subject.

    Raises:
        SettingsError: the subjects are too few for the folds and the validation subjects.
    """
    order = np.argsort(np.asarray(subjects, dtype=str))
    names = [subjects[i] for i in order]
    values = [np.asarray(labels[i], dtype=float) for i in order]
    count = fold_count(folds, len(names))
    largest_test = -(-len(names) // count)
    if len(names) - largest_test - validation_subjects < 1:
        raise SettingsError(
            f"merge.validation_subjects = {validation_subjects}: {len(names)} subjects in {count}"
            " folds leave none to train on; lower it or raise merge.folds"
        )
    random = np.random.default_rng(seed)
    test_fold = _deal(values, count, random)
    rows = []
    for fold in range(count):
        rest = [i for i in range(len(names)) if test_fold[i] != fold]
        validation = _validation(values, rest, validation_subjects, random)
        for i, name in enumerate(names):
            role = "test" if i not in rest else "validation" if i in validation else "train"
            rows.append((fold, name, role))
    return pl.DataFrame(
        rows, schema={"fold": pl.Int32, "subject": pl.String, "role": pl.String}, orient="row"
    )


def _deal(values: list[np.ndarray], folds: int, random: np.random.Generator) -> np.ndarray:
    """Return each subject's test fold: subjects in order of pain, each to the lightest fold."""
    lowest = min((each.min() for each in values if len(each)), default=0.0)
    pain = np.array([float((each - lowest).sum()) for each in values])
    shuffled = random.permutation(len(values))
    by_pain = shuffled[np.argsort(-pain[shuffled], kind="stable")]
    test_fold = np.empty(len(values), dtype=int)
    for start in range(0, len(values), folds):
        # One subject to each fold a round, so sizes differ by one at most.
        load = np.bincount(test_fold[by_pain[:start]], pain[by_pain[:start]], minlength=folds)
        lightest_first = np.argsort(load, kind="stable")
        block = by_pain[start : start + folds]
        test_fold[block] = lightest_first[: len(block)]
    return test_fold


def _validation(
    values: list[np.ndarray], rest: list[int], count: int, random: np.random.Generator
) -> set[int]:
    """Return the validation subjects among `rest`: the best of seeded draws."""

    def summary(members: Sequence[int]) -> np.ndarray:
        joined = np.concatenate([values[i] for i in members])
        return np.array([joined.mean(), joined.std()]) if len(joined) else np.array([np.inf] * 2)

    target = summary(rest)
    draws = [random.choice(rest, size=count, replace=False) for _ in range(64)]
    if not np.isfinite(target).all():
        return set(draws[0].tolist())
    distances = [float(np.abs(summary(list(draw)) - target).sum()) for draw in draws]
    return set(draws[int(np.argmin(distances))].tolist())
