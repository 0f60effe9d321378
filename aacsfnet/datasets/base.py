"""What a data set must offer: a fast scan of names, a truthful index, and its pictures."""

import hashlib
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl


@dataclass(frozen=True)
class Label:
    """A label's name, range and meaning, for axes, clipping and captions."""

    name: str
    low: float
    high: float
    meaning: str


@dataclass(frozen=True)
class Fault:
    """Why a frame has no picture: a status of `aacsfnet.table.STATUSES` and words."""

    status: str
    reason: str


class Dataset(ABC):
    """One source of frames with labels."""

    label: Label
    #: False where counting needs files to be opened (videos): `subjects` then plans, roughly.
    exact_scan: bool = True

    def remarks(self) -> dict[str, int]:
        """Return oddities that belong to no single frame, in words, with how often each was met.

        Complete after `index`.
        """
        return {}

    @abstractmethod
    def subjects(self) -> dict[str, int]:
        """Return how many frames each subject has, from names alone: no picture is opened."""

    def sources(self) -> list[Path]:
        """Return the files whose change makes the index stale (a manifest, say)."""
        return []

    @abstractmethod
    def index(self) -> pl.DataFrame:
        """Return one row a frame: the index table without its `shard` column."""

    @abstractmethod
    def pictures(self, rows: pl.DataFrame) -> Iterator[np.ndarray | Fault]:
        """Yield the frame of each index row in order: `(H, W, 3)` uint8 RGB, or what is wrong."""


def check_label(value: float | None, label: Label) -> str:
    """Return what is wrong with a label's value, or "" when it lies in the range."""
    if value is None or math.isnan(value):
        return f"{label.name} is no number (NaN or missing)"
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


def _quote(part: str) -> str:
    if part in ("", ".", ".."):
        return part.replace(".", "%2E") or "%00"
    return re.sub(r"[%/\\#\x00-\x1f\x7f]", lambda found: f"%{ord(found[0]):02X}", part)


def shard_prefix(subject: str) -> str:
    """Return a subject's name as a file name can hold it; distinct subjects stay distinct.

    >>> shard_prefix("042-ll042")
    '042-ll042'
    >>> shard_prefix("../b").startswith("b-")
    True
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", subject).strip("-")[:60]
    if plain == subject:
        return subject
    return f"{plain}-{hashlib.sha256(subject.encode()).hexdigest()[:8]}".lstrip("-")


def shards_of(subjects: dict[str, int], shard_frames: int) -> dict[str, int]:
    """Return how many frames each shard holds, by shard name, in subject order.

    >>> shards_of({"a": 5, "b": 2}, 2)
    {'a.00': 2, 'a.01': 2, 'a.02': 1, 'b.00': 2}
    """
    return {
        f"{shard_prefix(subject)}.{part:02d}": min(shard_frames, frames - part * shard_frames)
        for subject, frames in sorted(subjects.items())
        for part in range(max(1, -(-frames // shard_frames)))
    }
