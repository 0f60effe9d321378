"""What each shard's results take of the data set: hashes that a plan and a job find alike.

The index notes them; a shard's jobs read them there, and the plan of the next run compares them
with what the data set tells by then.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from aacsfnet import tables
from aacsfnet.config import Config
from aacsfnet.datasets.base import Dataset, shards_by_subject
from aacsfnet.datasets.files import State
from aacsfnet.errors import DataError
from aacsfnet.made import hash_of
from aacsfnet.stages import STAGES

#: Of a file: its size in bytes, when it was changed last, and the digest of its bytes; null and ""
#: where there was none.
Source = tuple[int | None, int | None, str]
_NOTHING = (None, None)
#: Columns of the index that hold the size and the time of each row's file.
_STATE = ("file_bytes", "file_modified")
#: Bytes of a file that is looked into though its frames cannot be used; larger ones may be endless.
_SMALL = 2**26
#: Rows of an index whose files are looked at together, as a million of them take memory.
_TOGETHER = 65_536
_NOT_READ = ("missing_file", "outside_root", "unreadable", "bad_subject", "bad_label", "duplicate")


@dataclass(frozen=True)
class Rows:
    """Hashes of what is taken of the index.

    Attributes:
        frames: by shard, what a stage takes that reads no labels.
        labels: by shard, what a stage takes that reads all labels of the shard's subjects.
        everything: of the whole index.
        label_files: how the files are that hold labels, if they have files of their own.
    """

    frames: dict[str, str]
    labels: dict[str, str]
    everything: str
    label_files: str

    def noted(self) -> dict[str, Any]:
        """Return them as the index table notes them."""
        return {"rows": vars(self)}


def rows_of(config: Config, dataset: Dataset, planned: Mapping[str, int]) -> Rows:
    """Return the hashes of a data set as it is now.

    Args:
        config: all settings.
        dataset: the data set.
        planned: its subjects, with how many frames each has.
    """
    told = dataset.told()
    version, most = STAGES["index"].version, config.index.shard_frames
    dealt = shards_by_subject(planned, most, config.index.packed_frames)
    frames, labels = {}, {}
    for shard, subjects in who_is_in(dealt).items():
        if len(subjects) > 1:
            frames[shard] = hash_of([version, [(name, told[name].frames) for name in subjects]])
            labels[shard] = hash_of([version, [(name, told[name].labels) for name in subjects]])
            continue
        (subject,) = subjects
        # Where a subject fills several shards, their size says which frames each holds.
        cut = [len(dealt[subject]), most] if len(dealt[subject]) > 1 else []
        frames[shard] = hash_of([version, told[subject].frames, cut])
        labels[shard] = hash_of([version, told[subject].labels])
    everything = hash_of([version, most, sorted((name, *each) for name, each in told.items())])
    files = [file for names in dataset.label_files().values() for file in names]
    return Rows(frames, labels, everything, hash_of(sorted(dataset.states(files).items())))


def who_is_in(dealt: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the subjects of each shard, in order, from the shards of each subject."""
    found: dict[str, list[str]] = {}
    for subject in sorted(dealt):
        for shard in dealt[subject]:
            found.setdefault(shard, []).append(subject)
    return found


def rows_in(index: Path) -> Rows:
    """Return the hashes that an index notes.

    Raises:
        DataError: there is no index, or one that an earlier version of this package wrote.
    """
    found = tables.notes(index).get("rows")
    if found is None:
        raise DataError(f"{index}: written by an earlier version; run the index stage again")
    return Rows(**found)


def noted_rows(index: Path, kind: str, shard: str) -> str:
    """Return the hash of what a shard takes of an index, "" where the index notes none.

    Args:
        index: the table.
        kind: "frames" or "labels", as in `Rows`.
        shard: its name.
    """
    found: str = tables.notes(index).get("rows", {}).get(kind, {}).get(shard, "")
    return found


def files_of(dataset: Dataset, rows: pl.DataFrame) -> dict[str, bool]:
    """Return the files that rows are made from, of pictures and of labels.

    Args:
        dataset: the data set.
        rows: columns `path`, `status` and `subject`; the status is that after reading.

    Returns:
        By file, whether a picture was read from it.
    """
    labels = dataset.label_files()
    found = {file: False for who in rows["subject"].unique() for file in labels.get(who, ())}
    for path, status in rows.select("path", "status").iter_rows():
        if file := dataset.file_of(path):
            found[file] = found.get(file, False) or status not in _NOT_READ
    return found


