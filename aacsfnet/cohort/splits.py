"""Who is held out when: folds of whole subjects, balanced by pain, or as the data set says."""

import unicodedata
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

#: The word there, also in small letters, for people who only ever train: another data set's, say.
POOL = "pool"


def spelling(subject: str) -> str:
    """Return what names have in common that differ in case, blanks or Unicode form only.

    >>> spelling(" Anna  B")
    'anna b'
    """
    return " ".join(unicodedata.normalize("NFKC", subject).casefold().split())


def pool_of(words: Mapping[str, Collection[str]]) -> set[str]:
    """Return the subjects of the pool: they train in every fold, and nobody tests or validates.

    Args:
        words: what the rows of each subject say of its split, see `given_roles`.

    Raises:
        DataError: some rows of a subject say something else, or a name outside the pool is spelled
            almost alike: that person would be trained on and tested.

    >>> sorted(pool_of({"anna": {"train"}, "r1": {"pool"}, "r2": {"Pool "}}))
    ['r1', 'r2']
    """
    said = {who: {word.strip().lower() for word in found} for who, found in words.items() if who}
    pool = {who for who, found in said.items() if POOL in found}
    others = {spelling(who): who for who in said.keys() - pool}
    for who in sorted(pool):
        if more := sorted(said[who] - {POOL}):
            raise DataError(
                f"subject {who!r} is in the pool, but some of its rows say"
                f" {repr(more[0][:40]) if more[0] else 'nothing'}; that person would leak: give"
                " each subject one split"
            )
        if twin := others.get(spelling(who)):
            raise DataError(
                f"subject {who!r} of the pool and subject {twin!r} differ in case or blanks only;"
                " if they are one person, that person would leak: give them one name and one split"
            )
    return pool


def in_pool() -> pl.Expr:
    """Return whether a row of the index says that it is of the pool."""
    return pl.col("split").fill_null("").str.strip_chars().str.to_lowercase() == POOL


