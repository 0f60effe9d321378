"""Figures that are stated, in the file or beside it, against what the file gives."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.datasets.columns import words_of
from aacsfnet.datasets.fields import person_key
from aacsfnet.errors import SettingsError
from aacsfnet.evaluation import metrics
from aacsfnet.evaluation.file_audit.findings import Finding, some
from aacsfnet.evaluation.file_audit.submission import Submission
from aacsfnet.evaluation.statistics import Floats, expanded_tail

#: Names of measures in headers and claims.
_NAMES = {
    **{name: name for name in ("pcc", "icc", "ccc", "mae", "mse", "rmse")},
    **dict.fromkeys(("r", "pearson", "pearsonr", "pearson r", "corr", "correlation"), "pcc"),
}
_LOW = ("low", "lower", "ci low", "ci lower", "lo", "ci lo", "lcl")
_HIGH = ("high", "upper", "ci high", "ci upper", "hi", "ci hi", "ucl")
_BOTH = ("ci", "interval", "ci 95", "95 ci", "ci95")
#: By so much a stated figure may be rounded.
_ROUNDING = 0.006
_DRAWS = 400


@dataclass(frozen=True)
class Stated:
    """A stated figure: which measure, of whom ("" for all), its value and interval if any."""

    measure: str
    person: str
    value: float | None
    low: float | None = None
    high: float | None = None


def parse_claim(text: str) -> Stated:
    """Return a figure as the command line states it.

    >>> parse_claim("pcc=0.61,0.60,0.62")
    Stated(measure='pcc', person='', value=0.61, low=0.6, high=0.62)
    >>> parse_claim("pcc@s03=0").person
    's3'

    Raises:
        SettingsError: it cannot be read.
    """
    found = re.fullmatch(r"\s*([^=@]+?)\s*(?:@([^=]+))?=([^=]+)", text)
    measure = _NAMES.get(words_of(found[1])) if found else None
    parts = re.split(r"[,;:\s\[\]()]+", found[3].strip(" []()")) if found else []
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if found is None or measure is None or len(numbers) not in (1, 3):
        raise SettingsError(
            f"--claim {text!r}: expected a measure ({', '.join(sorted(set(_NAMES.values())))}) and"
            " its value, or value, low and high: pcc=0.61 or pcc=0.61,0.50,0.69; pcc@s03=0 for a"
            " person's own"
        )
    return Stated(measure, person_key(found[2].strip()) if found[2] else "", *numbers)


def stated_in(submission: Submission) -> list[Stated]:
    """Return the figures that columns or loose numbers of a file state."""
    found: dict[tuple[str, str], dict[str, float]] = {}
    for name, numbers in submission.loose.items():
        if known := _part(name):
            measure, part = known
            if part == "both" and len(numbers) == 2:
                found.setdefault((measure, ""), {}).update(low=numbers[0], high=numbers[1])
            elif part != "both" and len(numbers) == 1:
                found.setdefault((measure, ""), {})[part] = numbers[0]
    sheet = submission.sheet
    taken = set(submission.roles.columns.values())
    for name in sheet.columns if sheet else ():
        known = None if name in taken else _part(name)
        if sheet is None or known is None or known[1] == "both":
            continue
        measure, part = known
        values = [sheet.number(name, row) for row in range(len(sheet.numbers))]
        people = submission.rows["person"].to_list()
        of_person: dict[str, set[float]] = {}
        for person, value in zip(people, values, strict=True):
            if value is not None and np.isfinite(value):
                of_person.setdefault(person, set()).add(value)
        if any(len(each) > 1 for each in of_person.values()):
            continue  # a value a frame is no figure
        all_values = set().union(*of_person.values()) if of_person else set()
        if len(all_values) == 1 and (len(of_person) > 1 or len(set(people)) == 1):
            found.setdefault((measure, ""), {})[part] = all_values.pop()
        else:
            for person, each in of_person.items():
                found.setdefault((measure, person), {})[part] = each.pop()
    return [
        Stated(measure, person, parts.get("value"), parts.get("low"), parts.get("high"))
        for (measure, person), parts in found.items()
    ]


def _part(name: str) -> tuple[str, str] | None:
    words = words_of(name)
    for known, measure in _NAMES.items():
        if words == known:
            return measure, "value"
        if words.startswith(f"{known} "):
            rest = words.removeprefix(f"{known} ")
            for part, ends in (("low", _LOW), ("high", _HIGH), ("both", _BOTH)):
                if rest in ends:
                    return measure, part
    return None


def check_stated(
    submission: Submission, stated: Sequence[Stated], found: Mapping[str, Any], confidence: float
) -> Iterator[Finding]:
    """Yield figures that are stated where there are none, other ones, and intervals over frames.

    Args:
        submission: the file.
        stated: what it, or whoever sent it, states.
        found: its figures, as `metrics.json` holds them.
        confidence: of the stated intervals.
    """
    yield from _undefined(submission, stated, found)
    for one in stated:
        if one.person:
            continue
        ours = [found[view][one.measure] for view in ("pooled", "by_subject")] + [
            found["unclipped"][view][one.measure] for view in ("pooled", "by_subject")
        ]
        known = [entry["value"] for entry in ours if entry["value"] is not None]
        if one.value is not None and known:
            nearest = min(known, key=lambda value: abs(value - one.value))  # type: ignore[operator]
            if abs(nearest - one.value) > max(_ROUNDING, 0.01 * abs(nearest)):
                yield Finding(
                    "figure_differs",
                    f"{one.measure} is stated as {one.value:g}; the file gives"
                    f" {_either(found, one.measure)}",
                )
        if one.low is not None and one.high is not None:
            yield from _narrow(submission, one, found, confidence)


def _either(found: Mapping[str, Any], measure: str) -> str:
    pooled, people = (found[view][measure]["value"] for view in ("pooled", "by_subject"))
    words = [
        f"{value:.3f} {of}"
        for value, of in ((pooled, "over all frames"), (people, "averaged over people"))
        if value is not None
    ]
    return " and ".join(words)


def _undefined(
    submission: Submission, stated: Sequence[Stated], found: Mapping[str, Any]
) -> Iterator[Finding]:
    rows = submission.tested()
    constant = []
    for one in stated:
        if one.measure != "pcc" or one.value is None or not np.isfinite(one.value):
            continue
        if one.person:
            part = rows.filter(pl.col("person") == one.person)
            if len(part) and np.isnan(metrics.pcc(part["prediction"], part["label"])):
                constant.append(part["subject"][0])
        elif found["pooled"]["pcc"]["value"] is None:
            yield Finding(
                "undefined_pcc",
                f"a PCC of {one.value:g} is stated, but predictions or labels are constant",
            )
    if constant:
        yield Finding(
            "undefined_pcc",
            f"a PCC is stated for {len(constant)} people ({some(sorted(constant))}) whose labels or"
            " predictions are constant",
        )


def _narrow(
    submission: Submission, one: Stated, found: Mapping[str, Any], confidence: float
) -> Iterator[Finding]:
    """Yield an interval about as narrow as frames would give, if they were independent."""
    assert one.low is not None and one.high is not None  # noqa: PT018
    middle = (one.low + one.high) / 2 if one.value is None else one.value
    label, plain = submission.label, submission.tested()
    clipped = plain.with_columns(pl.col("prediction").clip(label.low, label.high))
    # Of clipped and unclipped scores, those that are meant.
    views = [(found["pooled"], clipped), (found["unclipped"]["pooled"], plain)]
    known = [
        (view[one.measure], rows) for view, rows in views if view[one.measure]["low"] is not None
    ]
    if not known:
        return
    ours, rows = min(known, key=lambda view: abs(view[0]["value"] - middle))
    low, high = frame_interval(rows, one.measure, confidence)
    stated, frames, people = one.high - one.low, high - low, ours["high"] - ours["low"]
    if frames > 0 and people > 1.6 * frames and 0 < stated < 1.25 * frames:
        yield Finding(
            "frames_bootstrapped",
            f"the stated interval of {one.measure}, {one.low:g} to {one.high:g}, is as narrow as"
            f" frames give that are resampled as if independent ({low:.3f} to {high:.3f}); people"
            f" give {ours['low']:.3f} to {ours['high']:.3f}",
        )


def frame_interval(rows: pl.DataFrame, measure: str, confidence: float) -> tuple[float, float]:
    """Return the interval that resampling single frames gives: too narrow, to be compared with."""
    predicted, label = rows["prediction"].to_numpy(), rows["label"].to_numpy()
    random = np.random.default_rng(1)
    function = getattr(metrics, measure)
    draws: Floats = np.array(
        [
            function(predicted[taken], label[taken])
            for taken in (random.integers(0, len(label), len(label)) for _ in range(_DRAWS))
        ]
    )
    draws = draws[np.isfinite(draws)]
    if not draws.size:
        return float("nan"), float("nan")
    tail = expanded_tail(confidence, len(label))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)
