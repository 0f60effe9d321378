"""What a data set must offer: a fast scan of names, a truthful index, and its pictures."""

import hashlib
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from aacsfnet.datasets.files import DataFolder, State
from aacsfnet.datasets.packing import SHARED, shared_shards
from aacsfnet.errors import SettingsError
from aacsfnet.files import safe_name
from aacsfnet.labels import Label as Label
from aacsfnet.tables import LOOKED_AT, SCHEMAS, Fault

#: Names of the oddities in an index's `notes`: what was met, evened out, and left its row usable.
NOTES = {
    "animated": "an animated or many-paged file; its first picture counts",
    "exif_rotated": "turned or flipped as its EXIF orientation says",
    "sixteen_bit": "16 bits a channel, scaled to 8",
    "transparent": "laid over neutral grey",
    "palette": "palette colours, made RGB",
    "cmyk": "CMYK, made RGB without a colour profile",
    "grey": "grey, made RGB",
    "bad_action_unit": "an action unit that is not a number or outside its range; left unknown",
    "decimal_comma": "a label with a decimal comma in a table whose fields commas part",
    "label_held": "long after the last time of its video's labels; the last label was kept",
    "pspi_differs": "the label is not the PSPI of the row's action units; both follow",
    "no_label_file": "a picture without a label file",
    "bad_label_file": "a label file that is empty, or holds no number",
    "label_without_frame": "a label file without a picture",
    "no_facs_file": "no action units for the frame, where others have them",
    "facs_empty": "an empty FACS file: no action unit is present",
    "bad_facs": "a FACS file that cannot be read in whole; what is missing is unknown",
    "au43_without_intensity": "AU43 is listed without intensity and counts as 1",
    "other_action_unit": "an action unit beyond those that the index holds",
    "no_aam_file": "no AAM landmarks for the frame, where others have them",
    "bad_aam": "an AAM file that does not hold 66 points",
    "not_in_samples": "a clip that samples.csv does not list",
    "class_differs": "samples.csv gives another class than the clip's name; the name counts",
}


#: Groups of people that the index holds.
GROUPS = ("sex", "age_group")


class Told(NamedTuple):
    """Hashes of what a data set tells of one subject's frames, before any picture is opened.

    Attributes:
        frames: which frames there are, where, and which of them have no usable label.
        labels: the same, and their labels, action units, sex and age group.
        split: the same, and the split that they are of.
    """

    frames: str
    labels: str
    split: str


class Dataset(ABC):
    """One source of frames with labels."""

    label: Label
    folder: DataFolder  # of its files, where it has any
    _remarks: Mapping[str, int] = {}
    #: False where counting needs files to be opened (videos): `subjects` then plans, roughly.
    exact_scan: bool = True
    #: Stands for the files that were found to be no copies of another person's, by their names,
    #: sizes and times. `subjects` sets it, and opens none of them again where it finds it set.
    compared: str = ""

    def remarks(self) -> dict[str, int]:
        """Return oddities that belong to no single frame, in words, with how often each was met.

        Complete after `index`.
        """
        return dict(self._remarks)

    @abstractmethod
    def subjects(self) -> dict[str, int]:
        """Return how many frames each subject has, from names alone: no picture is opened."""

    def splits(self) -> dict[str, set[str]]:
        """Return what the rows of each subject say of its split; empty where none can say."""
        return {}

    def unlabelled(self) -> set[str]:
        """Return whom the data set gives frames without a label on purpose, and no labelled one."""
        return set()

    def people(self, names: Sequence[str]) -> dict[str, dict[str, set[str]]]:
        """Return by column what is said of each subject there, beyond what the index holds.

        Raises:
            SettingsError: there is no such column.
        """
        if names:
            raise SettingsError(
                f"evaluate.groups: {names[0]!r} is known of nobody in this data set; expected sex"
                " or age_group, or with dataset: manifest a column of your table"
            )
        return {}

    def sources(self) -> list[Path]:
        """Return the files whose change makes the index stale (a manifest, say)."""
        return []

    def told(self) -> dict[str, Told]:
        """Return what the data set tells of each subject; equal hashes mean equal index rows.

        Beside them count only the bytes of the subject's files: those of its frames and
        `label_files`.
        """
        return {subject: Told("", "", "") for subject in self.subjects()}

    def label_files(self) -> dict[str, list[str]]:
        """Return the files, relative to the data folder, that hold each subject's labels."""
        return {}

    def file_of(self, path: str) -> str:
        """Return the file of an index row's path, relative to the data folder; "" without one."""
        return path

    def states(self, files: Iterable[str]) -> dict[str, State]:
        """Return the state of each file that is there."""
        names = list(files)
        return self.folder.states(names) if names else {}

    @abstractmethod
    def index(self) -> pl.DataFrame:
        """Return one row a frame: the index table without its `shard` column."""

    def pictures(self, rows: pl.DataFrame) -> Iterator[np.ndarray | Fault]:
        """Yield the frame of each index row in order: `(H, W, 3)` uint8 RGB, or what is wrong.

        Rows of a status that is not of `LOOKED_AT` are not opened.
        """
        try:
            columns = rows.select("path", "time_s", "status", "reason")
            for path, time_s, status, reason in columns.iter_rows():
                usable = status in LOOKED_AT
                yield self.picture_at(path, time_s) if usable else Fault(status, reason)
        finally:
            self.close()

    @abstractmethod
    def picture(self, path: str) -> np.ndarray | Fault:
        """Return the frame at an index row's path, as `pictures` yields it."""

    def picture_at(self, path: str, time_s: float | None) -> np.ndarray | Fault:
        """Return the frame at an index row's path; of a video the one shown at its `time_s`."""
        del time_s  # most data sets hold no videos
        return self.picture(path)

    @staticmethod
    def verdict(fault: Fault | None, where: str = "") -> dict[str, str]:
        """Return the status of a row and its reason, which `where` goes before."""
        if fault is None:
            return {"status": "ok", "reason": ""}
        return {"status": fault.status, "reason": f"{where}{fault.reason}"}

    def close(self) -> None:  # noqa: B027 (most data sets keep no file open)
        """Let go of the file that the last `picture` came from."""


