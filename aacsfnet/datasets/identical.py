"""Files of the same bytes under two people's names: one of the two names is wrong."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress

from aacsfnet.datasets.files import DataFolder
from aacsfnet.tables import Fault

#: Bytes read first of files of one size; few that differ agree in them.
_FIRST = 4096
_BLOCK = 2**20


def same_bytes(
    folder: DataFolder,
    files: Iterable[tuple[str, str]],
    is_usable: Callable[[str], bool],
) -> tuple[int, list[str]]:
    """Return files that hold the same bytes and belong to different people.

    Sizes are compared first, then the middle of the files, then all of it; few are opened.

    Args:
        folder: paths start from it; nothing outside is opened.
        files: path and person of each.
        is_usable: whether a path leads to frames at all; black and damaged files may be alike.

    Returns:
        How many such groups there are, and the paths of the first.
    """
    people: dict[str, str] = {}
    for path, person in files:
        people.setdefault(path, person)
    groups = _by([*people], _sizes(folder, people).get, people)
    groups = [part for group in groups for part in _by(group, lambda p: _piece(folder, p), people)]
    groups = [part for group in groups for part in _by(group, lambda p: _whole(folder, p), people)]
    groups = [group for group in groups if is_usable(group[0])]
    return len(groups), (groups[0] if groups else [])


def _by(paths: list[str], key: Callable[[str], object], people: dict[str, str]) -> list[list[str]]:
    """Return the paths of each key (None: of no use) that belong to several people."""
    found: dict[object, list[str]] = defaultdict(list)
    for path in paths:
        if (value := key(path)) is not None:
            found[value].append(path)
    return [group for group in found.values() if len({people[path] for path in group}) > 1]


def _sizes(folder: DataFolder, paths: Iterable[str]) -> dict[str, int]:
    """Return the size of each file that is there, found by listing folders: far fewer calls."""
    named: dict[str, dict[str, str]] = defaultdict(dict)  # folder -> name -> path
    for path in paths:
        parent, _, name = path.rpartition("/")
        named[f"{parent}/" if path.startswith("/") else parent][name] = path
    sizes: dict[str, int] = {}
    for parent, names in named.items():
        place = folder.root / parent
        try:
            if not folder.holds(place / "any"):
                continue
            with os.scandir(place) as entries:
                for entry in entries:
                    if entry.name in names:
                        with suppress(OSError):  # a link that leads nowhere
                            sizes[names[entry.name]] = entry.stat().st_size
        except (OSError, ValueError):  # no such folder, or no name of one
            continue
    return {path: size for path, size in sizes.items() if size}


def _piece(folder: DataFolder, path: str) -> bytes | None:
    """Return bytes from the middle: headers are alike."""
    file = folder.open(path)
    if isinstance(file, Fault):
        return None
    with file:
        try:
            file.seek(max(0, os.fstat(file.fileno()).st_size // 2 - _FIRST // 2))
            return file.read(_FIRST)
        except OSError:
            return None


def _whole(folder: DataFolder, path: str) -> bytes | None:
    file = folder.open(path)
    if isinstance(file, Fault):
        return None
    digest = hashlib.blake2b(digest_size=16)
    with file:
        try:
            while block := file.read(_BLOCK):
                digest.update(block)
        except OSError:
            return None
    return digest.digest()
