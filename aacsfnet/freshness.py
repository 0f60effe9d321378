"""Which results stand, and why others are made again: told by the results themselves.

A result stands if the note in it (`aacsfnet.made`) says what would be noted today, and if the files
of the data set hold the bytes that were read. Times of results, the folder or checkout they lie in,
and Snakemake's own records count for nothing, so that moved results stand and changed settings are
seen wherever the results are.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

import polars as pl

from aacsfnet import tables
from aacsfnet.config import Config
from aacsfnet.datasets import Dataset
from aacsfnet.datasets.shards import (
    Rows,
    Source,
    exchanged,
    looked_at_now,
    moved_on,
    noted_sources,
    rows_in,
    rows_of,
    sources_hash,
    states_of,
)
from aacsfnet.errors import DataError
from aacsfnet.evaluation.group_summary import words_hash
from aacsfnet.files import replacing
from aacsfnet.layout import Layout
from aacsfnet.made import Note, hash_of, made_from, note_in, of_report
from aacsfnet.stages import SHARDED, STAGES

#: What a difference of notes means, for who runs the workflow.
_WORDS = {
    "settings": "other settings, or an earlier version of the stage",
    "rows": "other rows of the data set",
    "index": "other rows of the data set",
}
_MISSING = "not there"
_NAMED = 5


class Freshness:
    """The results of a run, each with the reason why it is made again, "" if it stands.

    Args:
        config: all settings.
        layout: where results lie.
        dataset: the data set.
        planned: its subjects, with how many frames each has.
        shards: of all subjects.
        forced: stages and paths that are made again in any case.
    """

    def __init__(
        self,
        config: Config,
        layout: Layout,
        dataset: Dataset,
        planned: dict[str, int],
        shards: list[str],
        forced: Iterable[str] = (),
    ) -> None:
        self._config, self._layout, self._dataset = config, layout, dataset
        self._planned, self._shards, self._forced = planned, shards, frozenset(forced)
        self._reasons: dict[Path, str] = {}
        self._notes: dict[Path, Note] = {}
        self._made: dict[tuple[str, str], Note] = {}
        self._verified: dict[str, Source] = self._read_verified()
        self._looked_at: dict[str, pl.DataFrame] = {}  # rows of a shard and their files, once seen
        self._roots: list[tuple[Path, str]] = []
        self._told: Counter[tuple[Path, str]] = Counter()

    @cached_property
    def _rows(self) -> Rows:
        return rows_of(self._config, self._dataset, self._planned)

    def index(self) -> str:
        """Return why the index is made again."""
        path = self._layout.index
        return self._known("index", [path], lambda: self._index(path))

    def table(self, scope: str, stage: str, shard: str) -> str:
        """Return why the table of a shard is made again."""
        path = self._layout.table(scope, stage, shard)
        return self._known(stage, [path], lambda: self._table(path, scope, stage, shard))

    def merged(self, scope: str) -> str:
        """Return why merged data are made again."""
        merged = self._layout.merged(scope)
        files = [merged.index, merged.images, merged.splits]
        return self._known("merge", files, lambda: self._merged(merged.index, scope))

    def trained(self, experiment: str, seed: int | str, fold: int | str) -> str:
        """Return why a network is trained again."""
        found = self._layout.trained(experiment, seed, fold)

        def why() -> str:
            scope = self._layout.scope(experiment, "merge")
            if self.merged(scope):
                return "after merge"
            merge = self._hash(self._layout.merged(scope).index)
            wanted = {"merge": merge, "fold": str(fold), "seed": str(seed)}
            own = self._own("train", f"experiments/{experiment}/")
            return self._differs(found.description, own | wanted)

        files = [found.description, found.weights, found.features, found.history]
        files.append(found.predictions)
        return self._known("train", files, why)

    def evaluated(self, experiment: str, runs: Iterable[tuple[int, int]]) -> str:
        """Return why an experiment's figures are made again; `runs` are its seeds and folds."""
        found = self._layout.experiment(experiment)

        def why() -> str:
            hashes = []
            for seed, fold in runs:
                if self.trained(experiment, seed, fold):
                    return "after train"
                description = self._layout.trained(experiment, seed, fold).description
                hashes.append(self._hash(description))
            own = self._own("evaluate", "")
            groups = words_hash(self._dataset, self._config.evaluate.groups)
            wanted = {"train": hash_of(sorted(hashes)), "groups": groups}
            return self._differs(found.metrics, own | wanted)

        files = [found.metrics, found.predictions, found.reliability]
        return self._known("evaluate", files, why)

    def report(self, evaluated: Callable[[str], str]) -> str:
        """Return why the report is made again; `evaluated` tells so of an experiment."""

        def why() -> str:
            if self.index() or any(map(evaluated, self._layout.experiments)):
                return "after evaluate"
            wanted = of_report(self._config, self._layout.index, self._layout.figures())
            return self._differs(self._layout.report, wanted)

        return self._known("report", [self._layout.report], why)

    def news(self) -> list[str]:
        """Return, in words, reasons found since the last call that no earlier stage gives.

        Of many results of a stage with one reason, the first few are named.
        """
        lines = []
        for path, words in self._roots:
            group = path.parent, words.rpartition(":")[2]
            self._told[group] += 1
            if self._told[group] <= _NAMED:
                lines.append(f"{path} is made again: {words}")
            elif self._told[group] == _NAMED + 1:
                lines.append(f"{path.parent}: and more, {group[1].strip()}")
        self._roots.clear()
        return lines

    def keep(self) -> None:
        """Keep what was read to compare files of other times, so that it is read once."""
        if self._verified:
            with replacing(self._layout.verified) as temporary:
                temporary.write_text(json.dumps(self._verified), encoding="utf-8")

    def _read_verified(self) -> dict[str, Source]:
        try:
            found = json.loads(self._layout.verified.read_text(encoding="utf-8"))
            return {
                name: (size, modified, digest) for name, (size, modified, digest) in found.items()
            }
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _known(self, stage: str, files: list[Path], why: Callable[[], str]) -> str:
        """Return a reason found before, or find it."""
        path = files[0]
        if (known := self._reasons.get(path)) is None:
            if stage in self._forced or self._forced.intersection(map(str, files)):
                known = "asked for"
            elif all(file.is_file() for file in files):
                known = why()
            else:
                known = _MISSING
            self._reasons[path] = known
            if known and known != _MISSING and not known.startswith("after "):
                self._roots.append((path, known))
        return known

    def _note(self, path: Path) -> Note:
        if (known := self._notes.get(path)) is None:
            known = self._notes[path] = note_in(path)
        return known

    def _hash(self, path: Path) -> str:
        return hash_of(self._note(path))

    def _own(self, stage: str, scope: str) -> Note:
        """Return the part of a note that does not depend on inputs."""
        if (known := self._made.get((stage, scope))) is None:
            known = made_from(self._layout.config(scope), stage)
            self._made[stage, scope] = known
        return known

    def _differs(self, path: Path, wanted: Note) -> str:
        """Return what is other in a note than wanted, in words."""
        found = self._note(path)
        if not found:
            return "it does not say what it was made from"
        names = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
        return _WORDS.get(names[0], f"made from other results of {names[0]}") if names else ""

    def _index(self, path: Path) -> str:
        if words := self._differs(path, self._wanted_of_index()):
            return words
        try:
            if rows_in(path).label_files != self._rows.label_files:
                return "files of labels have changed"
            stored = tables.read(path, ["path", "shard", "file_bytes", "file_modified"])
        except DataError as error:
            return str(error)
        seen = looked_at_now(self._dataset, stored)
        self._looked_at = {name: rows for (name,), rows in seen.group_by("shard")}
        moved = set(moved_on(self._dataset, seen))
        if moved:  # those of other times may hold what the crops were made from
            moved -= self._same_bytes(moved)
        return f"{_some(sorted(moved))} changed" if moved else ""

    def _same_bytes(self, files: set[str]) -> set[str]:
        """Return those of the files that hold the bytes that some shard's crops were made from."""
        same: set[str] = set()
        for scope in self._layout.scopes("crop"):
            for path in self._layout.finished(scope, "crop", self._shards):
                try:
                    noted = noted_sources(tables.notes(path))
                except DataError:  # it is made again
                    continue
                sources = {name: each for name, each in noted.items() if name in files}
                same |= sources.keys() - set(exchanged(self._dataset, sources, self._verified))
        return same

    def _wanted_of_index(self) -> Note:
        return self._own("index", "") | {"rows": self._rows.everything}

    def _table(self, path: Path, scope: str, stage: str, shard: str) -> str:
        wanted = dict(self._own(stage, scope))
        for earlier in STAGES[stage].after:
            if earlier == "index":
                kind = self._rows.frames if stage == "crop" else self._rows.labels
                wanted["rows"] = kind[shard]
                continue
            place = self._layout.scope_within(scope, earlier)
            if self.table(place, earlier, shard):
                return f"after {earlier}"
            wanted[earlier] = self._hash(self._layout.table(place, earlier, shard))
        if stage == "crop":
            try:
                notes = tables.notes(path)
            except DataError:
                return "damaged"
            note = notes.get("made_from")
            self._notes[path] = note if isinstance(note, dict) else {}
            sources = noted_sources(notes)
            wanted["files"] = sources_hash(sources)
            seen = self._looked_at.pop(shard, None)
            known = {} if seen is None else states_of(self._dataset, seen)
            if other := exchanged(self._dataset, sources, self._verified, known):
                return f"{_some(other)}: other bytes than were read"
        return self._differs(path, wanted)

    def _merged(self, path: Path, scope: str) -> str:
        wanted = self._own("merge", scope) | {"index": hash_of(self._wanted_of_index())}
        for stage in STAGES["merge"].after:
            if stage not in SHARDED:
                continue
            place = self._layout.scope_within(scope, stage)
            if [shard for shard in self._shards if self.table(place, stage, shard)]:
                return f"after {stage}"
            files = self._layout.tables(place, stage, sorted(self._shards))
            wanted[stage] = hash_of([self._hash(file) for file in files])
        return self._differs(path, wanted)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
