"""What rows of a user's table say beside frame and file: many say the same, and it is held once."""

from collections.abc import Hashable
from typing import Any, NamedTuple

import polars as pl

from aacsfnet.datasets import fields
from aacsfnet.datasets.base import Label, index_table
from aacsfnet.datasets.claims import Claims
from aacsfnet.datasets.files import shorten
from aacsfnet.facs import ACTION_UNITS, pspi_if_known


class Shared(NamedTuple):
    """What index rows share that say the same but for frame and file."""

    place: int  # among the others, for the table
    values: dict[str, Any]
    wrong: str  # what is wrong with the label, "" if nothing is
    unlabelled: bool  # whether there is none on purpose


class SharedValues:
    """Finds out what rows of a table say, once for all that say the same.

    Args:
        claims: what the table says of whom.
        units: its columns of action units, by column.
        label: what its labels are.
    """

    def __init__(self, claims: Claims, units: dict[str, str], label: Label) -> None:
        self._claims, self._sheet = claims, claims.sheet
        self._units, self._label = units, label
        columns = self._sheet.columns
        names = ("label", "sex", "age_group", "split", *units)
        self._said = [claims.subjects, *(columns[name] for name in names if name in columns)]
        self._known: dict[Hashable, Shared] = {}

    def table(self) -> pl.DataFrame:
        """Return what was found out since the last call, by `place`, as an index without frames."""
        found, self._known = self._known, {}
        return index_table([each.values for each in found.values()])

    def of_row(self, i: int) -> Shared:
        """Return what all index rows of one row of the table share, and may share with others."""
        sequence = fields.sequence_of(self._sheet, i)
        key = (sequence, *(column[i] for column in self._said))
        if (known := self._known.get(key)) is None:
            values, wrong = self._values(i, sequence)
            lacks = self._claims.is_unlabelled(i)
            known = self._known[key] = Shared(len(self._known), values, wrong, lacks)
        return known

    def without_label(self, shared: Shared) -> Shared:
        """Return the same for a frame that no label holds for."""
        if (known := self._known.get(shared.place)) is None:
            nothing = {"label": None, "notes": []} | dict.fromkeys(ACTION_UNITS)
            values = shared.values | nothing
            known = shared._replace(place=len(self._known), values=values)
            self._known[shared.place] = known
        return known

    def _values(self, i: int, sequence: str) -> tuple[dict[str, Any], str]:
        """Return what a row of the table says beside frame and file; what is wrong with its label.

        All of it follows from `sequence` and the columns in `_said`.
        """
        sheet = self._sheet
        value, wrong = self._claims.label_of(i)
        units, notes = fields.action_units_of(sheet, i, self._units)
        pspi = pspi_if_known(units)
        if self._label.name == "pspi" and None not in (pspi, value) and pspi != value:
            notes = [*notes, f"pspi_differs: {value:g} as label, {pspi:g} from action units"]
        if sheet.comma_file and not wrong and "," in (text := sheet.columns["label"][i]):
            notes = [*notes, f"decimal_comma: {shorten(text, 40)} read as {value:g}"]
        return {
            "subject": self._claims.subjects[i],
            "sequence": sequence,
            "label": value,
            "sex": fields.sex_of(fields.text_of(sheet, "sex", i)),
            "age_group": fields.text_of(sheet, "age_group", i),
            "split": fields.text_of(sheet, "split", i),
            "notes": notes,
            **units,
        }, wrong
