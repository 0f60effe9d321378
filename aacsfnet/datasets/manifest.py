"""A user's own frames: a CSV, TSV or Parquet table of `path, subject, label` and more.

A row names a picture, or a frame of a video (with `frame`), or a whole video (without). Rows that
cannot be used keep their place in the index with a status and a reason that names the table's
row. What makes the whole table useless (no label column, say) raises.
"""

import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.config import Index
from aacsfnet.datasets import fields
from aacsfnet.datasets.base import Dataset, Label, frame_id, index_table, natural_key
from aacsfnet.datasets.files import DataFolder, shorten
from aacsfnet.datasets.pictures import PictureReader
from aacsfnet.datasets.sheet import Sheet, read_sheet
from aacsfnet.datasets.videos import VideoHeader, VideoReader, is_video, name_of, planned_frames
from aacsfnet.errors import DataError, SettingsError
from aacsfnet.facs import pspi_if_known
from aacsfnet.tables import Fault

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

    def subjects(self) -> dict[str, int]:
        """Return the number of frames of each subject; of whole videos, as long as is typical."""
        own_name = self.label.name.lower()
        sheet = read_sheet(self.file, {"path", "subject", "frame", "label", own_name})
        labels = sheet.columns.keys() & {"label", own_name}
        if not {"path", "subject"} <= sheet.columns.keys() or not labels or not sheet.numbers:
            self._checked(read_sheet(self.file))
        found: Counter[str] = Counter()
        for i, (path, subject) in enumerate(
            zip(sheet.columns["path"], sheet.columns["subject"], strict=True)
        ):
            frames = 1
            if is_video(path) and not fields.frame_of(sheet, i):
                frames = planned_frames(self.seconds, self.rate)
                self.exact_scan = False
            found[fields.subject_of(subject)] += frames
        return dict(found)

    def splits(self) -> dict[str, set[str]]:
        """Return what the rows of each subject say in the column `split`."""
        sheet = read_sheet(self.file, {"subject", "split"})
        found: dict[str, set[str]] = {}
        for i, subject in enumerate(sheet.columns["subject"]):
            said = fields.text_of(sheet, "split", i)
            found.setdefault(fields.subject_of(subject), set()).add(said)
        return found

    def index(self) -> pl.DataFrame:
        """Return one row a frame, in order of subject, sequence and position."""
        sheet = self._checked(read_sheet(self.file))
        self._remarks: dict[str, int] = dict(sheet.remarks)
        units = fields.action_unit_columns(sheet)
        unused = sheet.columns.keys() - fields.KNOWN_COLUMNS - units.keys() - {""}
        for name in sorted(unused - {self.label.name.lower()}):
            self._remarks[f"column {shorten(name, 40)!r} that is not known, and not used"] = 1
        names = _Names(sheet)
        rows = []
        for i in range(len(sheet.numbers)):
            rows += self._rows_of(sheet, i, units, names)
        _number(rows)
        return index_table(rows)

    def sources(self) -> list[Path]:
        """Return the table itself."""
        return [self.file]

    def picture(self, path: str) -> np.ndarray | Fault:
        """Return the picture in a file, or a frame of a video."""
        reader = self.videos if is_video(path.rpartition("#")[0]) else self.reader
        return reader.read(path)

    def close(self) -> None:
        """Close the video that was read last."""
        self.videos.close()

    def _checked(self, sheet: Sheet) -> Sheet:
        """Return the table with its label column named `label`.

        Raises:
            DataError: a column is missing, or there is no row.
        """
        own_name = self.label.name.lower()
        if "label" not in sheet.columns and own_name in sheet.columns:
            sheet.columns["label"] = sheet.columns[own_name]
        for needed in ("path", "subject", "label"):
            if needed not in sheet.columns:
                found = ", ".join(shorten(name, 40) for name in [*sheet.columns][:20]) or "none"
                raise DataError(
                    f"{self.file}: no column {needed!r}; found {found}; rename or add it"
                )
        if not sheet.numbers:
            raise DataError(f"{self.file}: a header but no row; expected one row a frame")
        return sheet

    def _rows_of(
        self, sheet: Sheet, i: int, units: dict[str, str], names: "_Names"
    ) -> list[dict[str, Any]]:
        """Return the index rows of one row of the table: several only for a whole video."""
        path, real = self._found_path(sheet.columns["path"][i])
        value, wrong_label = fields.label_of(sheet, i, self.label)
        found_units, notes = fields.action_units_of(sheet, i, units)
        common: dict[str, Any] = {
            "subject": fields.subject_of(sheet.columns["subject"][i]),
            "sequence": fields.sequence_of(sheet, i),
            "label": value,
            "sex": fields.sex_of(fields.text_of(sheet, "sex", i)),
            "age_group": fields.text_of(sheet, "age_group", i),
            "split": fields.text_of(sheet, "split", i),
            **found_units,
        }
        pspi = pspi_if_known(found_units)
        if self.label.name == "pspi" and None not in (pspi, value) and pspi != value:
            notes = [*notes, f"pspi_differs: {value:g} as label, {pspi:g} from action units"]
        frame = fields.frame_of(sheet, i)
        rows = []
        for name, picture, fault, found in self._frames(path, frame, common["subject"]):
            key, taken = names.take(common, name, _identity(real, picture), i)
            fault = taken or fault
            if fault is None and wrong_label:
                fault = Fault("bad_label", f"{wrong_label}; check the label column")
            rows.append(
                {
                    **common,
                    "frame_id": key,
                    "path": picture,
                    **self.verdict(fault, f"{sheet.at(i)}: "),
                    "notes": notes + found,
                }
            )
        return rows

    def _frames(
        self, path: str, frame: str, subject: str
    ) -> list[tuple[str, str, Fault | None, list[str]]]:
        """Return name, path, fault and notes of each frame that a row of the table stands for."""
        stem = frame or fields.stem_of(path)
        if not subject:
            fault = Fault("bad_subject", "no subject is given; without one, folds would leak")
            return [(stem, path, fault, [])]
        if re.match(r"[A-Za-z]:/", path):
            shown = shorten(path)
            fault = Fault("missing_file", f"{shown} is an absolute Windows path; make it relative")
            return [(stem, path, fault, [])]
        if not is_video(path):
            header = self.reader.inspect(path)
            if isinstance(header, Fault):
                return [(stem, path, header, [])]
            return [(stem, path, None, header.notes)]
        return [(name, picture, fault, []) for name, picture, fault in self._of_video(path, frame)]

    def _of_video(self, path: str, frame: str) -> list[tuple[str, str, Fault | None]]:
        video = self.videos.inspect(path)
        if frame and not re.fullmatch("[0-9]{1,9}", frame):
            fault = Fault("unreadable", f"frame {shorten(frame, 40)!r} of a video is not a number")
            return [(frame, path, fault)]
        if isinstance(video, Fault):
            return [(frame or fields.stem_of(path), path, video)]
        if frame:
            return [(frame, name_of(path, int(frame)), _beyond(video, int(frame)))]
        stem = fields.stem_of(path)
        return [(f"{stem}-{n:06d}", name_of(path, n), None) for n in video.taken(self.rate)]

    def _found_path(self, path: str) -> tuple[str, str]:
        """Return a path as this machine writes it, and the real path ("" if there is no file).

        Windows separators and other Unicode forms are tried where the path itself leads nowhere.
        """
        posix = path.replace("\\", "/")
        forms = (unicodedata.normalize(form, posix) for form in ("NFC", "NFD"))
        for form in dict.fromkeys((path, posix, *forms)):
            if not isinstance(real := self.folder.locate(form), Fault):
                return form, real
        return posix, ""


