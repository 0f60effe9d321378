"""What lies in a data set's results and belongs to nothing any more, and its removal.

Left over are results of subjects and experiments that data set and settings no longer have, what
killed jobs left, and caches. Consent can be withdrawn: what was made of a removed subject goes, and
so does what was made of all subjects with that one among them; the next run makes it anew.
"""

import json
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from aacsfnet import tables
from aacsfnet.config import Config
from aacsfnet.datasets import open_dataset
from aacsfnet.datasets.base import shard_prefix, shards_of
from aacsfnet.datasets.packing import SHARED
from aacsfnet.errors import DataError
from aacsfnet.files import is_left
from aacsfnet.jobs import is_left_lock
from aacsfnet.layout import SHARD, Layout, job_of_state
from aacsfnet.space import in_bytes
from aacsfnet.stages import SHARDED

#: What leftovers are of, in words; a subject's or an experiment's name follows.
_SUBJECT, _EXPERIMENT = "removed subject ", "removed experiment "
_AMONG = "made of removed subjects among others"


@dataclass(frozen=True)
class Leftover:
    """A file or folder that nothing needs: of what it is left, and the bytes that it takes."""

    path: Path
    of: str
    bytes: int


def leftovers(config: Config, results: Path) -> list[Leftover]:
    """Return what is left over in a data set's results, each file or folder once.

    Args:
        config: all settings; subjects and experiments that they do not lead to are gone.
        results: the data set's results, `results/<dataset>`.

    Raises:
        DataError: the results are of another data set than the settings name.
    """
    search = _Search(config, Layout(config, results))
    found: dict[Path, str] = {}
    for path, of in search.all():
        if path.exists():
            found.setdefault(path, of)
    whole = [path for path in found if not any(parent in found for parent in path.parents)]
    return [Leftover(path, found[path], size_of(path)) for path in whole]


def of_subjects(found: Collection[Leftover]) -> list[Leftover]:
    """Return what is left of subjects who were removed from the data set."""
    return [each for each in found if each.of.startswith(_SUBJECT) or each.of == _AMONG]


def remove(config: Config, results: Path, found: Collection[Leftover]) -> None:
    """Remove what is left over.

    Raises:
        WorkError: a run works in these results.
    """
    with Layout(config, results).hold():
        for each in found:
            if each.path.is_dir() and not each.path.is_symlink():
                shutil.rmtree(each.path)
            else:
                each.path.unlink(missing_ok=True)


def in_words(found: Collection[Leftover], results: Path, done: bool) -> str:
    """Return what is (or would be) removed and what each frees, as lines for a terminal."""
    if not found:
        return f"{results}: nothing is left over"
    lines = []
    for of in dict.fromkeys(each.of for each in found):
        group = [each for each in found if each.of == of]
        lines.append(f"{of}: {in_bytes(sum(each.bytes for each in group))}")
        lines += [f"  {in_bytes(each.bytes):>9}  {each.path}" for each in group]
    total = in_bytes(sum(each.bytes for each in found))
    told = f"removed, {total} freed" if done else f"{total} would be freed; remove with --yes"
    return "\n".join([*lines, f"{len(found)} files and folders: {told}"])


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    if path.is_dir() and not path.is_symlink():
        return sum(size_of(each) for each in path.iterdir())
    return path.lstat().st_size


