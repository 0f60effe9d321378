"""A user's own frames: a CSV, TSV or Parquet table of `path, subject, label` and more.

A row names a picture, or a frame of a video (with `frame`), or a stretch of a video (with `time`,
or `start` and `stop`), or a whole video (with neither). Rows that cannot be used keep their place
in the index with a status and a reason that names the table's row. What makes the whole table
useless (no label column, say), and what can be read two ways, raises.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.config import Index
from aacsfnet.datasets import columns, fields
from aacsfnet.datasets.base import Dataset, Label, Told, frame_id, index_table, natural_key
from aacsfnet.datasets.claims import Claims
from aacsfnet.datasets.containers import is_video
from aacsfnet.datasets.files import DataFolder, shorten
from aacsfnet.datasets.identical import same_bytes
from aacsfnet.datasets.numerals import is_missing
from aacsfnet.datasets.pictures import PictureReader
from aacsfnet.datasets.sheet import Sheet, read_sheet
from aacsfnet.datasets.timelines import Moment, Timeline
from aacsfnet.datasets.told import is_told, told_by
from aacsfnet.datasets.tracks import Segment, beyond_the_end, bounds_of, segments_at
from aacsfnet.datasets.videos import VideoReader, name_of, planned_frames
from aacsfnet.errors import DataError, SettingsError
from aacsfnet.facs import ACTION_UNITS, pspi_if_known
from aacsfnet.tables import Fault

#: Rows of the index that are turned into a table together.
_TOGETHER = 16_384
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
        """Return the number of frames of each subject; of whole videos, as long as is typical.

        Raises:
            DataError: the table can be read two ways, or two people have files of the same bytes
                (the only files that are opened).
        """
        self.exact_scan = self._scan.exact
        return dict(self._scan.subjects)

    def splits(self) -> dict[str, set[str]]:
        """Return what the rows of each subject say in the column `split`."""
        return {subject: set(said) for subject, said in self._scan.splits.items()}

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
        """Return hashes of what the table's rows say of each subject."""
        return self._scan.told

    def file_of(self, path: str) -> str:
        """Return the picture's path, or the video's of a frame."""
        video, _, _ = path.rpartition("#")
        return video if is_video(video) else path

    @cached_property
    def _scan(self) -> "_Scan":
        own_name = self.label.name.lower()
        sheet = self._sheet(lambda name: is_told(name, own_name))
        claims = Claims(sheet, self.label)
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
            zip(claims.subjects, sheet.columns.get("split", []), strict=False)
        ):
            said[subject].add("" if is_missing(word) else word)
        for words in said.values():
            words.update([] if words else [""])
        return _Scan(dict(found), not (claims.whole or claims.tracks), said, told_by(claims))

    def index(self) -> pl.DataFrame:
        """Return one row a frame, in order of subject, sequence and position."""
        sheet = self._sheet()
        self._remarks: dict[str, int] = dict(sheet.remarks)
        claims = Claims(sheet, self.label)
        units = fields.action_unit_columns(sheet)
        used = fields.KNOWN_COLUMNS | units.keys() | {"", self.label.name.lower()}
        if claims.tracks:
            used |= set(claims.times.columns)
        for name in sorted(sheet.columns.keys() - used):
            self._remarks[f"column {shorten(name, 40)!r} that is not known, and not used"] = 1
        table = _Table(claims, units, self.label)
        tracks = dict(claims.tracks)
        rows: list[dict[str, Any]] = []
        parts: list[pl.DataFrame] = []
        for i in range(len(sheet.numbers)):
            video = claims.timed.get(i)
            if video is None:
                rows += self._rows_of(table, i)
            elif video in tracks:
                rows += self._rows_of_track(table, tracks.pop(video))
            if len(rows) >= _TOGETHER:  # as dicts a million of them take gigabytes
                parts.append(index_table(rows))
                rows = []
        return _numbered(pl.concat([*parts, index_table(rows)]))

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
        files = ((p, s) for p, s in zip(paths, claims.subjects, strict=True) if p and s)
        count, same = same_bytes(self.folder, files, self._is_usable)
        if not count:
            return
        rows = [paths.index(path) for path in same]
        other = next(row for row in rows if claims.subjects[row] != claims.subjects[rows[0]])
        subjects = [repr(shorten(claims.subjects[row], 40)) for row in (rows[0], other)]
        more = f" ({count} such pairs)" if count > 1 else ""
        raise DataError(
            f"{claims.sheet.both(rows[0], other)}: {shorten(paths[rows[0]], 80)} and"
            f" {shorten(paths[other], 80)} hold the same bytes, under the subjects {subjects[0]}"
            f" and {subjects[1]}{more}; one person under two names leaks between folds: correct the"
            " table"
        )

    def _is_usable(self, path: str) -> bool:
        reader = self.videos.inspect if is_video(path) else self.reader.read
        return not isinstance(reader(path), Fault)

    def _rows_of(self, table: "_Table", i: int) -> list[dict[str, Any]]:
        """Return the index rows of one row of the table: several only for a whole video."""
        sheet = table.claims.sheet
        path, real = self._found_path(sheet.columns["path"][i])
        common = table.common(i)
        frame = fields.frame_of(sheet, i)
        stem = frame or fields.stem_of(path)
        written = sheet.columns["subject"][i]
        notes: list[str] = []
        if (fault := _refusal(path, table.claims.subjects[i], written)) is not None:
            pass
        elif is_video(path):
            return [
                table.row(
                    i,
                    common | {"time_s": moment.time_s},
                    name,
                    picture,
                    _identity(real, picture),
                    moment.fault,
                    [],
                )
                for name, picture, moment in self._of_video(path, frame)
            ]
        elif isinstance(header := self.reader.inspect(path), Fault):
            fault = header
        else:
            notes = header.notes
        return [table.row(i, common, stem, path, _identity(real, path), fault, notes)]

    def _rows_of_track(self, table: "_Table", track: list[Segment]) -> list[dict[str, Any]]:
        """Return the index rows of a video whose labels the table gives by time.

        Frames are taken as of any video, and one more from each interval that would have none. A
        frame in a gap is a row without a label, of the person before it.
        """
        claims, sheet = table.claims, table.claims.sheet
        path, real = self._found_path(sheet.columns["path"][track[0].row])
        stem = fields.stem_of(path)
        people = {claims.subjects[segment.row]: segment.row for segment in reversed(track)}
        video = _refusal(path, "any") or self.videos.inspect(path)
        if isinstance(video, Fault):
            return [
                table.row(row, table.common(row), stem, path, "", _refusal(path, who) or video, [])
                for who, row in people.items()
            ]
        late = beyond_the_end(track, video.end)
        numbers, missed = _numbers_of(video, self.rate, track)
        if missed:
            words = f"{sheet.name}: intervals between two frames of their video, which label none"
            self._remarks[words] = self._remarks.get(words, 0) + missed
        rows, before = [], track[0]
        commons: dict[int, dict[str, Any]] = {}
        moments = video.moments(numbers)
        times = [video.end if each.time_s is None else each.time_s for each in moments]
        for taken, moment, segment in zip(moments, times, segments_at(track, times), strict=True):
            before = segment or before
            i = before.row
            if i not in commons:
                commons[i] = table.common(i)
            common = commons[i] | {"time_s": taken.time_s}
            fault, notes = _refusal(path, claims.subjects[i]) or taken.fault, []
            if segment is None:
                place = "before" if before.start <= moment else "after"
                words = (
                    f"the nearest {place} {moment:.3f} s of {shorten(path, 80)}; none holds there"
                )
                fault = fault or Fault("bad_label", words)
                common = common | {"label": None, "notes": []} | dict.fromkeys(ACTION_UNITS)
            elif moment > segment.last:
                notes = [f"label_held: since {segment.start:g} s"]
            if late is not None:
                i, fault = late[0], Fault("bad_label", late[1])
            picture = name_of(path, taken.number)
            name = f"{stem}-{taken.number:06d}"
            rows.append(table.row(i, common, name, picture, _identity(real, picture), fault, notes))
            people.pop(common["subject"], None)
        nothing = Fault("bad_label", "none of the frames taken lies in the times given")
        return rows + [
            table.row(
                row,
                table.common(row),
                f"{stem}-row{sheet.numbers[row]}",
                path,
                "",
                _refusal(path, who) or nothing,
                [],
            )
            for who, row in people.items()
        ]

    def _of_video(self, path: str, frame: str) -> list[tuple[str, str, Moment]]:
        """Return the name, the picture and the moment of a frame, or of all that are taken."""
        video = self.videos.inspect(path)
        if frame and not re.fullmatch("[0-9]{1,9}", frame):
            fault = Fault("unreadable", f"frame {shorten(frame, 40)!r} of a video is not a number")
            return [(frame, path, Moment(0, None, fault))]
        stem = fields.stem_of(path)
        if isinstance(video, Fault):
            return [(frame or stem, path, Moment(0, None, video))]
        if frame:
            return [(frame, name_of(path, int(frame)), _moment(video, int(frame)))]
        return [
            (f"{stem}-{moment.number:06d}", name_of(path, moment.number), moment)
            for moment in video.moments(video.taken(self.rate))
        ]

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


