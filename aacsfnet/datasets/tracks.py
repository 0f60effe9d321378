"""Labels of a video by time: which row of a table holds from when to when.

What a row by itself says is found out in `aacsfnet.datasets.row_times`.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from aacsfnet.datasets.files import shorten
from aacsfnet.datasets.row_times import SHORTEST, RowTimes, Times
from aacsfnet.datasets.sheet import Sheet
from aacsfnet.errors import DataError

#: Seconds by which times may differ that mean the same: tools round to milliseconds.
_SAME = 1e-3
#: Seconds, or part of its length, by which labels may go on after a video's end.
_LATE, _LATE_PART = 1.0, 0.02


@dataclass(frozen=True)
class Segment:
    """The stretch of a video that one row labels, from `start` to before `stop`, seconds."""

    row: int
    start: float
    stop: float  # infinite: to the end of the video
    last: float = math.inf  # from here on only because no later row ends it


def track_of(
    times: Times,
    rows: Sequence[int],
    label: Callable[[int], object],
    subject: Callable[[int], str],
) -> list[Segment]:
    """Return the stretches of one video in order, none overlapping another.

    Args:
        times: the table's.
        rows: those of the video.
        label: what a row says; equal for rows that say the same.
        subject: whom a row is of.

    Raises:
        DataError: two rows say different things of one time, or a time is wrong.
    """
    sheet = times.sheet
    times.refuse_mixed_forms(rows)
    found = sorted((times.of(row) for row in rows), key=lambda each: (each.start, each.row))
    if any(each.event for each in found):
        found = _paired(sheet, found, label, subject)
    track: list[Segment] = []
    for segment in _segments(sheet, found):
        before = track[-1] if track else None
        if before is not None and segment.start < before.stop - _SAME:
            one, other = before.row, segment.row
            if (label(one), subject(one)) != (label(other), subject(other)):
                raise DataError(
                    f"{sheet.both(one, other)} both hold at {segment.start:g} s and say"
                    f" {_said(sheet, one)} and {_said(sheet, other)}; a frame has one label of one"
                    " person: correct the times, or keep one of the rows"
                )
            if segment.stop <= before.stop:
                continue
            segment = replace(segment, start=before.stop)
        track.append(segment)
    return track


def _said(sheet: Sheet, row: int) -> str:
    label, subject = sheet.columns["label"][row], sheet.columns["subject"][row]
    return f"{shorten(label, 40)!r} of {shorten(subject, 40)!r}"


def _segments(sheet: Sheet, found: list[RowTimes]) -> list[Segment]:
    """Return what rows say: from a time to the next later one, or from start to stop."""
    starts = sorted({each.start for each in found})
    steps = [after - before for before, after in pairwise(starts)]
    if steps and min(steps) < SHORTEST and found[0].stop is None:
        row = next(
            after.row
            for before, after in pairwise(found)
            if 0 < after.start - before.start < SHORTEST
        )
        raise DataError(
            f"{sheet.at(row)}: less than a millisecond after the row before: are these fractions"
            " of a day, as a spreadsheet keeps times? write seconds"
        )
    following = dict(zip(starts, [*starts[1:], math.inf], strict=True))
    held = starts[-1] + max(steps, default=0.0) if starts else math.inf
    return [
        Segment(each.row, each.start, following[each.start], held)
        if each.stop is None
        else Segment(each.row, each.start, each.stop)
        for each in found
    ]


def _paired(
    sheet: Sheet,
    found: list[RowTimes],
    label: Callable[[int], object],
    subject: Callable[[int], str],
) -> list[RowTimes]:
    """Return intervals from rows that say when a label starts and when it stops."""
    began: dict[tuple[object, str], RowTimes] = {}
    pairs: list[RowTimes] = []
    for each in found:
        what = (label(each.row), subject(each.row))
        if each.event == "start" and what not in began:
            began[what] = each
        elif each.event == "stop" and what in began:
            start = began.pop(what)
            pairs.append(RowTimes(start.row, start.start, each.start, ""))
        else:
            raise DataError(
                f"{sheet.at(each.row)}: a {each.event or 'row'} without its counterpart; each label"
                " needs a start and a stop"
            )
    if began:
        row = next(iter(began.values())).row
        raise DataError(f"{sheet.at(row)}: a start without a stop; add the row that ends it")
    return sorted(pairs, key=lambda each: (each.start, each.row))


def segments_at(track: Sequence[Segment], moments: Iterable[float]) -> list[Segment | None]:
    """Return the stretch that each moment (seconds) lies in, or None in a gap.

    >>> track = [Segment(0, 0.0, 1.0), Segment(1, 2.0, 3.0)]
    >>> [found and found.row for found in segments_at(track, [0.5, 1.0, 2.0])]
    [0, None, 1]
    """
    bounds = [bounds_of(segment) for segment in track]
    starts = [start for start, _ in bounds]
    found: list[Segment | None] = []
    for moment in moments:
        at = bisect_right(starts, moment) - 1
        inside = at >= 0 and moment < bounds[at][1]
        found.append(track[at] if inside else None)
    return found


def bounds_of(segment: Segment) -> tuple[float, float]:
    """Return from when on and until when frames lie in a stretch, seconds; times are rounded."""
    return segment.start - _SAME / 2, segment.stop - _SAME / 2


def beyond_the_end(track: Sequence[Segment], seconds: float) -> tuple[int, str] | None:
    """Return the row of a label that holds long after a video's end, and words for it, or None."""
    limit = seconds + max(_LATE, _LATE_PART * seconds)
    for segment in track:
        latest = segment.stop if math.isinf(segment.last) else segment.start
        if latest > limit:
            return segment.row, (
                f"holds at {latest:g} s, but the video lasts {seconds:g} s: another unit"
                " (milliseconds, say), a time of day, or another video?"
            )
    return None
