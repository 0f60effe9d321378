"""A user's own frames: a CSV, TSV or Parquet table of `path, subject, label` and more.

A row names a picture, or a frame of a video (with `frame`), or a stretch of a video (with `time`,
or `start` and `stop`), or a whole video (with neither). Rows that cannot be used keep their place
in the index with a status and a reason that names the table's row. What makes the whole table
useless (no label column, say), and what can be read two ways, raises.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from aacsfnet.config import Index
from aacsfnet.datasets import columns, fields
from aacsfnet.datasets.base import Dataset, Label, Told, in_order, natural_key
from aacsfnet.datasets.claims import Claims
from aacsfnet.datasets.containers import is_video
from aacsfnet.datasets.files import DataFolder, shorten
from aacsfnet.datasets.identical import same_bytes
from aacsfnet.datasets.manifest_rows import ManifestRows
from aacsfnet.datasets.numerals import is_missing
from aacsfnet.datasets.pictures import PictureReader
from aacsfnet.datasets.sheet import Sheet, read_sheet
from aacsfnet.datasets.told import is_told, told_by
from aacsfnet.datasets.videos import VideoReader, planned_frames
from aacsfnet.errors import DataError, SettingsError
from aacsfnet.tables import Fault

#: Rows of the index that are turned into a table together.
_TOGETHER = 16_384
#: Digits of a number that rows are sorted by as columns.
_DIGITS = 20
_LABEL_MEANING = "as the table's label column says"


class Manifest(Dataset):
    """Frames named in a table."""

    def __init__(self, index: Index) -> None:
        settings = index.manifest
        if settings.file is None:
            raise SettingsError(
                "index.manifest.file: not given; with dataset: manifest, name your CSV table here"
            )
        self.file = settings.file
        self.label = Label(settings.label, settings.label_low, settings.label_high, _LABEL_MEANING)
        self.folder = DataFolder(settings.root or settings.file.parent, index.further_roots)
        self.reader = PictureReader(self.folder, index.max_megapixels)
        self.videos = VideoReader(self.folder, index.max_megapixels)
        self.rate, self.seconds = index.videos.rate, index.videos.seconds
        self.pretrain = settings.unlabelled == "pretrain"

    def subjects(self) -> dict[str, int]:
        """Return the number of frames of each subject; of whole videos, as long as is typical.

        Raises:
            DataError: the table can be read two ways, or two people have files of the same bytes
                (the only files that are opened, see `compared`).
        """
        self.exact_scan = self._scan.exact
        return dict(self._scan.subjects)

    def splits(self) -> dict[str, set[str]]:
        """Return what the rows of each subject say in the column `split`."""
        return {subject: set(said) for subject, said in self._scan.splits.items()}

    def unlabelled(self) -> set[str]:
        """Return whom rows without a label name, given for pretraining, and no labelled one."""
        return set(self._scan.unlabelled)

    def people(self, names: Sequence[str]) -> dict[str, dict[str, set[str]]]:
        """Return by column of the table what the rows of each subject say; see `Dataset.people`."""
        if not names:
            return {}
        own_name = self.label.name.lower()
        asked = {name: " ".join(name.split()).lower() for name in names}
        sheet = self._sheet(lambda n: columns.is_needed(n, own_name) or n in asked.values())
        said: dict[str, dict[str, set[str]]] = {}
        for name, column in asked.items():
            if column not in sheet.columns:
                raise SettingsError(
                    f"evaluate.groups: {name!r} is no column of {self.file.name}; name one of its"
                    " columns, or take it out"
                )
            said[name] = {}
            for row, subject in enumerate(map(fields.subject_of, sheet.columns["subject"])):
                said[name].setdefault(subject, set()).add(fields.text_of(sheet, column, row))
        return said

    def told(self) -> dict[str, Told]:
        """Return hashes of what the table's rows say of each subject.

        The table is read again: a run that has no results yet does not ask.
        """
        return told_by(self._claims())

    def _claims(self) -> Claims:
        own_name = self.label.name.lower()
        sheet = self._sheet(lambda name: is_told(name, own_name))
        return Claims(sheet, self.label, self.pretrain)

    def file_of(self, path: str) -> str:
        """Return the picture's path, or the video's of a frame."""
        if "#" not in path:
            return path
        video, _, _ = path.rpartition("#")
        return video if is_video(video) else path

    @cached_property
    def _scan(self) -> "_Scan":
        claims = self._claims()
        for column in fields.action_unit_columns(claims.sheet):
            claims.sheet.numerals(column)
        self._refuse_same_bytes(claims)
        found = Counter(claims.subjects)
        if claims.timed:
            found = Counter(s for i, s in enumerate(claims.subjects) if i not in claims.timed)
        length = planned_frames(self.seconds, self.rate)
        for rows in claims.whole.values():
            for row in rows:
                found[claims.subjects[row]] += length - 1
        for track in claims.tracks.values():
            for subject in {claims.subjects[segment.row] for segment in track}:
                found[subject] += length
        said: dict[str, set[str]] = {subject: set() for subject in found}
        for subject, word in set(
            zip(claims.subjects, claims.sheet.columns.get("split", []), strict=False)
        ):
            said[subject].add("" if is_missing(word) else word)
        for words in said.values():
            words.update([] if words else [""])
        exact = not (claims.whole or claims.tracks)
        return _Scan(dict(found), exact, said, claims.unlabelled())

    def index(self) -> pl.DataFrame:
        """Return one row a frame, in order of subject, sequence and position."""
        return _numbered(pl.concat(self._parts()))

    def _parts(self) -> list[pl.DataFrame]:
        """Return the index rows as tables of some thousands; of a million, dicts take gigabytes."""
        sheet = self._sheet()
        self._remarks: dict[str, int] = dict(sheet.remarks)
        claims = Claims(sheet, self.label, self.pretrain)
        units = fields.action_unit_columns(sheet)
        used = fields.KNOWN_COLUMNS | units.keys() | {"", self.label.name.lower()}
        if claims.tracks:
            used |= set(claims.times.columns)
        for name in sorted(sheet.columns.keys() - used):
            self._remarks[f"column {shorten(name, 40)!r} that is not known, and not used"] = 1
        readers = self.folder, self.reader, self.videos
        made = ManifestRows(claims, units, self.label, readers, self.rate)
        tracks = dict(claims.tracks)
        parts: list[pl.DataFrame] = []
        for i in range(len(sheet.numbers)):
            video = claims.timed.get(i)
            if video is None:
                made.of_row(i)
            elif video in tracks:
                made.of_track(tracks.pop(video))
            if len(made) >= _TOGETHER:
                parts.append(made.table())
        self._remarks |= made.remarks
        return [*parts, made.table()]

    def sources(self) -> list[Path]:
        """Return the table itself."""
        return [self.file]

    def picture(self, path: str) -> np.ndarray | Fault:
        """Return the picture in a file, or a frame of a video."""
        return self.picture_at(path, None)

    def picture_at(self, path: str, time_s: float | None) -> np.ndarray | Fault:
        """Return the picture in a file, or the frame of a video that is shown at a time."""
        if self.file_of(path) != path:
            return self.videos.read(path, time_s)
        return self.reader.read(path)

    def close(self) -> None:
        """Close the video that was read last."""
        self.videos.close()

    def _sheet(self, wanted: Callable[[str], bool] | None = None) -> Sheet:
        """Return the table with its columns named `path`, `subject` and `label`.

        Raises:
            DataError: a column is missing, or two could be it, or there is no row.
        """
        sheet = read_sheet(self.file, wanted, columns.is_header, columns.path_place)
        columns.settle(sheet, self.label.name.lower())
        for needed in ("path", "subject", "label"):
            if needed not in sheet.columns:
                names = [*(sheet if wanted is None else read_sheet(self.file)).columns]
                raise DataError(f"{self.file}: {columns.lacking(needed, names)}")
        if not sheet.numbers:
            met = "".join(f"; {remark}: {count}" for remark, count in sheet.remarks.items())
            raise DataError(f"{self.file}: a header but no row; expected one row a frame{met}")
        return sheet

    def _refuse_same_bytes(self, claims: Claims) -> None:
        """Refuse two people's files that are copies of one.

        Raises:
            DataError: it names both rows.
        """
        if len({subject for subject in claims.subjects if subject}) < 2:
            return
        paths = [path.replace("\\", "/") for path in claims.sheet.columns["path"]]
        count, same, told = same_bytes(
            self.folder, paths, claims.subjects, self._is_usable, self.compared
        )
        if not count:
            self.compared = told
            return
        named = list(zip(paths, claims.subjects, strict=True))
        one, other = (named.index(each) for each in same)
        subjects = [repr(shorten(claims.subjects[row], 40)) for row in (one, other)]
        more = f" ({count} such pairs)" if count > 1 else ""
        raise DataError(
            f"{claims.sheet.both(one, other)}: {shorten(paths[one], 80)} and"
            f" {shorten(paths[other], 80)} hold the same bytes, under the subjects {subjects[0]}"
            f" and {subjects[1]}{more}; one person under two names leaks between folds: correct the"
            " table"
        )

    def _is_usable(self, path: str) -> bool:
        reader = self.videos.inspect if is_video(path) else self.reader.read
        return not isinstance(reader(path), Fault)


@dataclass(frozen=True)
class _Scan:
    """What a table plans, before any frame is read."""

    subjects: dict[str, int]
    exact: bool
    splits: dict[str, set[str]]
    unlabelled: set[str]


def _numbered(table: pl.DataFrame) -> pl.DataFrame:
    """Return sorted rows, each with its position in its sequence: by frame, numbers by value.

    The table is emptied on the way.
    """
    names = table.select("subject", "sequence", "frame_id").with_row_index("row")
    places = _by_numbers(names)
    if places is None:
        keys = [natural_key(name) for name in names["frame_id"]]
        rank = pl.Series("rank", sorted(range(len(keys)), key=keys.__getitem__), pl.UInt32)
        places = names[rank].sort("subject", "sequence", maintain_order=True)["row"]
    position = pl.int_range(pl.len(), dtype=pl.Int32).over("subject", "sequence")
    return in_order(table, places).with_columns(position.alias("position"))


def _by_numbers(names: pl.DataFrame) -> pl.Series | None:
    """Return the order of rows where the frames of each sequence differ in numbers alone.

    The same as by `natural_key`, of a million rows in a tenth of the time; None where it is not so.
    """
    frame, one = pl.col("frame_id"), ["subject", "sequence"]
    form = frame.str.replace_all("[0-9]+", "0").alias("form")
    numbers = frame.str.extract_all("[0-9]+")
    lengths = numbers.list.eval(pl.element().str.len_bytes()).list.max()
    forms = pl.concat([part.select(*one, form).unique() for part in _slices(names)]).unique()
    longest = max((part.select(lengths.max()).item() or 0) for part in _slices(names))
    if forms.select(pl.struct(one).is_duplicated().any()).item() or longest > _DIGITS:
        return None
    padded = numbers.list.eval(pl.element().str.zfill(longest)).list.join("")
    keys = pl.concat([part.select(padded.alias("key")) for part in _slices(names)])
    return names.with_columns(keys).sort(*one, "key", "frame_id")["row"]


def _slices(rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    return rows.iter_slices(4 * _TOGETHER)