@dataclass(frozen=True)
class _Scan:
    """What a table plans, before any frame is read."""

    subjects: dict[str, int]
    exact: bool
    splits: dict[str, set[str]]
    told: dict[str, Told]


def _refusal(path: str, subject: str, written: str = "") -> Fault | None:
    """Return why a row's file is not even looked at, or None.

    Args:
        path: of the file.
        subject: "" for nobody.
        written: what stands in the table for the subject.
    """
    if not subject:
        instead = f" ({shorten(written, 40)!r})" if written else ""
        words = f"no subject is given{instead}; without one, folds would leak"
        return Fault("bad_subject", words)
    if re.match(r"[A-Za-z]:/", path):
        shown = shorten(path)
        return Fault("missing_file", f"{shown} is an absolute Windows path; make it relative")
    return None


def _numbers_of(video: Timeline, rate: float, track: list[Segment]) -> tuple[list[int], int]:
    """Return the frames taken of a video, and how many intervals lie between two of its frames.

    An interval that holds none of the frames at `rate` gives the frame at its middle.
    """
    taken = video.taken(rate)
    held = {id(segment) for segment in segments_at(track, video.times[taken].tolist())}
    more = [
        video.nearest(*bounds_of(segment))
        for segment in track
        if id(segment) not in held and math.isinf(segment.last)
    ]
    found = {number for number in more if number is not None}
    return sorted({*taken, *found}), more.count(None)


