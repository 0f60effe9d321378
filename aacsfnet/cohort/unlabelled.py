"""People of whom no frame has a label: nobody can test on them, so they belong to the pool."""

from collections.abc import Collection, Mapping

from aacsfnet.cohort.splits import pool_of
from aacsfnet.errors import DataError

_SHOWN = 3


def labelled_people(
    words: Mapping[str, Collection[str]], unlabelled: Collection[str]
) -> dict[str, Collection[str]]:
    """Return what is said of the split of those who can be trained on with a label, or tested.

    Args:
        words: what the rows of each subject say of its split, see `given_roles`.
        unlabelled: who has frames without a label, given on purpose, and none with one.

    Raises:
        DataError: one of these is not in the pool, or the pool is wrong (`pool_of`).

    >>> labelled_people({"anna": {""}, "u1": {"pool"}}, {"u1"})
    {'anna': {''}}
    """
    if lacking := sorted(set(unlabelled) - pool_of(words)):
        shown = ", ".join(repr(name[:40]) for name in lacking[:_SHOWN])
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        raise DataError(
            f"no row of subject {shown}{more} has a label, so no fold can test them; write pool in"
            " the column split of their rows, and they serve pretraining in every fold"
        )
    return {who: said for who, said in words.items() if who not in unlabelled}
