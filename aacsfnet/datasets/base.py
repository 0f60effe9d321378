"""What a data set must offer: a fast scan of names, a truthful index, and its pictures."""

import hashlib
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