class _Search:
    """The search through a data set's results; what it yields may overlap, or not be there."""

    def __init__(self, config: Config, layout: Layout) -> None:
        self._config, self._layout = config, layout
        dataset = open_dataset(config)
        planned = dataset.subjects()
        self._sources = {path.name for path in dataset.sources()}
        self._planned = {*planned}
        cut = config.index
        self._shards = {*shards_of(planned, cut.shard_frames, cut.packed_frames)}
        self._prefixes = {shard_prefix(subject) for subject in planned}
        self._people: dict[str, set[str]] = {}  # by shard, as the index says
        if layout.index.is_file():
            rows = tables.read(layout.index, ["shard", "subject"]).unique()
            for shard, subject in rows.iter_rows():
                self._people.setdefault(shard, set()).add(subject)
        self._shared: dict[str, set[str]] = {}  # the same of shared ones, as their tables say
        named = set().union(*self._people.values())
        if layout.folder.resolve().name != config.dataset or (named and not named & self._planned):
            raise DataError(
                f"{layout.folder}: no subject of these results is in the data set"
                f" {config.dataset!r} of the settings; name the settings that made them (--config)"
            )

    def all(self) -> Iterator[tuple[Path, str]]:
        """Yield every leftover, and what it is of."""
        yield from self._experiments()
        yield from self._shards_left()
        yield from self._made_of_all()
        yield from self._folds()
        yield from self._of_jobs()
        yield self._layout.verified, "cache of compared files"
        yield from self._plan()

    def _plan(self) -> Iterator[tuple[Path, str]]:
        """Yield the plan of the latest run if it names what the data set no longer has."""
        try:
            left = json.loads(self._layout.plan.read_text(encoding="utf-8"))
            # They may have been moved; names are what may tell of somebody.
            told = {*left["shards"]} | {Path(name).name for name in left["sources"]}
        except (OSError, ValueError, LookupError, TypeError):
            return
        if told - self._shards - self._sources:
            yield self._layout.plan, "plan of the latest run for its jobs"

    def _beside(self, result: Path) -> list[Path]:
        """Return a result with log and times of the job that wrote it, of those below it too."""
        more = (self._layout.log(result), self._layout.benchmark(result))
        return [result, *more, *(path.with_suffix("") for path in more)]

    def _experiments(self) -> Iterator[tuple[Path, str]]:
        folder = self._layout.folder / "experiments"
        for path in sorted(folder.glob("*/")):
            if path.name not in self._layout.experiments:
                yield from ((each, f"{_EXPERIMENT}{path.name}") for each in self._beside(path))

    def _shards_left(self) -> Iterator[tuple[Path, str]]:
        """Yield tables, logs and times of shards that nobody's frames lie in."""
        folders = (path for stage in SHARDED for path in sorted(self._layout.folder.rglob(stage)))
        for path in (path for folder in folders for path in sorted(folder.iterdir())):
            match = SHARD.match(path.name.removeprefix("."))
            if match is not None and (of := self._of_shard(match[0], match["subject"])):
                yield path, of

    def _of_shard(self, shard: str, prefix: str) -> str:
        """Return what a shard's files are left of, "" where they are not."""
        people = self._who(shard, prefix)
        gone = people - self._planned
        if shard in self._shards:
            return _AMONG if gone else ""
        if gone and not people & self._planned:
            return _SUBJECT + ", ".join(sorted(gone))
        return _AMONG if gone else "shards that are cut otherwise now"

    def _who(self, shard: str, prefix: str) -> set[str]:
        """Return whose frames lie in a shard: as the index says, of a shared one its tables too."""
        if not SHARED.fullmatch(prefix):
            return self._people.get(shard, set() if prefix in self._prefixes else {prefix})
        if shard not in self._shared:
            found = map(_subjects_in, self._layout.folder.rglob(f"{shard}.parquet"))
            self._shared[shard] = self._people.get(shard, set()).union(*found)
        return self._shared[shard]

    def _made_of_all(self) -> Iterator[tuple[Path, str]]:
        """Yield what was made of all subjects and of somebody who is gone."""
        layout = self._layout
        gone = {layout.index: self._gone_in(layout.index)}
        for scope in layout.scopes("merge"):
            merged = layout.merged(scope)
            gone[merged.folder] = self._gone_in(merged.index)
        for name in layout.experiments:
            found = layout.experiment(name)
            predicted = map(self._gone_in, found.folder.rglob("predictions.parquet"))
            merged = layout.merged(layout.scope(name, "merge"))
            them = gone[merged.folder].union(*predicted)
            models = found.folder.glob("seed-*/fold-*")
            files = (
                *(found.metrics, found.predictions, found.reliability, found.explanation),
                *models,
            )
            gone |= dict.fromkeys(files, them)
        everybody = set().union(*gone.values())
        gone |= {layout.report: everybody, layout.report_files.folder: everybody}
        for path in (path for path, them in gone.items() if them):
            yield from ((each, _AMONG) for each in self._beside(path))

    def _gone_in(self, path: Path) -> set[str]:
        """Return the subjects in a table that the data set no longer has."""
        return _subjects_in(path) - self._planned

    def _folds(self) -> Iterator[tuple[Path, str]]:
        """Yield networks of seeds and folds that the settings no longer have."""
        seeds = {f"seed-{seed}" for seed in self._config.training_seeds}
        for name in self._layout.experiments:
            splits = self._layout.merged(self._layout.scope(name, "merge")).splits
            if not splits.is_file():
                continue
            folds = {f"fold-{fold}" for fold in pl.read_parquet(splits, columns=["fold"])["fold"]}
            for path in self._layout.experiment(name).folder.glob("seed-*/fold-*"):
                if path.parent.name not in seeds or path.name not in folds:
                    yield from ((each, "seeds and folds of before") for each in self._beside(path))

    def _of_jobs(self) -> Iterator[tuple[Path, str]]:
        """Yield what killed jobs left, but not what an unfinished one resumes from."""
        for path in sorted(self._layout.folder.rglob(".*")):
            if is_left(path) or is_left_lock(path):
                yield path, "temporary files of processes that are gone"
            elif (result := job_of_state(path)) is not None and result.is_file():
                yield path, "states of finished jobs"


def _subjects_in(path: Path) -> set[str]:
    """Return the subjects in a table; none where it cannot be read."""
    try:
        found = pl.read_parquet(path, columns=["subject"])["subject"].unique()
    except (OSError, pl.exceptions.PolarsError):
        return set()
    return {*found} - {None, ""}
