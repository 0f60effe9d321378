"""What an index, and the doctor, must say of the archive; and what they say otherwise."""

import re
from collections import Counter
from itertools import groupby
from typing import Any

import polars as pl

from aacsfnet.doctor import Finding
from aacsfnet.facs import ACTION_UNITS
from benchmarks.archive.oddities import Planted

#: Columns of the index that must be exact, compared value by value.
EXACT = (
    *("frame_id", "subject", "sequence", "position", "label", "status", "notes"),
    *("aff", "opr", "sen", "vas", *ACTION_UNITS),
)


def truth_of(planted: Planted) -> pl.DataFrame:
    """Return the rows that the index must have, in its order."""
    order = sorted(planted.rows, key=lambda f: (f.subject, f.sequence, f.name.lower(), f.copy))
    rows: list[dict[str, Any]] = []
    for _, frames in groupby(order, key=lambda frame: (frame.subject, frame.sequence)):
        for position, frame in enumerate(frames):
            rows.append(
                {
                    "frame_id": frame.place + (f"~{frame.copy}" if frame.copy > 1 else ""),
                    "subject": frame.subject,
                    "sequence": frame.sequence,
                    "position": position,
                    "label": frame.label,
                    "status": frame.status,
                    "cropped": frame.cropped,
                    "notes": sorted(frame.notes),
                    **{score: frame.scores.get(score) for score in ("aff", "opr", "sen", "vas")},
                    **{unit: frame.units.get(unit) for unit in ACTION_UNITS},
                }
            )
    return pl.DataFrame(rows, infer_schema_length=None)


def differences(truth: pl.DataFrame, index: pl.DataFrame) -> dict[str, Any]:
    """Return how many rows of an index differ from the truth, by column; {}: none."""
    names = [[text.partition(":")[0] for text in notes] for notes in index["notes"].to_list()]
    found = index.with_columns(
        notes=pl.Series([sorted(n) for n in names], dtype=pl.List(pl.String))
    )
    if len(found) != len(truth):
        return {"rows": {"expected": len(truth), "found": len(found)}}
    wrong = {}
    for column in EXACT:
        pairs = list(zip(truth[column].to_list(), found[column].to_list(), strict=True))
        differing = [(i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1]]
        if differing:
            first, (expected, got) = differing[0]
            wrong[column] = {
                "rows": len(differing),
                "first": truth["frame_id"][first],
                "expected": expected,
                "found": got,
            }
    return wrong


def misjudged(
    truth: pl.DataFrame, remarks: dict[str, int], findings: list[Finding]
) -> dict[str, Any]:
    """Return what the doctor miscounts: name -> expected and told; {}: nothing."""
    expected = Counter(truth["notes"].explode(empty_as_null=True).drop_nulls().to_list())
    statuses = {f"status {s}": n for s, n in Counter(truth["status"]).items() if s != "ok"}
    told: dict[str, int] = {}
    for finding in findings:
        if number := re.match(r"(\d+) frames(?: \(|:)", finding.message):
            told[finding.about] = int(number[1])
        elif number := re.match(r"(\d+) x (.+)", finding.message):
            told[number[2]] = int(number[1])
    wanted = {**expected, **statuses, **remarks}
    wrong: dict[str, Any] = {
        name: {"expected": wanted.get(name, 0), "found": told.get(name, 0)}
        for name in wanted.keys() | told.keys()
        if wanted.get(name, 0) != told.get(name, 0)
    }
    people = next(f.message for f in findings if "frames of" in f.message)
    usable = truth.filter(pl.col("status") == "ok")
    total = people.splitlines()[-1].split()[1:]
    # The doctor counts by the nearest level; Python's and its rounding of halves agree.
    levels = Counter(round(label) for label in usable["label"])
    counted = [len(truth), len(usable), *(levels[level] for level in sorted(levels))]
    if [int(number) for number in total] != counted:
        wrong["people"] = {"expected": counted, "found": total}
    return wrong
