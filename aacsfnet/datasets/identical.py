"""Files of the same bytes under two people's names: one of the two names is wrong."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable

from aacsfnet.datasets.files import DataFolder

#: Bytes read first of files of one size; few that differ agree in them.
_FIRST = 4096
#: Files whose sizes are asked for together.
_TOGETHER = 65_536


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
    sizes = _sizes(folder, people)
    groups = _by([*people], sizes.get, people)
    groups = [
        part
        for group in groups
        for part in _by(group, lambda path: _piece(folder, path, sizes[path]), people)
    ]
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
    """Return the size of each file that is there and not empty."""
    sizes: dict[str, int] = {}
    names = [*paths]
    for at in range(0, len(names), _TOGETHER):
        states = folder.states(names[at : at + _TOGETHER]).items()
        sizes |= {path: state.bytes for path, state in states if state.bytes}
    return sizes


def _piece(folder: DataFolder, path: str, size: int) -> bytes | None:
    """Return the digest of bytes from the middle: headers are alike."""
    found = folder.middle(path, size, _FIRST)
    return None if found is None else hashlib.blake2b(found, digest_size=16).digest()


def _whole(folder: DataFolder, path: str) -> str | None:
    return folder.digest(path) or None
