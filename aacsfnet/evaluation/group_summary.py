"""Who belongs to which group, and the groups' figures as they stand in `metrics.json`."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import polars as pl

from aacsfnet.datasets import Dataset
from aacsfnet.datasets.base import GROUPS
from aacsfnet.datasets.numerals import plain_number
from aacsfnet.evaluation import statistics
from aacsfnet.evaluation.statistics import Sums
from aacsfnet.evaluation.subgroups import FEW, LEAST, gaps, group_draws, members
from aacsfnet.evaluation.summaries import Summary, entries, sums_by_seed
from aacsfnet.labels import Label
from aacsfnet.seeds import seed_of

#: A column of numbers with more values than this is cut into thirds of the people.
_MOST_NUMBERS = 5

#: By column, what the rows of each subject say.
Words = Mapping[str, Mapping[str, Collection[str]]]


def words_of(index: pl.DataFrame, dataset: Dataset, columns: Sequence[str]) -> Words:
    """Return what is said of each subject in the columns, from the index or the data set itself.

    Raises:
        SettingsError: neither has such a column.
    """
    said: dict[str, dict[str, Collection[str]]] = {}
    for name in columns:
        if name in GROUPS:
            found = index.group_by("subject").agg(pl.col(name).unique()).sort("subject")
            said[name] = {subject: set(words) for subject, words in found.iter_rows()}
    further = [name for name in columns if name not in GROUPS]
    return said | dict(dataset.people(further)) if further else said


def grouped(words: Mapping[str, Collection[str]]) -> tuple[dict[str, str], int]:
    """Return each subject's group, "" where it is unknown, and how many are said to be of several.

    Numbers of many values are cut into thirds of the people.

    >>> grouped({"a": {"f", ""}, "b": {"m"}, "c": {"f", "m"}, "d": {""}})
    ({'a': 'f', 'b': 'm', 'c': '', 'd': ''}, 1)
    >>> grouped({name: {str(20 + number)} for number, name in enumerate("abcdef")})[0]["a"]
    '20 to 21'
    """
    said = {subject: sorted(set(texts) - {""}) for subject, texts in words.items()}
    several = sum(len(texts) > 1 for texts in said.values())
    groups = {subject: texts[0] if len(texts) == 1 else "" for subject, texts in said.items()}
    numbers = {subject: plain_number(text) for subject, text in groups.items() if text}
    values = sorted(number for number in numbers.values() if number is not None)
    if len(values) < len(numbers) or len(set(values)) <= _MOST_NUMBERS:
        return groups, several
    borders = np.quantile(values, [1 / 3, 2 / 3])
    third = {subject: int(np.searchsorted(borders, number)) for subject, number in numbers.items()}  # type: ignore[arg-type]
    names = {}
    for part in set(third.values()):
        inside = [numbers[subject] for subject in third if third[subject] == part]
        names[part] = f"{min(inside):g} to {max(inside):g}"  # type: ignore[type-var]
    return {s: names[third[s]] if s in third else "" for s in groups}, several


def group_summary(
    rows: pl.DataFrame, label: Label, words: Words, resamples: int, confidence: float
) -> Summary:
    """Return each group's figures and the largest gaps between groups.

    Args:
        rows: predictions, clipped, with one row a seed and frame.
        label: the label's name, range and meaning.
        words: from `words_of`.
        resamples: of people, and how often they are dealt anew.
        confidence: of the intervals; those of the gaps hold all together.
    """
    sums = sums_by_seed(rows, label)
    subjects = rows["subject"].unique().sort().to_list()
    columns, groups = {}, {}
    for name, said in words.items():
        of_all, several = grouped({subject: said.get(subject, ()) for subject in subjects})
        columns[name] = [of_all[subject] for subject in subjects]
        groups[name] = {
            "unknown_subjects": columns[name].count(""),
            "ambiguous_subjects": several,
            "groups": [
                _figures(sums, np.array([g == group for g in columns[name]]), resamples, confidence)
                | {"group": group}
                for group in sorted(set(columns[name]) - {""})
            ],
        }
    found = gaps(sums, columns, resamples, confidence) if columns else []
    return {
        "few": FEW,
        "least": LEAST,
        "columns": groups,
        "gaps": [asdict(gap) | {"apart": gap.apart} for gap in found],
    }


def _figures(
    sums: Sequence[Sums], inside: np.ndarray, resamples: int, confidence: float
) -> Summary:
    mine = [members(one, inside) for one in sums]
    people = int(inside.sum())
    weights = statistics.resamples(people, resamples, seed_of("evaluate", "group"))
    draws = {
        "pooled": group_draws(mine, weights),
        "by_subject": statistics.subject_draws(mine, weights),
    }
    return {
        "subjects": people,
        "few": people < FEW,
        "frames": int(mine[0].totals[:, 0].sum()),
        **entries(draws, confidence, people),
    }
