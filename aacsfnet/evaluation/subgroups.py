"""Figures by group of people, and which gaps between groups are more than chance.

Each group's figures have intervals from resampling its own people. Gaps are another matter: of many
groups, columns and measures some pair always differs, so the intervals of gaps are simultaneous.
All of them together hold with the confidence asked for, and where groups mean nothing, an interval
that leaves out 0 anywhere is as rare as that.

Half an interval's width is the larger of two, each the quantile of the greatest of all gaps:

- of people dealt anew to the groups, which is exact where groups mean nothing, however few people
  there are (Westfall and Young, Resampling-Based Multiple Testing, 1993);
- of people resampled within their groups, which also holds where groups differ in spread, widened
  for few people as the other intervals are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import ndtri, stdtrit

from aacsfnet.evaluation import statistics
from aacsfnet.evaluation.statistics import Floats, Sums
from aacsfnet.seeds import seed_of

#: What gaps are looked for in; the bias is the mean error, prediction less label.
COMPARED = ("pcc", "icc", "ccc", "mae", "rmse", "bias")
#: A group with fewer people is not compared.
LEAST = 3
#: A group with fewer people is called small: its interval says little.
FEW = 10


@dataclass(frozen=True)
class Gap:
    """The largest gap of a measure between two groups of a column, with a simultaneous interval.

    Attributes:
        column: by which people are grouped.
        measure: one of `COMPARED`.
        first: the group with the larger value.
        second: the group with the smaller one.
        value: the first's measure less the second's.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    column: str
    measure: str
    first: str
    second: str
    value: float
    low: float
    high: float

    @property
    def apart(self) -> bool:
        """Return whether the interval leaves out 0."""
        return self.low > 0


def group_draws(seeds: Sequence[Sums], weights: Floats) -> dict[str, Floats]:
    """Return the measures of all frames together and their bias, for each row of weights."""
    found = statistics.pooled_draws(seeds, weights)
    biases = []
    for sums in seeds:
        frames, p, y = (weights @ sums.totals[:, :3]).T
        with np.errstate(divide="ignore", invalid="ignore"):
            biases.append((p - y) / frames + sums.centre[0] - sums.centre[1])
    return found | {"bias": np.mean(biases, axis=0)}


def members(sums: Sums, inside: np.ndarray) -> Sums:
    """Return the sums of some subjects only, `inside` `(subjects,)` flags."""
    return Sums(
        sums.totals[inside],
        sums.extremes[inside],
        sums.level_counts[inside],
        sums.level_errors[inside],
        sums.centre,
    )


def gaps(
    seeds: Sequence[Sums], columns: Mapping[str, Sequence[str]], resamples: int, confidence: float
) -> list[Gap]:
    """Return the largest gap of each column and measure, where groups can be compared.

    Args:
        seeds: each training seed's sums by subject.
        columns: by name, the group of each subject in the sums' order; "" where it is unknown.
        resamples: how many times people are dealt anew, and drawn.
        confidence: that all intervals together hold.
    """
    words = {name: np.array([*groups], dtype=object) for name, groups in columns.items()}
    pairs = [
        (name, *pair)
        for name, groups in words.items()
        for pair in combinations(
            [g for g in sorted(set(groups) - {""}) if (groups == g).sum() >= LEAST], 2
        )
    ]
    if not pairs:
        return []
    dealt = _differences(seeds, pairs, _dealt(words, pairs, resamples))
    drawn = _differences(seeds, pairs, _drawn(words, pairs, resamples))
    observed = dealt[0]  # (pairs, measures)
    widths = np.fmax(
        _half_widths(dealt[1:], confidence, np.zeros_like(observed)),
        _half_widths(drawn[1:], confidence, observed)
        * np.array([[_expansion(words, pair, confidence)] for pair in pairs]),
    )
    found = []
    for name in words:
        mine = [place for place, pair in enumerate(pairs) if pair[0] == name]
        for at, measure in enumerate(COMPARED):
            known = [p for p in mine if np.isfinite(observed[p, at]) and np.isfinite(widths[p, at])]
            if not known:
                continue
            # Of several pairs, that whose gap is largest against its own uncertainty.
            best = max(known, key=lambda p: abs(observed[p, at]) / max(widths[p, at], 1e-300))
            value, half = float(observed[best, at]), float(widths[best, at])
            _, first, second = pairs[best] if value >= 0 else (name, *pairs[best][:0:-1])
            found.append(
                Gap(name, measure, first, second, abs(value), abs(value) - half, abs(value) + half)
            )
    return found


