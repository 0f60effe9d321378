"""What the rows of a table claim of one picture or video: refused where they disagree."""

import posixpath

import polars as pl

from aacsfnet.datasets import fields
from aacsfnet.datasets.base import Label
from aacsfnet.datasets.containers import VIDEO_SUFFIXES, is_video
from aacsfnet.datasets.files import shorten
from aacsfnet.datasets.numerals import MISSING, is_absent
from aacsfnet.datasets.row_times import Times
from aacsfnet.datasets.sheet import Sheet
from aacsfnet.datasets.tracks import Segment, track_of
from aacsfnet.errors import DataError

_VIDEOS = rf"(?i)\.({'|'.join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))})$"


def _by_video(rows: pl.DataFrame) -> dict[str, list[int]]:
    """Return the numbers of rows by the video that they name, in whatever spelling of its path."""
    found: dict[str, list[int]] = {}
    grouped = rows.group_by("path", maintain_order=True).agg("row")
    for path, numbers in grouped.select("path", "row").iter_rows():
        if is_video(path):
            found.setdefault(posixpath.normpath(path), []).extend(numbers)
    return {video: sorted(numbers) for video, numbers in found.items()}


class Claims:
    """The rows of a table by what they name; no file is looked at.

    Args:
        sheet: the table.
        label: what its labels are.
        pretrain: whether rows without a label are given on purpose, for pretraining.

    Attributes:
        subjects: of each row, "" where it names nobody.
        whole: rows by video, of those that name one without a frame or a time.
        tracks: what holds from when to when, by video, of those that name one with times.
        pretrain: as given.
        timed: the video of each row of a track.
        several: the videos of tracks that rows of more than one subject name.

    Raises:
        DataError: two rows contradict each other, or one can be read two ways.
    """

    def __init__(self, sheet: Sheet, label: Label, pretrain: bool = False) -> None:
        self.sheet, self._label, self.pretrain = sheet, label, pretrain
        self._labels: dict[str, tuple[float | None, str]] = {}
        fields.refuse_dates(sheet)
        sheet.numerals("label")
        fields.refuse_doubtful_people(sheet)
        names = {text: fields.subject_of(text) for text in set(sheet.columns["subject"])}
        self.subjects = [names[text] for text in sheet.columns["subject"]]
        self.tracks: dict[str, list[Segment]] = {}
        self.timed: dict[int, str] = {}
        self.several: set[str] = set()
        self.times = Times(sheet)
        by_frame = self._split()
        self._check_whole(by_frame)

    def label_of(self, row: int) -> tuple[float | None, str]:
        """Return a row's label, or None, and what is wrong with it, or ""."""
        text = self.sheet.columns["label"][row]
        if (known := self._labels.get(text)) is None:
            known = self._labels[text] = fields.label_of(self.sheet, row, self._label)
        return known

    def is_unlabelled(self, row: int) -> bool:
        """Return whether a row has no label on purpose: no wrong one, and no failed computation."""
        return self.pretrain and is_absent(self.sheet.columns["label"][row])

    def unlabelled(self) -> set[str]:
        """Return the subjects with rows that are so, and without a row that has a label."""
        if not self.pretrain:
            return set()
        labels = self.sheet.columns["label"]
        row_of = {text: row for row, text in enumerate(labels)}
        said = set(zip(self.subjects, labels, strict=True))
        labelled = {who for who, text in said if not self.label_of(row_of[text])[1]}
        return {who for who, text in said if who and is_absent(text)} - labelled

    def check_pair(self, one: int, other: int) -> None:
        """Compare two rows that name the same picture.

        Raises:
            DataError: they say different people, or different labels.
        """
        subjects = self.subjects[one], self.subjects[other]
        if "" not in subjects and subjects[0] != subjects[1]:
            raise self._contradiction(one, other, "belongs to the subjects", *subjects)
        (first, wrong), (second, also) = self.label_of(one), self.label_of(other)
        lacking = self.is_unlabelled(one) != self.is_unlabelled(other)
        if lacking or (not wrong and not also and first != second):
            texts = (self.sheet.columns["label"][row] for row in (one, other))
            raise self._contradiction(one, other, "has the labels", *texts)

    def _contradiction(self, one: int, other: int, says: str, *what: str) -> DataError:
        path = shorten(self.sheet.columns["path"][other], 80)
        first, second = (shorten(text, 40) for text in what)
        return DataError(
            f"{self.sheet.both(one, other)}: {path} {says} {first!r} and {second!r}; which is"
            " right? keep one row (of several raters their mean, say)"
        )

    def _split(self) -> dict[str, list[int]]:
        """Sort rows by what they name; return those of single frames of videos, by video."""
        sheet = self.sheet
        table = pl.DataFrame({"path": sheet.columns["path"], "subject": self.subjects})
        table = table.with_row_index("row").with_columns(
            pl.col("path").str.replace_all("\\", "/", literal=True).str.strip_prefix("./")
        )
        frame = pl.Series("frame", sheet.columns.get("frame", [""] * len(table)), pl.String)
        frame = frame.str.replace(r"^([0-9]+)\.0+$", "$1")
        table = table.with_columns(
            pl.when(frame.str.to_lowercase().is_in(list(MISSING)))
            .then(pl.lit(""))
            .otherwise(frame)
            .alias("frame"),
            video=pl.col("path").str.contains(_VIDEOS),
        )
        self.whole = _by_video(table.filter(pl.col("video"), frame=""))
        single = ~pl.col("video") | (pl.col("frame") != ""), pl.col("path") != ""
        # Most tables name each file once; comparing hashes first takes a tenth of the memory.
        alike = table.filter(pl.col("path").hash().is_duplicated())
        repeated = alike.filter(single).with_columns(
            pl.when("video").then("frame").otherwise(pl.lit(""))
        )
        repeated = repeated.filter(pl.struct("path", "frame").is_duplicated())
        first: dict[tuple[str, str], int] = {}
        for row, path, number in repeated.select("row", "path", "frame").iter_rows():
            if (before := first.setdefault((path, number), row)) != row:
                self.check_pair(before, row)
        return _by_video(table.filter(pl.col("video"), *single))

    def _check_whole(self, by_frame: dict[str, list[int]]) -> None:
        """Find the tracks among rows of whole videos; refuse what is said twice of one video."""
        for video, rows in [*self.whole.items()]:
            timed = [row for row in rows if self.times.has(row)]
            for row in rows:
                self.times.refuse_lone(row)
            if len(timed) == len(rows):
                del self.whole[video]
                self.timed |= dict.fromkeys(rows, video)
                if len({self.subjects[row] for row in (*rows, *by_frame.get(video, ()))}) > 1:
                    self.several.add(video)
                self.tracks[video] = track_of(
                    self.times, rows, self._meant, lambda row: self.subjects[row]
                )
                continue
            if timed:
                row = next(row for row in rows if not self.times.has(row))
                raise DataError(
                    f"{self.sheet.at(row)}: no time, where row {self.sheet.numbers[timed[0]]} of"
                    f" {shorten(video, 80)} has one; fill it in, or the row holds for the whole"
                    " video and contradicts the others"
                )
            for row in rows[1:]:
                self._check_two_wholes(rows[0], row)
            for row in by_frame.get(video, ()):
                self.check_pair(rows[0], row)

    def _meant(self, row: int) -> object:
        """Return what a row's label means: its number, else what is wrong with it."""
        value, wrong = self.label_of(row)
        return wrong or value

    def _check_two_wholes(self, one: int, other: int) -> None:
        try:
            self.check_pair(one, other)
        except DataError as error:
            times = ", ".join(self.times.columns) or "none"
            raise DataError(
                f"{error}; for labels by time add a column time, or start and stop (found: {times})"
            ) from None