def sources_of(dataset: Dataset, files: Mapping[str, bool]) -> dict[str, Source]:
    """Return files as they are now, with the digest where they were read or are small."""
    names = sorted(files)
    states = dataset.states(names)
    found: dict[str, Source] = {}
    for name in names:
        if (state := states.get(name)) is None:
            found[name] = (None, None, "")
            continue
        looks = files[name] or state.bytes <= _SMALL
        found[name] = (*state, dataset.folder.digest(name) if looks else "")
    return found


def exchanged(
    dataset: Dataset,
    sources: Mapping[str, Source],
    verified: dict[str, Source] | None = None,
    known: Mapping[str, State] | None = None,
) -> list[str]:
    """Return the files that hold other bytes than those that were read, or came, or are gone.

    A file of the same size and another time is read again: its bytes decide.

    Args:
        dataset: the data set.
        sources: the files as they were.
        verified: files that were read again before, as they were then; it is added to.
        known: how files are now; the others are looked at.
    """
    verified, known = {} if verified is None else verified, known or {}
    states = {**known, **dataset.states(file for file in sources if file not in known)}
    found = []
    for file, was in sources.items():
        now = states.get(file, _NOTHING)
        if now == was[:2]:
            continue
        if was[2] and now[0] == was[0]:
            if verified.get(file, ())[:2] != now:
                verified[file] = (*now, dataset.folder.digest(file))
            if verified[file][2] == was[2]:
                continue
        found.append(file)
    return found


def altered(dataset: Dataset, sources: Mapping[str, Source]) -> list[str]:
    """Return the same as `exchanged`, but read every file that was read."""
    states = dataset.states(sources)
    return [
        file
        for file, was in sources.items()
        if (
            dataset.folder.digest(file) != was[2]
            if was[2]
            else states.get(file, _NOTHING) != was[:2]
        )
    ]


def noted_sources(notes: Mapping[str, Any]) -> dict[str, Source]:
    """Return the files that a crop table was made from, as its notes tell them."""
    return {name: tuple(each) for name, each in notes.get("sources", {}).items()}


def sources_hash(sources: Mapping[str, Source]) -> str:
    """Return one hash for the bytes of files, whatever their times."""
    return hash_of(sorted((name, digest or size) for name, (size, _, digest) in sources.items()))


def with_states(table: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """Return an index with the size and the time of each row's file."""
    sizes, times = (pl.Series(name, [], pl.Int64) for name in ("file_bytes", "file_modified"))
    for rows in table.select("path").iter_slices(_TOGETHER):
        files = [dataset.file_of(path) for path in rows["path"]]
        states = dataset.states(dict.fromkeys(filter(None, files)))
        found = zip(*(states.get(file, _NOTHING) for file in files), strict=True)
        for column, values in zip((sizes, times), found, strict=True):
            column.append(pl.Series(values, dtype=pl.Int64))
    return table.with_columns(sizes, times)


def looked_at_now(dataset: Dataset, index: pl.DataFrame) -> pl.DataFrame:
    """Return an index, columns `path` and those of `with_states`, with its files' states now.

    These are columns of the same names and `_now`.
    """
    now = with_states(index, dataset)
    return index.with_columns(now[name].alias(f"{name}_now") for name in _STATE)


def moved_on(dataset: Dataset, looked_at: pl.DataFrame) -> list[str]:
    """Return the files of another size or time than the index says, given `looked_at_now`."""
    differs = pl.any_horizontal(pl.col(n).ne_missing(pl.col(f"{n}_now")) for n in _STATE)
    return list(dict.fromkeys(dataset.file_of(path) for path in looked_at.filter(differs)["path"]))


def states_of(dataset: Dataset, looked_at: pl.DataFrame) -> dict[str, State]:
    """Return the files of rows that were there, as they were then, given `looked_at_now`."""
    rows = looked_at.select("path", *(f"{name}_now" for name in _STATE)).drop_nulls()
    return {dataset.file_of(path): State(*state) for path, *state in rows.iter_rows()}
