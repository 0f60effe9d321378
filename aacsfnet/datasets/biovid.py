"""The BioVid Heat Pain Database, part A: clips of faces under heat of five levels.

    PartA/video/071309_w_21/071309_w_21-BL1-081.mp4      subject = date_sex_age

The label is the level of the stimulus, 0 (none) to 4, which says what was applied to the skin and
nothing of how a frame looks. Clips are found by name at any depth; `samples.csv`, if there is one,
says which ought to be there. Every clip's label holds for all of its frames.

Source: Walter et al. 2013, doi:10.1109/CYBConf.2013.6617456.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import polars as pl

from aacsfnet.config import Index
from aacsfnet.datasets.base import Dataset, Label, Told, frame_id, index_table
from aacsfnet.datasets.containers import is_video
from aacsfnet.datasets.files import DataFolder, as_text
from aacsfnet.datasets.sheet import Sheet, read_sheet
from aacsfnet.datasets.timelines import Moment, Timeline
from aacsfnet.datasets.trees import file_names, subfolders
from aacsfnet.datasets.videos import VideoReader, name_of, planned_frames
from aacsfnet.errors import DataError, SettingsError
from aacsfnet.made import hash_of
from aacsfnet.tables import Fault

#: Baseline and the four levels of heat, between a subject's pain threshold and tolerance.
LEVELS = {"BL1": 0, "PA1": 1, "PA2": 2, "PA3": 3, "PA4": 4}

_CLIP = re.compile(r"(?P<subject>[^/]+)-(?P<level>[A-Z]{2}[0-9])-(?P<number>[0-9]+)", re.I)
_SUBJECT = re.compile(r"[^_]+_(?P<sex>[mw])_(?P<age>[0-9]{1,3})", re.I)

#: PartA/video/<subject>/<clip> below the root, and two folders more for other copies.
_DEEPEST = 5


@dataclass
class Clip:
    """One video: where it lies ("" if samples.csv alone knows it), and its level."""

    subject: str
    name: str
    level: str
    path: str
    notes: list[str]


class Biovid(Dataset):
    """Frames of the clips, labelled with the level of the stimulus."""

    label = Label("stimulus", 0.0, 4.0, "level of the heat applied, not pain shown or felt")
    exact_scan = False

    def __init__(self, index: Index) -> None:
        if index.biovid.root is None:
            raise SettingsError("index.biovid.root: not given; name the folder that holds PartA")
        self.folder = DataFolder(index.biovid.root, index.further_roots)
        self.videos = VideoReader(self.folder, index.max_megapixels)
        self.rate, self.seconds = index.videos.rate, index.videos.seconds

    def subjects(self) -> dict[str, int]:
        """Return about how many frames each subject has, from the number of clips."""
        found: Counter[str] = Counter()
        for clip in self._clips:
            found[clip.subject] += planned_frames(self.seconds, self.rate) if clip.path else 1
        return dict(found)

    def told(self) -> dict[str, Told]:
        """Return hashes of each subject's clips, with what samples.csv says of them."""
        found: dict[str, list[list[object]]] = {}
        for clip in self._clips:
            found.setdefault(clip.subject, []).append(
                [clip.name, clip.level, clip.path, clip.notes]
            )
        hashes = {subject: hash_of(sorted(map(str, clips))) for subject, clips in found.items()}
        return {subject: Told(each, each, each) for subject, each in hashes.items()}

    def file_of(self, path: str) -> str:
        """Return the clip of a frame."""
        return path.rpartition("#")[0]

    def index(self) -> pl.DataFrame:
        """Return one row a frame taken; a clip that cannot be read has one row."""
        return index_table([row for clip in self._clips for row in self._rows_of(clip)])

    def picture(self, path: str) -> np.ndarray | Fault:
        """Return a frame of a video."""
        return self.videos.read(path)

    def picture_at(self, path: str, time_s: float | None) -> np.ndarray | Fault:
        """Return the frame of a video that is shown at a time."""
        return self.videos.read(path, time_s)

    def close(self) -> None:
        """Close the video that was read last."""
        self.videos.close()

    def _rows_of(self, clip: Clip) -> list[dict[str, Any]]:
        match = _SUBJECT.fullmatch(clip.subject)
        common = {
            "subject": clip.subject,
            "sequence": clip.name,
            "label": LEVELS.get(clip.level.upper()),
            "sex": {"w": "f", "m": "m"}[match["sex"].lower()] if match else "",
            "age_group": _age_group(int(match["age"])) if match else "",
            "notes": clip.notes,
        }
        fault = None
        if common["label"] is None:
            levels = ", ".join(LEVELS)
            fault = Fault("bad_label", f"{clip.name}: class {clip.level!r} is none of {levels}")
        video = self.videos.inspect(clip.path) if clip.path else None
        if video is None:
            fault = Fault("missing_file", f"samples.csv lists {clip.name}, which is not there")
        elif isinstance(video, Fault):
            fault = video
        moments = [Moment(0)]
        if isinstance(video, Timeline):
            moments = video.moments(video.taken(self.rate))
        return [
            common
            | self.verdict(fault or moment.fault)
            | {
                "frame_id": frame_id(clip.subject, clip.name, f"{moment.number:06d}"),
                "position": position,
                "path": name_of(clip.path, moment.number) if clip.path else "",
                "time_s": moment.time_s,
            }
            for position, moment in enumerate(moments)
        ]

    @cached_property
    def _clips(self) -> list[Clip]:
        """Return all clips by subject and name.

        Raises:
            DataError: there is none.
        """
        clips: dict[str, Clip] = {}
        self._remarks: Counter[str] = Counter()
        found, tables = self._found()
        for path in found:
            name = PurePosixPath(path).stem
            match = _CLIP.fullmatch(name)
            if match is None:
                self._remarks["video whose name is not <subject>-<class>-<number>, not used"] += 1
            elif name.lower() in clips:
                self._remarks["second copy of a clip, not used"] += 1
            else:
                clips[name.lower()] = Clip(match["subject"].lower(), name, match["level"], path, [])
        if not clips:
            raise DataError(
                f"index.biovid.root {self.folder.root}: no clip like 071309_w_21-BL1-081.mp4 in it "
                f"or {_DEEPEST - 1} folders below; name the folder that holds PartA"
            )
        if tables:
            real = self.folder.locate(tables[0])
            if isinstance(real, Fault):
                self._remarks[f"{tables[0]}, which cannot be read, not used"] += 1
            else:
                self._compare(clips, read_sheet(Path(real)))
        return sorted(clips.values(), key=lambda clip: (clip.subject, clip.name))

    def _found(self) -> tuple[list[str], list[str]]:
        """Return paths of videos and of sample tables at any depth that copies have."""
        videos, tables = [], []
        here = [""]
        for _ in range(_DEEPEST):
            for parent in here:
                for name in file_names(self.folder, parent):
                    path = f"{parent}/{name}" if parent else name
                    if is_video(name):
                        videos.append(as_text(path))
                    elif name.lower() == "samples.csv":
                        tables.append(path)
            here = [child for parent in here for child in subfolders(self.folder, parent)]
        return videos, tables

    def _compare(self, clips: dict[str, Clip], samples: Sheet) -> None:
        """Add the clips that only samples.csv lists, and note those that it does not."""
        names = next((c for c in samples.columns if "sample" in c and "name" in c), None)
        if names is None:
            self._remarks["samples.csv without a sample_name column, not used"] += 1
            return
        classes = next((c for c in samples.columns if "class" in c and "name" in c), "")
        listed: dict[str, str] = {}
        for i, name in enumerate(samples.columns[names]):
            stem = os.path.basename(name.replace("\\", "/"))  # noqa: PTH119
            match = _CLIP.fullmatch(PurePosixPath(stem).stem if is_video(stem) else stem)
            if match is None:
                wrong = "row of samples.csv whose name is not <subject>-<class>-<number>"
                self._remarks[wrong] += 1
                continue
            listed[match[0].lower()] = samples.columns[classes][i] if classes else match["level"]
            fresh = Clip(match["subject"].lower(), match[0], match["level"], "", [])
            clips.setdefault(match[0].lower(), fresh)
        for key, clip in clips.items():
            if key not in listed:
                clip.notes.append("not_in_samples")
            elif listed[key].strip().upper() not in ("", clip.level.upper()):
                clip.notes.append(f"class_differs: samples.csv says {listed[key]!r}")


def _age_group(age: int) -> str:
    """Return the study's age group.

    >>> _age_group(21), _age_group(36), _age_group(70)
    ('18-35', '36-50', '51-65')
    """
    return "18-35" if age <= 35 else "36-50" if age <= 50 else "51-65"