def _beyond(video: VideoHeader, number: int) -> Fault | None:
    if number < video.frames:
        return None
    return Fault("missing_file", f"the video has {video.frames} frames, counted from 0")


def _identity(real: str, picture: str) -> str:
    """Return what two rows share that name the same pixels; "" if there is no file."""
    if real and is_video(real):
        return f"{real}#{picture.rpartition('#')[2]}"
    return real


class _Names:
    """The frames and pictures that the table has named so far."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._frames: dict[str, int] = {}
        self._copies: dict[str, int] = {}  # of a name: tried from here, or many would take for ever
        self._pictures: dict[str, int] = {}

    def take(
        self, row: dict[str, Any], frame: str, picture: str, i: int
    ) -> tuple[str, Fault | None]:
        """Return a row's unique `frame_id`; and a fault if frame or picture were named before.

        Of frames without a number and with the same file name, the later are no duplicates
        unless the picture is the same: they get a name of their own.
        """
        wanted = unique = frame_id(row["subject"], row["sequence"], frame)
        first = self._frames.get(wanted)
        copy = self._copies.get(wanted, 1)
        while unique in self._frames:
            copy += 1
            unique = f"{wanted}~{copy}"
        self._copies[wanted] = copy
        self._frames[unique] = i
        if picture and (owner := self._pictures.setdefault(picture, i)) != i:
            return unique, Fault("duplicate", f"the same picture as {self._sheet.at(owner)}")
        if first is not None and (not picture or fields.frame_of(self._sheet, i)):
            return unique, Fault("duplicate", f"the same frame as {self._sheet.at(first)}")
        return unique, None


def _number(rows: list[dict[str, Any]]) -> None:
    """Sort rows and give each its position in its sequence: by frame, numbers by value."""
    rows.sort(key=lambda row: (row["subject"], row["sequence"], natural_key(row["frame_id"])))
    position, before = -1, None
    for row in rows:
        this = (row["subject"], row["sequence"])
        position = position + 1 if this == before else 0
        row["position"], before = position, this