_Pair = tuple[str, str, str]


def _dealt(
    words: Mapping[str, np.ndarray], pairs: Sequence[_Pair], resamples: int
) -> list[tuple[Floats, Floats]]:
    """Return weights of both groups of each pair: as they are, then with people dealt anew.

    People keep all columns together, so that columns that go together still do.
    """
    count = len(next(iter(words.values())))
    random = np.random.default_rng(seed_of("evaluate", "groups", "dealt"))
    orders = np.array([np.arange(count), *(random.permutation(count) for _ in range(resamples))])
    return [
        tuple((words[name] == group)[orders].astype(np.float64) for group in both)  # type: ignore[misc]
        for name, *both in pairs
    ]


def _drawn(
    words: Mapping[str, np.ndarray], pairs: Sequence[_Pair], resamples: int
) -> list[tuple[Floats, Floats]]:
    """Return weights of both groups of each pair, people drawn within each group."""
    known: dict[tuple[str, str], Floats] = {}
    for name, *both in pairs:
        for group in both:
            inside = np.flatnonzero(words[name] == group)
            weights = np.zeros((1 + resamples, len(words[name])))
            seed = seed_of("evaluate", "groups", name, group)
            weights[:, inside] = statistics.resamples(len(inside), resamples, seed)
            known[name, group] = weights
    return [(known[name, first], known[name, second]) for name, first, second in pairs]


def _differences(
    seeds: Sequence[Sums], pairs: Sequence[_Pair], weights: Sequence[tuple[Floats, Floats]]
) -> Floats:
    """Return the first group's measures less the second's, `(B, pairs, measures)`."""
    parts = []
    for _, (one, other) in zip(pairs, weights, strict=True):
        first, second = group_draws(seeds, one), group_draws(seeds, other)
        parts.append(np.stack([first[name] - second[name] for name in COMPARED], axis=1))
    return np.stack(parts, axis=1)


def _half_widths(differences: Floats, confidence: float, centre: Floats) -> Floats:
    """Return what every difference keeps within of its centre at once, `(pairs, measures)`.

    Each is measured in its own standard deviation, so that no measure's unit counts more.
    """
    apart = np.abs(differences - centre)
    defined = np.isfinite(apart).mean(axis=0) >= 0.5
    apart = np.where(np.isfinite(apart) & defined, apart, 0.0)
    spread = np.sqrt((apart**2).sum(axis=0) / np.maximum((apart > 0).sum(axis=0), 1))
    greatest = np.divide(apart, spread, out=np.zeros_like(apart), where=spread > 0).max(axis=(1, 2))
    # One more than there are is among those that the next one is as likely to be.
    share = min(1.0, confidence * (len(greatest) + 1) / len(greatest))
    limit = np.quantile(greatest, share, method="higher")
    return np.where(defined, limit * spread, np.nan)


def _expansion(words: Mapping[str, np.ndarray], pair: _Pair, confidence: float) -> float:
    """Return by how much a bootstrap's spread is too small for the smaller group of a pair."""
    name, *both = pair
    people = min(int((words[name] == group).sum()) for group in both)
    tail = (1 + confidence) / 2
    student = stdtrit(people - 1, tail) / ndtri(tail)
    return float(student * np.sqrt(people / (people - 1)))