def _moment(video: Timeline, number: int) -> Moment:
    if number < len(video.times):
        return Moment(number, float(video.times[number]))
    words = f"the video has {len(video.times)} frames, counted from 0"
    return Moment(number, None, Fault("missing_file", words))


def _identity(real: str, picture: str) -> str:
    """Return what two rows share that name the same pixels; "" if there is no file."""
    if real and is_video(real):
        return f"{real}#{picture.rpartition('#')[2]}"
    return real


class _Table:
    """A table on its way to the index: what its rows say, and what they have named so far."""

    def __init__(self, claims: Claims, units: dict[str, str], label: Label) -> None:
        self.claims, self._sheet = claims, claims.sheet
        self._units, self._label = units, label
        self._frames: dict[str, int] = {}
        self._copies: dict[str, int] = {}  # of a name: tried from here, or many would take for ever
        self._pictures: dict[str, int] = {}

    def common(self, i: int) -> dict[str, Any]:
        """Return what all index rows of one row of the table share."""
        sheet = self._sheet
        value, wrong = self.claims.label_of(i)
        units, notes = fields.action_units_of(sheet, i, self._units)
        pspi = pspi_if_known(units)
        if self._label.name == "pspi" and None not in (pspi, value) and pspi != value:
            notes = [*notes, f"pspi_differs: {value:g} as label, {pspi:g} from action units"]
        if sheet.comma_file and not wrong and "," in (text := sheet.columns["label"][i]):
            notes = [*notes, f"decimal_comma: {shorten(text, 40)} read as {value:g}"]
        return {
            "subject": self.claims.subjects[i],
            "sequence": fields.sequence_of(sheet, i),
            "label": value,
            "sex": fields.sex_of(fields.text_of(sheet, "sex", i)),
            "age_group": fields.text_of(sheet, "age_group", i),
            "split": fields.text_of(sheet, "split", i),
            "notes": notes,
            **units,
        }

    def row(
        self,
        i: int,
        common: dict[str, Any],
        name: str,
        picture: str,
        identity: str,
        fault: Fault | None,
        notes: list[str],
    ) -> dict[str, Any]:
        """Return one row of the index.

        Args:
            i: row of the table.
            common: what it says.
            name: of the frame.
            picture: its path.
            identity: what two rows share that name the same pixels; "" if there is no file.
            fault: what is wrong with the picture.
            notes: what is odd about it.
        """
        key, taken = self._take(common, name, identity, i)
        fault = taken or fault
        if fault is None and (wrong := self.claims.label_of(i)[1]):
            fault = Fault("bad_label", f"{wrong}; check the label column")
        return {
            **common,
            "frame_id": key,
            "path": picture,
            **Dataset.verdict(fault, f"{self._sheet.at(i)}: "),
            "notes": common["notes"] + notes,
        }

    def _take(
        self, row: dict[str, Any], frame: str, picture: str, i: int
    ) -> tuple[str, Fault | None]:
        """Return a row's unique `frame_id`; and a fault if frame or picture were named before.

        Of frames without a number and with the same file name, the later are no duplicates
        unless the picture is the same: they get a name of their own.

        Raises:
            DataError: the same picture has other labels or people.
        """
        wanted = unique = frame_id(row["subject"], row["sequence"], frame)
        first = self._frames.get(wanted)
        copy = self._copies.get(wanted, 1)
        while unique in self._frames:
            copy += 1
            unique = f"{wanted}~{copy}"
        if copy > 1:
            self._copies[wanted] = copy
        self._frames[unique] = i
        if picture and (owner := self._pictures.setdefault(picture, i)) != i:
            self.claims.check_pair(owner, i)
            return unique, Fault("duplicate", f"the same picture as {self._sheet.at(owner)}")
        if first is not None and (not picture or fields.frame_of(self._sheet, i)):
            return unique, Fault("duplicate", f"the same frame as {self._sheet.at(first)}")
        return unique, None


def _numbered(table: pl.DataFrame) -> pl.DataFrame:
    """Return sorted rows, each with its position in its sequence: by frame, numbers by value."""
    table = table.sort("subject", "sequence", maintain_order=True)
    places: list[int] = []
    positions: list[int] = []
    sequences = table.group_by("subject", "sequence", maintain_order=True)
    for names in sequences.agg("frame_id")["frame_id"]:
        keys = [natural_key(name) for name in names]
        start = len(places)
        places += [start + at for at in sorted(range(len(keys)), key=keys.__getitem__)]
        positions += range(len(keys))
    return table[places].with_columns(pl.Series("position", positions, pl.Int32))
