"""The index rows of a user's table: of a row that names a file, or of a video's track of labels."""

import math
import re
import unicodedata
from collections import Counter
from typing import Any

import polars as pl

from aacsfnet.datasets import fields
from aacsfnet.datasets.base import Dataset, Label, frame_id
from aacsfnet.datasets.claims import Claims
from aacsfnet.datasets.containers import is_video
from aacsfnet.datasets.files import DataFolder, shorten
from aacsfnet.datasets.frame_names import FrameNames
from aacsfnet.datasets.pictures import PictureReader
from aacsfnet.datasets.shared_values import Shared, SharedValues
from aacsfnet.datasets.timelines import Moment, Timeline
from aacsfnet.datasets.tracks import Segment, beyond_the_end, bounds_of, segments_at
from aacsfnet.datasets.videos import VideoReader, name_of
from aacsfnet.tables import SCHEMAS, Fault

#: In what index rows differ that are of equal words: places of words and notes, and columns.
_OWN = {"shared": pl.UInt32, "notes": pl.UInt32} | {
    name: SCHEMAS["index"][name] for name in ("frame_id", "path", "time_s", "status", "reason")
}


_SEVERAL = "the video shows several people, so whose frame it is nobody says"


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
        self._shared, self._names = SharedValues(claims, units, label), FrameNames(claims)
        self._folder, self._reader, self._videos = readers
        self._rate = rate
        self.remarks: Counter[str] = Counter()
        self._begin()

    def __len__(self) -> int:
        """Return how many index rows were collected since the last `table`."""
        return len(self._rows)

    def table(self) -> pl.DataFrame:
        """Return the index rows since the last call, without `position` and the file's state."""
        shared = self._shared.table()
        notes = pl.Series("notes", [[*each] for each in self._notes], SCHEMAS["index"]["notes"])
        rows = dict(zip(_OWN, zip(*self._rows, strict=True), strict=True)) if self._rows else {}
        own = pl.DataFrame(rows, schema=_OWN)
        self._begin()
        columns = own.drop("shared", "notes").get_columns()
        return shared[own["shared"]].with_columns(*columns, notes[own["notes"]])

    def _begin(self) -> None:
        self._notes: dict[tuple[str, ...], int] = {}
        self._rows: list[tuple[Any, ...]] = []  # columns as in _OWN

    def of_row(self, i: int) -> None:
        """Collect the index rows of one row of the table: several only for a whole video."""
        sheet = self._sheet
        path, real = self._found_path(sheet.columns["path"][i])
        shared = self._shared.of_row(i)
        frame = fields.frame_of(sheet, i)
        written = sheet.columns["subject"][i]
        notes: list[str] = []
        if (fault := _refusal(path, self._claims.subjects[i], written)) is not None:
            pass
        elif is_video(path):
            for name, picture, moment in self._of_video(path, frame):
                identity = _identity(real, picture)
                self._add(i, shared, name, picture, identity, moment.fault, [], moment.time_s)
            return
        elif isinstance(header := self._reader.inspect(path, real), Fault):
            fault = header
        else:
            notes = header.notes
        stem = frame or fields.stem_of(path)
        self._add(i, shared, stem, path, _identity(real, path), fault, notes)

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
                self._add(
                    row, self._shared.of_row(row), stem, path, "", _refusal(path, who) or video, []
                )
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
            shared = self._shared.of_row(i)
            fault, notes = _refusal(path, claims.subjects[i]) or taken.fault, []
            if segment is None:
                place = "before" if before.start <= moment else "after"
                words = (
                    f"the nearest {place} {moment:.3f} s of {shorten(path, 80)}; none holds there"
                )
                fault = fault or self._no_label(words, several)
                shared = self._shared.without_label(shared)
            elif shared.unlabelled:
                fault = fault or self._no_label(shared.wrong, several)
            elif moment > segment.last:
                notes = [f"label_held: since {segment.start:g} s"]
            if late is not None:
                i, fault = late[0], Fault("bad_label", late[1])
            picture = name_of(path, taken.number)
            name = f"{stem}-{taken.number:06d}"
            identity = _identity(real, picture)
            self._add(i, shared, name, picture, identity, fault, notes, taken.time_s)
            people.pop(shared.values["subject"], None)
        nothing = Fault("bad_label", "none of the frames taken lies in the times given")
        for who, row in people.items():
            name, fault = f"{stem}-row{sheet.numbers[row]}", _refusal(path, who) or nothing
            self._add(row, self._shared.of_row(row), name, path, "", fault, [])

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

    def _add(
        self,
        i: int,
        shared: Shared,
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
            shared: what it says.
            name: of the frame.
            picture: its path.
            identity: what two rows share that name the same pixels; "" if there is no file.
            fault: what is wrong with the picture.
            notes: what is odd about it.
            time_s: of a frame in its video.
        """
        wanted = frame_id(shared.values["subject"], shared.values["sequence"], name)
        key, taken = self._names.take(wanted, identity, i)
        fault = taken or fault
        if fault is None and shared.unlabelled:
            fault = Fault("unlabelled", shared.wrong)
        elif fault is None and shared.wrong:
            fault = Fault("bad_label", f"{shared.wrong}; check the label column")
        verdict = Dataset.verdict(fault, f"{self._sheet.at(i)}: " if fault else "")
        all_notes = (*shared.values["notes"], *notes)
        places = shared.place, self._notes.setdefault(all_notes, len(self._notes))
        self._rows.append((*places, key, picture, time_s, verdict["status"], verdict["reason"]))


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
