"""What a result was made from: noted in the result itself, so that it holds wherever that lies.

A note is a dict of names and hashes: `settings` (those that reach the stage, with its version), and
one for each input. The hash of a note stands for the result in the notes of those made from it, so
that two results with equal notes were made alike, from the first file on.
"""

import hashlib
import html
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aacsfnet import tables
from aacsfnet.config import Config
from aacsfnet.errors import DataError
from aacsfnet.stages import STAGES, settings_of

Note = dict[str, str]

#: Settings of a data set that say where it lies or how much of it there is: its rows and the bytes
#: of its files tell that themselves, also after they were moved.
_PLACES = {"demo": ("subjects",), "manifest": ("file", "root")} | dict.fromkeys(
    ("unbc", "biovid", "data_pre"), ("root",)
)
#: A note in a page stands before anything long.
_HEAD = 4096
_META = re.compile(r'<meta name="aacsfnet-made-from" content="([^"]*)">')


def hash_of(value: Any) -> str:
    """Return the hash of a value that JSON can hold; equal values have the same.

    >>> hash_of({"a": 1, "b": 2}) == hash_of({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def made_from(config: Config, stage: str, **inputs: str) -> Note:
    """Return the note of a result.

    Args:
        config: all settings; those that reach the stage count.
        stage: that makes it.
        inputs: the hash of each thing that it is made from, by name.
    """
    settings = settings_of(config, stage)
    of_dataset = settings.get("index", {}).get(config.dataset, {})
    for key in _PLACES[config.dataset]:
        of_dataset.pop(key, None)
    return {"settings": hash_of([STAGES[stage].version, settings])} | inputs


def from_tables(config: Config, stage: str, /, *, rows: str = "", **inputs: Path) -> dict[str, Any]:
    """Return what a table notes of itself, given the tables that it is made from.

    Args:
        config: all settings.
        stage: that makes it.
        rows: the hash of what it takes of the index; "" where it takes nothing.
        inputs: tables of earlier stages, by stage.
    """
    hashes = {name: hash_in(path) for name, path in inputs.items()}
    return {"made_from": made_from(config, stage, **({"rows": rows} if rows else {}), **hashes)}


def note_in(path: Path) -> Note:
    """Return the note in a table, a JSON file or a page; an empty one where there is none."""
    try:
        if path.suffix == ".parquet":
            found = tables.notes(path).get("made_from")
        elif path.suffix == ".json":
            found = json.loads(path.read_text(encoding="utf-8")).get("made_from")
        else:
            with path.open(encoding="utf-8", errors="replace") as page:
                told = _META.search(page.read(_HEAD))
            found = json.loads(html.unescape(told[1])) if told else None
    except (DataError, OSError, ValueError, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def hash_in(path: Path) -> str:
    """Return the hash of the note in a file, "" where there is none."""
    note = note_in(path)
    return hash_of(note) if note else ""


def hash_of_all(paths: Iterable[Path]) -> str:
    """Return one hash for the notes of several files in their order."""
    return hash_of([hash_in(path) for path in paths])


def of_report(config: Config, index: Path, figures: Iterable[Path]) -> Note:
    """Return the note of the report: it is made from the index and every experiment's figures."""
    return made_from(config, "report", index=hash_in(index), evaluate=hash_of_all(figures))
