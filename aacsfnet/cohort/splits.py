"""Who is held out when: folds of whole subjects, balanced by pain, or as the data set says."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np
import polars as pl

from aacsfnet.errors import DataError, SettingsError

ROLES = ("train", "validation", "test")

#: What `merge.folds` can be.
Folds = int | Literal["loso", "given"]

#: Words for roles in a data set's column `split`, in small letters.
WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def fold_count(folds: Folds, subjects: int, validation_subjects: int) -> int:
    """Return how many folds there are.

    >>> fold_count("loso", 25, 2), fold_count("given", 25, 2)
    (25, 1)

    Raises:
        SettingsError: the subjects are too few for the folds and the validation subjects.
    """
    if folds == "given":
        return 1
    count = subjects if folds == "loso" else folds
    if not 2 <= count <= subjects:
        raise SettingsError(
            f"merge.folds = {folds!r}: expected 2 to {subjects}, the number of subjects, loso or"
            " given"
        )
    if subjects - -(-subjects // count) - validation_subjects < 1:
        raise SettingsError(
            f"merge.validation_subjects = {validation_subjects}: {subjects} subjects in {count}"
            " folds leave none to train on; lower it or raise merge.folds"
        )
    return count


def given_roles(
    words: Mapping[str, Collection[str]], validation_subjects: int = 0
) -> dict[str, str]:
    """Return each subject's role as the data set's column `split` says.

    Args:
        words: what the rows of each subject say; "" for a row that says nothing. The subject ""
            (rows without one, which nobody uses) has no role.
        validation_subjects: how many are drawn from those for training where nobody is marked.

    Raises:
        DataError: a subject has no role or several, nobody is to be tested or trained on.

    >>> given_roles({"anna": {"train"}, "ben": {"Test"}, "eva": {"val"}})
    {'anna': 'train', 'ben': 'test', 'eva': 'validation'}
    """
    fix = "; with merge.folds: given, each row's split is train, validation or test"
    roles: dict[str, str] = {}
    for subject, said in sorted(words.items()):
        if not subject:
            continue
        if unknown := sorted(word for word in said if word.strip().lower() not in WORDS):
            shown = repr(unknown[0][:40]) if unknown[0] else "nothing"
            raise DataError(f"subject {subject!r}: the split says {shown}{fix}")
        found = sorted({WORDS[word.strip().lower()] for word in said}, key=ROLES.index)
        if len(found) != 1:
            both = " and ".join(found) or "none"
            raise DataError(
                f"subject {subject!r} is in several splits: {both}; that person would leak: give"
                " each subject one"
            )
        roles[subject] = found[0]
    counts = {role: sum(each == role for each in roles.values()) for role in ROLES}
    if not counts["test"]:
        raise DataError(f"no subject's split is test{fix}")
    needed = 1 if counts["validation"] else 1 + validation_subjects
    if counts["train"] < needed:
        also = "" if counts["validation"] else f", {needed - 1} of them to validate on"
        raise DataError(
            f"the split marks {counts['train']} subjects for training; expected at least"
            f" {needed}{also} (merge.validation_subjects)"
        )
    return roles


def split(
    subjects: Sequence[str],
    labels: Sequence[np.ndarray],
    folds: Folds,
    validation_subjects: int,
    seed: int,
    given: Mapping[str, Collection[str]] | None = None,
) -> pl.DataFrame:
    """Return each subject's role in each fold.

    Every subject is tested in exactly one fold. Test folds differ by one subject at most and share
    the pain out evenly; the inner validation subjects of a fold are those, among seeded draws from
    its other subjects, whose labels are most like those of all its other subjects. Subjects
    without a picture are dealt last and validate nothing, so that each fold has somebody to test
    as long as there are enough of the others.

    With folds "given" there is one fold, and roles are as `given` says.

    Args:
        subjects: distinct names.
        labels: of each subject's real pictures; may be empty for a subject without any.
        folds: number of folds, "loso" to hold out one subject at a time, or "given".
        validation_subjects: how many subjects of each fold choose the model.
        seed: of ties and draws; the order of `subjects` does not matter.
        given: what the rows of each subject say of its split; see `given_roles`.

    Returns:
        columns `fold`, `subject`, `role` (one of `ROLES`); one row a fold and subject.

    Raises:
        DataError: the given split cannot be used.
        SettingsError: the subjects are too few for the folds and the validation subjects.
    """
    order = np.argsort(np.asarray(subjects, dtype=str))
    names = [subjects[i] for i in order]
    values = [np.asarray(labels[i], dtype=float) for i in order]
    random = np.random.default_rng(seed)
    if folds == "given":
        roles = given_roles(given or {}, validation_subjects)
        return _given(names, values, roles, validation_subjects, random)
    count = fold_count(folds, len(names), validation_subjects)
    test_fold = _deal(values, count, random)
    rows = []
    for fold in range(count):
        rest = [i for i in range(len(names)) if test_fold[i] != fold]
        validation = _validation(values, rest, validation_subjects, random)
        for i, name in enumerate(names):
            role = "test" if i not in rest else "validation" if i in validation else "train"
            rows.append((fold, name, role))
    return _table(rows)


def _table(rows: list[tuple[int, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        rows, schema={"fold": pl.Int32, "subject": pl.String, "role": pl.String}, orient="row"
    )


def _given(
    names: list[str],
    values: list[np.ndarray],
    roles: dict[str, str],
    validation_subjects: int,
    random: np.random.Generator,
) -> pl.DataFrame:
    """Return one fold; where nobody is marked for validation, training subjects are drawn."""
    if "validation" not in roles.values():
        training = [i for i, name in enumerate(names) if roles.get(name) == "train"]
        drawn = _validation(values, training, validation_subjects, random)
        roles = roles | {names[i]: "validation" for i in drawn}
    return _table([(0, name, roles[name]) for name in names if name in roles])


def _deal(values: list[np.ndarray], folds: int, random: np.random.Generator) -> np.ndarray:
    """Return each subject's test fold: subjects in order of pain, each to the lightest fold.

    Those without a picture come last.
    """
    lowest = min((each.min() for each in values if len(each)), default=0.0)
    pain = np.array([float((each - lowest).sum()) for each in values])
    shuffled = random.permutation(len(values))
    nothing = np.array([not len(each) for each in values])
    by_pain = shuffled[np.lexsort((-pain[shuffled], nothing[shuffled]))]
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
    """Return the validation subjects among `rest`: the best of seeded draws.

    Those without a picture validate nothing, and are drawn only where others are too few.
    """
    useful = [i for i in rest if len(values[i])]
    rest = useful if len(useful) > count else rest

    def summary(members: Sequence[int]) -> np.ndarray:
        joined = np.concatenate([values[i] for i in members])
        return np.array([joined.mean(), joined.std()]) if len(joined) else np.array([np.inf] * 2)

    target = summary(rest)
    draws = [random.choice(rest, size=count, replace=False) for _ in range(64)]
    if not np.isfinite(target).all():
        return set(draws[0].tolist())
    distances = [float(np.abs(summary(list(draw)) - target).sum()) for draw in draws]
    return set(draws[int(np.argmin(distances))].tolist())
