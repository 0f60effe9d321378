"""A file of anybody's predictions, read: one row a frame, and what was guessed of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from aacsfnet.datasets.columns import words_of
from aacsfnet.datasets.fields import person_key, subject_of
from aacsfnet.datasets.numerals import is_missing
from aacsfnet.datasets.sheet import Sheet
from aacsfnet.errors import DataError
from aacsfnet.evaluation.file_audit.arrays import Lengths, Loose
from aacsfnet.evaluation.file_audit.reference import numbers, read_table, reference_of, with_truth
from aacsfnet.evaluation.file_audit.roles import SCALES, Roles, roles_of
from aacsfnet.labels import Label

_TRAINED = {"train", "training", "fit", "learn", "dev train"}
_SELECTED = {"val", "valid", "validation", "dev"}
_TESTED = {"test", "testing", "held out", "heldout", "holdout", "hold out", "evaluation", "eval"}
_YES = {"1", "1.0", "true", "yes", "y", "t", "synthetic", "generated", "fake", "augmented"}
#: Words by which a picture's name says that it was generated; ours carry `#` and a kind.
_GENERATED = re.compile(
    r"(?:^|[/_\-. ])(?:synth\w*|gen(?:erated)?|fake|aug(?:mented)?)(?=[/_\-. \d]|$)", re.I
)


@dataclass(frozen=True)
class Submission:
    """What a file says.

    Attributes:
        name: of the file.
        rows: `row` (where it stands in the file), `prediction` and `label` (null where it has no
            number), `subject`, `person` (the same for spellings of one name), `sequence`, `frame`,
            `position` (null where frames have no number), `role` (train, validation, test or ""),
            `fold`, `seed`, `synthetic`, `source`, `mean_label`, `reference` (what the label should
            be, null where nothing tells), `reference_blank` (there is such a column, and it is
            blank here), `tested` (whether the row is evaluated).
        label: its name and range.
        roles: which column is which.
        told: what was guessed, in words.
        loose: numbers that stand alone in a file of arrays.
        lengths: of arrays, where they differ.
        sheet: the file's table.
        absent: frames of the true labels that the file lacks, of the people whom it has.
    """

    name: str
    rows: pl.DataFrame
    label: Label
    roles: Roles
    told: Sequence[str]
    loose: Loose = field(default_factory=dict)
    lengths: Lengths = field(default_factory=dict)
    sheet: Sheet | None = None
    absent: Sequence[str] = ()

    def tested(self) -> pl.DataFrame:
        """Return the rows that figures are taken of."""
        return self.rows.filter("tested")

    def once(self) -> pl.DataFrame:
        """Return the rows of the first seed."""
        return self.rows.filter(pl.col("seed") == self.rows["seed"].min())


def read_submission(
    path: Path, given: Mapping[str, str], label: Label | None, truth: Path | None = None
) -> Submission:
    """Return what a file says.

    Args:
        path: of the file.
        given: by role, the column that the user names.
        label: its name and range; None: as the column's name or its values tell.
        truth: a table of the true labels by frame; None: there is none.

    Raises:
        DataError: the file cannot be read, or which column is which is not clear.
        SettingsError: the user names a role or a column that there is not.
    """
    sheet, loose, lengths = read_table(path)
    if not sheet.numbers:
        raise DataError(f"{path.name}: holds no row")
    roles = roles_of(list(sheet.columns), given)
    told = [*sheet.remarks, *roles.told]
    count = len(sheet.numbers)
    texts = {
        role: sheet.columns[column] if (column := roles.get(role)) else [""] * count
        for role in (
            *("subject", "sequence", "frame", "split", "fold", "seed", "synthetic", "source"),
            "kind",
        )
    }
    found = {
        role: numbers(sheet, roles.get(role)) for role in ("prediction", "label", "mean_label")
    }
    for role in ("prediction", "label"):
        if all(value is None for value in found[role]):
            raise DataError(
                f"{path.name}: the {role} column {roles.get(role)!r} holds no number; say which"
                f" column it is with --column {role}=NAME"
            )
    frames = [text if text else "" for text in texts["frame"]]
    subjects = [subject_of(text) for text in texts["subject"]]
    if not roles.get("subject") and all(frame.count("/") >= 2 for frame in frames):
        subjects = [frame.split("/")[0] for frame in frames]
        told.append("subject: what stands before the first / of the frame")
    reference, blank, why = reference_of(sheet, roles)
    told += why
    rows = pl.DataFrame(
        {
            "row": sheet.numbers,
            **found,
            "subject": subjects,
            "person": [person_key(name) if name else "" for name in subjects],
            "sequence": _sequences(texts["sequence"], frames),
            "frame": frames,
            "position": [_position(frame) for frame in frames],
            "role": [_role(text) for text in texts["split"]],
            "fold": texts["fold"],
            "seed": texts["seed"],
            "synthetic": [
                flag.lower() in _YES or bool(kind and not is_missing(kind)) or _is_generated(frame)
                for flag, kind, frame in zip(texts["synthetic"], texts["kind"], frames, strict=True)
            ],
            "source": texts["source"],
            "reference": reference,
            "reference_blank": blank,
        },
        schema_overrides=dict.fromkeys((*found, "reference", "position"), pl.Float64),
    )
    rows, more = _with_sequences(rows, bool(roles.get("sequence")))
    told += more
    absent: list[str] = []
    if truth is not None:
        rows, absent = with_truth(rows, truth)
    tested = _tested(rows)
    rows = rows.with_columns(tested=tested)
    known = label or _label_of(roles, rows)
    if label is None:
        told.append(f"scale: {known.name} {known.low:g}–{known.high:g}; {known.meaning}")
    return Submission(path.name, rows, known, roles, told, loose, lengths, sheet, absent)


def _role(text: str) -> str:
    word = words_of(text)
    if word in _TRAINED:
        return "train"
    if word in _SELECTED:
        return "validation"
    return "test" if word in _TESTED else ""


def _is_generated(frame: str) -> bool:
    return "#" in frame or _GENERATED.search(frame) is not None


def _position(frame: str) -> float | None:
    """Return the number of a frame, the last in its name.

    >>> _position("s1/q1/0012.png"), _position("f7_facs.txt"), _position("12.0"), _position("x")
    (12.0, 7.0, 12.0, None)
    """
    name = re.sub(r"\.[A-Za-z]\w{1,4}$", "", frame)
    name = re.sub(r"(?<=\d)\.0+$", "", name)
    found = re.findall(r"\d+", name)
    return float(found[-1]) if found and len(found[-1]) < 16 else None


def _sequences(given: Sequence[str], frames: Sequence[str]) -> list[str]:
    """Return each row's sequence: as given, or the folder of its frame."""
    return [
        text or (frame.rpartition("/")[0] if "/" in frame else "")
        for text, frame in zip(given, frames, strict=True)
    ]