def fold_count(
    folds: Folds, subjects: int, validation_subjects: int, with_pool: bool = False
) -> int:
    """Return how many folds there are.

    >>> fold_count("loso", 25, 2), fold_count("given", 25, 2)
    (25, 1)

    Args:
        folds: `merge.folds`.
        subjects: how many there are outside the pool: only they are held out.
        validation_subjects: of each fold.
        with_pool: whether there is a pool, which is enough to train on.

    Raises:
        SettingsError: the subjects are too few for the folds and the validation subjects.
    """
    if folds == "given":
        return 1
    count = subjects if folds == "loso" else folds
    if not 2 <= count <= subjects:
        raise SettingsError(
            f"merge.folds = {folds!r}: expected 2 to {subjects}, the number of subjects that can"
            " be held out, loso or given"
        )
    if subjects - -(-subjects // count) - validation_subjects < (0 if with_pool else 1):
        raise SettingsError(
            f"merge.validation_subjects = {validation_subjects}: {subjects} subjects in {count}"
            " folds leave none to train on; lower it or raise merge.folds"
        )
    return count


def given_roles(
    words: Mapping[str, Collection[str]], validation_subjects: int = 0
) -> dict[str, str]:
    """Return each subject's role as the data set's column `split` says; the pool's is to train.

    Args:
        words: what the rows of each subject say; "" for a row that says nothing. The subject ""
            (rows without one, which nobody uses) has no role.
        validation_subjects: how many are drawn from those for training where nobody is marked;
            the pool gives none.

    Raises:
        DataError: a subject has no role or several, nobody is to be tested or trained on.

    >>> given_roles({"anna": {"train"}, "ben": {"Test"}, "eva": {"val"}})
    {'anna': 'train', 'ben': 'test', 'eva': 'validation'}
    """
    fix = "; with merge.folds: given, each row's split is train, validation, test or pool"
    pool = pool_of(words)
    roles: dict[str, str] = {}
    for subject, said in sorted(words.items()):
        if not subject or subject in pool:
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
    drawn = 0 if counts["validation"] else validation_subjects
    needed = drawn if pool else drawn + 1
    if counts["train"] < needed:
        also = f", {drawn} of them to validate on" if drawn else ""
        raise DataError(
            f"the split marks {counts['train']} subjects for training; expected at least"
            f" {needed}{also} (merge.validation_subjects)"
        )
    return roles | dict.fromkeys(pool, "train")


def split(
    subjects: Sequence[str],
    labels: Sequence[np.ndarray],
    folds: Folds,
    validation_subjects: int,
    seed: int,
    given: Mapping[str, Collection[str]] | None = None,
) -> pl.DataFrame:
    """Return each subject's role in each fold.

    Subjects of the pool train in every fold; all others are tested in exactly one. Test folds
    differ by one subject at most and share the pain out evenly; the inner validation subjects of a
    fold are those, among seeded draws from its other subjects, whose labels are most like those of
    all its other subjects. Subjects without a picture are dealt last and validate nothing, so that
    each fold has somebody to test as long as there are enough of the others.

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
    pool = pool_of(given or {})
    order = [i for i in np.argsort(np.asarray(subjects, dtype=str)) if subjects[i] not in pool]
    names = [subjects[i] for i in order]
    values = [np.asarray(labels[i], dtype=float) for i in order]
    random = np.random.default_rng(seed)
    trains = sorted(pool & set(subjects))
    if folds == "given":
        words = given_roles(given or {}, validation_subjects)
        own = _given(names, values, words, validation_subjects, random)
        return _table(own + [(0, name, "train") for name in trains])
    count = fold_count(folds, len(names), validation_subjects, bool(pool))
    test_fold = _deal(values, count, random)
    sums = _sums(values)
    dealt = np.full((count, len(names) + len(trains)), ROLES.index("train"))
    for fold in range(count):
        validation = _validation(
            sums, np.flatnonzero(test_fold != fold), validation_subjects, random
        )
        dealt[fold, np.flatnonzero(test_fold == fold)] = ROLES.index("test")
        dealt[fold, validation] = ROLES.index("validation")
    everybody = names + trains
    return pl.DataFrame(
        {
            "fold": np.repeat(np.arange(count, dtype=np.int32), len(everybody)),
            "subject": pl.Series(everybody, dtype=pl.String)[
                np.tile(np.arange(len(everybody)), count)
            ],
            "role": pl.Series(ROLES, dtype=pl.String)[dealt.ravel()],
        }
    )


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
) -> list[tuple[int, str, str]]:
    """Return one fold; where nobody is marked for validation, training subjects are drawn."""
    if "validation" not in roles.values():
        training = [i for i, name in enumerate(names) if roles.get(name) == "train"]
        drawn = _validation(_sums(values), np.array(training), validation_subjects, random)
        roles = roles | {names[i]: "validation" for i in drawn}
    return [(0, name, roles[name]) for name in names if name in roles]


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


def _sums(values: list[np.ndarray]) -> np.ndarray:
    """Return of each subject how many labels there are, their sum and that of their squares."""
    return np.array([(len(each), each.sum(), (each**2).sum()) for each in values]).reshape(-1, 3)


def _validation(
    sums: np.ndarray, rest: np.ndarray, count: int, random: np.random.Generator
) -> list[int]:
    """Return the validation subjects among `rest`: the best of seeded draws.

    Those without a picture validate nothing, and are drawn only where others are too few. Sums tell
    how labels are spread, so that a fold costs no more the more frames there are.

    Args:
        sums: of all subjects, see `_sums`.
        rest: numbers of those who may be drawn.
        count: how many are.
        random: draws them.
    """
    useful = rest[sums[rest, 0] > 0]
    rest = useful if len(useful) > count else rest

    def summary(members: np.ndarray) -> np.ndarray:
        """Return mean and deviation `(..., 2)` of the labels of subjects `(..., n)`."""
        number, total, squares = np.moveaxis(sums[members].sum(axis=-2), -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / number
            spread = np.sqrt(np.maximum(squares / number - mean**2, 0.0))
        return np.where(number[..., None] > 0, np.stack([mean, spread], axis=-1), np.inf)

    target = summary(rest)
    draws = np.array([random.choice(rest, size=count, replace=False) for _ in range(64)])
    if not np.isfinite(target).all():
        return [int(i) for i in draws[0]]
    distances = np.abs(summary(draws) - target).sum(axis=1)
    return [int(i) for i in draws[int(np.argmin(distances))]]
