"""The index rows of a user's table: of a row that names a file, or of a video's track of labels."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Hashable
from typing import Any, NamedTuple

import polars as pl

from aacsfnet.datasets import fields
from aacsfnet.datasets.base import Dataset, Label, frame_id, index_table
from aacsfnet.datasets.claims import Claims
from aacsfnet.datasets.containers import is_video
from aacsfnet.datasets.files import DataFolder, shorten
from aacsfnet.datasets.pictures import PictureReader
from aacsfnet.datasets.timelines import Moment, Timeline
from aacsfnet.datasets.tracks import Segment, beyond_the_end, bounds_of, segments_at
from aacsfnet.datasets.videos import VideoReader, name_of
from aacsfnet.facs import ACTION_UNITS, pspi_if_known
from aacsfnet.tables import SCHEMAS, Fault

#: In what index rows differ that are of equal words: places of words and notes, and columns.
_OWN = {"common": pl.UInt32, "notes": pl.UInt32} | {
    name: SCHEMAS["index"][name] for name in ("frame_id", "path", "time_s", "status", "reason")
}


_SEVERAL = "the video shows several people, so whose frame it is nobody says"


class _Common(NamedTuple):
    """What index rows share that say the same but for frame and file."""

    place: int  # among the others, for the table
    values: dict[str, Any]
    wrong: str  # what is wrong with the label, "" if nothing is
    unlabelled: bool  # whether there is none on purpose


class ManifestRows:
    """Collects the index rows of a table's rows, and knows what they have named so far.

    Many rows differ in frame and file alone: what else they say is found out and held once.

    Args:
        claims: what the table says of whom.
        units: its columns of action units, by column.
        label: what its labels are.
        readers: of paths, pictures and videos.
        rate: frames a second that are taken of a video.

    Attributes:
        remarks: what is odd about the table, and how often, as far as rows were made.
    """

    def __init__(
        self,
        claims: Claims,
        units: dict[str, str],
        label: Label,
        readers: tuple[DataFolder, PictureReader, VideoReader],
        rate: float,
    ) -> None:
        self._claims, self._sheet = claims, claims.sheet
        self._units, self._label = units, label
        self._folder, self._reader, self._videos = readers
        self._rate = rate
        self.remarks: Counter[str] = Counter()
        columns = self._sheet.columns
        names = ("label", "sex", "age_group", "split", *units)
        self._said = [claims.subjects, *(columns[name] for name in names if name in columns)]
        self._begin()
        self._frames: dict[str, int] = {}
        self._copies: dict[str, int] = {}  # of a name: tried from here, or many would take for ever
        self._pictures: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many index rows were collected since the last `table`."""
        return len(self._rows)

    def table(self) -> pl.DataFrame:
        """Return the index rows since the last call, without `position` and the file's state."""
        common = index_table([each.values for each in self._commons.values()])
        notes = pl.Series("notes", [[*each] for each in self._notes], SCHEMAS["index"]["notes"])
        rows = dict(zip(_OWN, zip(*self._rows, strict=True), strict=True)) if self._rows else {}
        own = pl.DataFrame(rows, schema=_OWN)
        self._begin()
        columns = own.drop("common", "notes").get_columns()
        return common[own["common"]].with_columns(*columns, notes[own["notes"]])

    def _begin(self) -> None:
        self._commons: dict[Hashable, _Common] = {}
        self._notes: dict[tuple[str, ...], int] = {}
        self._rows: list[tuple[Any, ...]] = []  # columns as in _OWN

    def of_row(self, i: int) -> None:
        """Collect the index rows of one row of the table: several only for a whole video."""
        sheet = self._sheet
        path, real = self._found_path(sheet.columns["path"][i])
        common = self._common(i)
        frame = fields.frame_of(sheet, i)
        written = sheet.columns["subject"][i]
        notes: list[str] = []
        if (fault := _refusal(path, self._claims.subjects[i], written)) is not None:
            pass
        elif is_video(path):
            for name, picture, moment in self._of_video(path, frame):
                identity = _identity(real, picture)
                self._add(i, common, name, picture, identity, moment.fault, [], moment.time_s)
            return
        elif isinstance(header := self._reader.inspect(path, real), Fault):
            fault = header
        else:
            notes = header.notes
        stem = frame or fields.stem_of(path)
        self._add(i, common, stem, path, _identity(real, path), fault, notes)

    def of_track(self, track: list[Segment]) -> None:
        """Collect the index rows of a video whose labels the table gives by time.

        Frames are taken as of any video, and one more from each interval that would have none. A
        frame in a gap is a row without a label, of the person before it. Whose it is where the
        video shows several people, nobody says: pretraining does not get it.
        """
        claims, sheet = self._claims, self._sheet
        path, real = self._found_path(sheet.columns["path"][track[0].row])
        stem = fields.stem_of(path)
        people = {claims.subjects[segment.row]: segment.row for segment in reversed(track)}
        video = _refusal(path, "any") or self._videos.inspect(path)
        if isinstance(video, Fault):
            for who, row in people.items():
                self._add(row, self._common(row), stem, path, "", _refusal(path, who) or video, [])
            return
        several = claims.timed[track[0].row] in claims.several
        late = beyond_the_end(track, video.end)
        numbers, missed = _numbers_of(video, self._rate, track)
        if missed:
            words = f"{sheet.name}: intervals between two frames of their video, which label none"
            self.remarks[words] += missed
        before = track[0]
        moments = video.moments(numbers)
        times = [video.end if each.time_s is None else each.time_s for each in moments]
        for taken, moment, segment in zip(moments, times, segments_at(track, times), strict=True):
            before = segment or before
            i = before.row
            common = self._common(i)
            fault, notes = _refusal(path, claims.subjects[i]) or taken.fault, []
            if segment is None:
                place = "before" if before.start <= moment else "after"
                words = (
                    f"the nearest {place} {moment:.3f} s of {shorten(path, 80)}; none holds there"
                )
                fault = fault or self._no_label(words, several)
                common = self._without_label(common)
            elif common.unlabelled:
                fault = fault or self._no_label(common.wrong, several)
            elif moment > segment.last:
                notes = [f"label_held: since {segment.start:g} s"]
            if late is not None:
                i, fault = late[0], Fault("bad_label", late[1])
            picture = name_of(path, taken.number)
            name = f"{stem}-{taken.number:06d}"
            identity = _identity(real, picture)
            self._add(i, common, name, picture, identity, fault, notes, taken.time_s)
            people.pop(common.values["subject"], None)
        nothing = Fault("bad_label", "none of the frames taken lies in the times given")
        for who, row in people.items():
            name, fault = f"{stem}-row{sheet.numbers[row]}", _refusal(path, who) or nothing
            self._add(row, self._common(row), name, path, "", fault, [])

    def _no_label(self, words: str, several: bool) -> Fault:
        """Return what a frame of a track is without a label, whose words say so."""
        if not self._claims.pretrain:
            return Fault("bad_label", words)
        return Fault("bad_label", f"{words}; {_SEVERAL}") if several else Fault("unlabelled", words)

    def _of_video(self, path: str, frame: str) -> list[tuple[str, str, Moment]]:
        """Return the name, the picture and the moment of a frame, or of all that are taken."""
        video = self._videos.inspect(path)
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
            for moment in video.moments(video.taken(self._rate))
        ]

    def _found_path(self, path: str) -> tuple[str, str]:
        """Return a path as this machine writes it, and the real path ("" if there is no file).

        Windows separators and other Unicode forms are tried where the path itself leads nowhere.
        """
        if not isinstance(real := self._folder.locate(path), Fault):
            return path, real
        posix = path.replace("\\", "/")
        forms = (unicodedata.normalize(form, posix) for form in ("NFC", "NFD"))
        for form in dict.fromkeys((posix, *forms)):
            if not isinstance(real := self._folder.locate(form), Fault):
                return form, real
        return posix, ""

    def _common(self, i: int) -> _Common:
        """Return what all index rows of one row of the table share, and may share with others."""
        sequence = fields.sequence_of(self._sheet, i)
        key = (sequence, *(column[i] for column in self._said))
        if (known := self._commons.get(key)) is None:
            values, wrong = self._values(i, sequence)
            lacks = self._claims.is_unlabelled(i)
            known = self._commons[key] = _Common(len(self._commons), values, wrong, lacks)
        return known

    def _without_label(self, common: _Common) -> _Common:
        """Return the same for a frame that no label holds for."""
        if (known := self._commons.get(common.place)) is None:
            nothing = {"label": None, "notes": []} | dict.fromkeys(ACTION_UNITS)
            values = common.values | nothing
            known = common._replace(place=len(self._commons), values=values)
            self._commons[common.place] = known
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

    def _add(
        self,
        i: int,
        common: _Common,
        name: str,
        picture: str,
        identity: str,
        fault: Fault | None,
        notes: list[str],
        time_s: float | None = None,
    ) -> None:
        """Collect one row of the index.

        Args:
            i: row of the table.
            common: what it says.
            name: of the frame.
            picture: its path.
            identity: what two rows share that name the same pixels; "" if there is no file.
            fault: what is wrong with the picture.
            notes: what is odd about it.
            time_s: of a frame in its video.
        """
        key, taken = self._take(common.values, name, identity, i)
        fault = taken or fault
        if fault is None and common.unlabelled:
            fault = Fault("unlabelled", common.wrong)
        elif fault is None and common.wrong:
            fault = Fault("bad_label", f"{common.wrong}; check the label column")
        verdict = Dataset.verdict(fault, f"{self._sheet.at(i)}: " if fault else "")
        all_notes = (*common.values["notes"], *notes)
        places = common.place, self._notes.setdefault(all_notes, len(self._notes))
        self._rows.append((*places, key, picture, time_s, verdict["status"], verdict["reason"]))

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
            self._claims.check_pair(owner, i)
            return unique, Fault("duplicate", f"the same picture as {self._sheet.at(owner)}")
        if first is not None and (not picture or fields.frame_of(self._sheet, i)):
            return unique, Fault("duplicate", f"the same frame as {self._sheet.at(first)}")
        return unique, None


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
    if path[1:3] == ":/" and re.match("[A-Za-z]", path):
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