def _with_sequences(rows: pl.DataFrame, given: bool) -> tuple[pl.DataFrame, list[str]]:
    """Part the frames of a subject where their numbers start again, and say so."""
    if given or rows["position"].null_count() or (rows["sequence"] != "").any():
        return rows, []
    keys = ["seed", "role", "fold", "subject"]
    back = (pl.col("position").diff().over(keys) < 0).fill_null(False)
    # Doubled frames go back by a few; a new sequence goes back to its start.
    start = back & (pl.col("position") <= pl.col("position").min().over(keys) + 1)
    parted = rows.with_columns(sequence=start.cast(pl.Int64).cum_sum().over(keys).cast(pl.String))
    if parted["sequence"].n_unique() < 2:
        return rows, []
    return parted, ["sequence: a new one where frames are numbered from the start again"]


def _tested(rows: pl.DataFrame) -> pl.Series:
    """Return which rows figures are taken of: real ones with both values, the test's if told."""
    usable = pl.col("prediction").is_not_null() & pl.col("label").is_not_null()
    usable &= ~pl.col("synthetic")
    if (rows["role"] == "test").any():
        usable &= pl.col("role") == "test"
    return rows.select(usable.alias("tested")).to_series()


def _label_of(roles: Roles, rows: pl.DataFrame) -> Label:
    """Return the scale that the column's name tells, or the values."""
    for column in (roles.reference, roles.get("label")):
        words = words_of(column or "").split()
        for name, (low, high) in SCALES.items():
            if name in words:
                return Label(name, low, high, "as its column is called")
    values = rows["label"].drop_nulls().to_numpy()
    low, high = float(values.min()), float(values.max())
    whole = bool((values == np.round(values)).all())
    if low >= 0 and (5 if whole else 10) < high <= 16:
        return Label("pspi", 0.0, 16.0, f"guessed from labels of {low:g} to {high:g}")
    said = rows["prediction"].drop_nulls().to_numpy()
    low, high = min(0.0, low, float(said.min())), max(high, float(said.max()))
    return Label("label", low, high if high > low else low + 1, "unknown, so nothing is clipped")