def index_table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as an index without its `shard`; what a row leaves out is "" or null."""
    schema = {name: kind for name, kind in SCHEMAS["index"].items() if name != "shard"}
    empty = {name: "" if kind == pl.String else None for name, kind in schema.items()}
    columns = {name: [row.get(name, empty[name]) for row in rows] for name in schema}
    return pl.DataFrame(columns, schema=schema)


def in_order(table: pl.DataFrame, places: pl.Series) -> pl.DataFrame:
    """Return the rows at places `(n,)`, one of each row, in their order.

    The table is emptied on the way, as two of a million rows would take much memory.
    """
    if places.is_sorted():
        return table
    columns = []
    for name in table.columns:
        values = table.drop_in_place(name)  # before its copy is there
        columns.append(values if values.null_count() == len(values) else values.gather(places))
    return pl.DataFrame(columns)


def check_label(value: float | None, label: Label) -> str:
    """Return what is wrong with a label's value, or "" when it lies in the range."""
    if value is None or math.isnan(value):
        return f"{label.name} is NaN or missing"
    if not label.low <= value <= label.high:
        return f"{label.name}={value:g} is outside {label.low:g}–{label.high:g}"
    return ""


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts numbers inside names by value: `f2` before `f10`.

    >>> sorted(["f10", "f2", "f02"], key=natural_key)
    ['f02', 'f2', 'f10']
    """
    parts = re.split(r"([0-9]+)", text)
    digits = [part.lstrip("0") for part in parts[1::2]]
    names = [(1, 0, part) for part in parts[0::2]]
    # Digits compare by length first: as numbers do, and without limit on how many there are.
    numbers = [(0, len(part), part) for part in digits]
    mixed = [key for pair in zip(names, numbers, strict=False) for key in pair] + names[-1:]
    return (*(key for key in mixed if key != (1, 0, "")), (-1, 0, text))


def frame_id(subject: str, sequence: str, frame: str) -> str:
    """Return `<subject>/<sequence>/<frame>`; what would be ambiguous there is percent-encoded.

    >>> frame_id("s1", "a", "0001")
    's1/a/0001'
    >>> frame_id("a/b", "..", "x#1")
    'a%2Fb/%2E%2E/x%231'
    """
    return "/".join(_quote(part) for part in (subject, sequence, frame))


@lru_cache(2**14)
def _quote(part: str) -> str:
    if part in ("", ".", ".."):
        return part.replace(".", "%2E") or "%"
    return re.sub(r"[%/\\#~\x00-\x1f\x7f]", lambda found: f"%{ord(found[0]):02X}", part)


def shard_prefix(subject: str) -> str:
    """Return a subject's name as a file name can hold it; distinct subjects stay distinct.

    No name is that of a shared shard.

    >>> shard_prefix("042-ll042")
    '042-ll042'
    >>> shard_prefix("../b").startswith("b-")
    True
    """
    plain = safe_name(subject)[:60]
    if plain == subject and not SHARED.fullmatch(subject):
        return subject
    return f"{plain}-{hashlib.sha256(subject.encode()).hexdigest()[:8]}".lstrip("-")


def shards_of(
    subjects: Mapping[str, int], shard_frames: int, packed_frames: int = 0
) -> dict[str, int]:
    """Return how many frames each shard holds, by shard name, in subject order.

    Args:
        subjects: how many frames each has.
        shard_frames: of a shard, at most.
        packed_frames: of a shard that several subjects share, at most.

    >>> shards_of({"a": 5, "b": 2}, 2)
    {'a.00': 2, 'a.01': 2, 'a.02': 1, 'b.00': 2}
    >>> shards_of({"a": 5, "b": 2, "c": 1}, 5, 5)
    {'a.00': 5, 'shared.00': 3}
    """
    found: dict[str, int] = {}
    dealt = shards_by_subject(subjects, shard_frames, packed_frames)
    for subject in sorted(subjects):
        for part, shard in enumerate(dealt[subject]):
            frames = min(shard_frames, subjects[subject] - part * shard_frames)
            found[shard] = found.get(shard, 0) + frames
    return found


def shards_by_subject(
    subjects: Mapping[str, int], shard_frames: int, packed_frames: int
) -> dict[str, list[str]]:
    """Return the names of each subject's shards; the arguments are those of `shards_of`."""
    shared = shared_shards(subjects, min(shard_frames, packed_frames))
    return {
        subject: [f"{shared[subject]}.00"]
        if subject in shared
        else shards_of_subject(subject, frames, shard_frames)
        for subject, frames in subjects.items()
    }


def shards_of_subject(subject: str, frames: int, shard_frames: int) -> list[str]:
    """Return the names of the shards of a subject who shares none."""
    parts = max(1, -(-frames // shard_frames))
    return [f"{shard_prefix(subject)}.{part:02d}" for part in range(parts)]
