"""Finding a data set's parts in whatever copy of its folder tree lies on disk."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aacsfnet.datasets.files import DataFolder, as_text

#: Copies nest a folder in one of its own name twice; links may do so without end.
_DEEPEST_NESTING = 3


@dataclass
class Leaf:
    """The files of one sequence: their paths from the root, by frame name in small letters."""

    subject: str
    sequence: str
    files: dict[str, list[str]] = field(default_factory=dict)


def same_folder(name: str) -> str:
    """Return a folder's name without what copies of a data set spell differently.

    >>> same_folder("Frame_Labels") == same_folder("frame labels")
    True
    """
    return re.sub(r"[ _-]", "", name).lower()


def levels(folder: DataFolder, parents: list[str], name: str) -> list[str]:
    """Return the folders called `name` in `parents`, and those of the same name nested in them.

    Paths are relative to the data folder's root; case, blanks and underscores do not matter.
    """
    found: dict[str, str] = {}  # real path -> path: a link back up is no further level
    here = parents
    for _ in range(_DEEPEST_NESTING):
        here = [
            child
            for parent in here
            for child in subfolders(folder, parent)
            if same_folder(os.path.basename(child)) == same_folder(name)  # noqa: PTH119
        ]
        for child in here:
            found.setdefault(os.path.realpath(folder.root / child), child)
    return list(found.values())


def subfolders(folder: DataFolder, parent: str) -> list[str]:
    """Return the folders in a folder, by name; hidden ones and those outside the root are not."""
    return [
        join(parent, entry.name)
        for entry in _entries(folder, parent)
        if entry.is_dir() and (not entry.is_symlink() or folder.holds(Path(entry.path)))
    ]


def file_names(folder: DataFolder, parent: str) -> list[str]:
    """Return the names in a folder that are no folders, sorted."""
    return [entry.name for entry in _entries(folder, parent) if not entry.is_dir()]


def leaves(
    folder: DataFolder, roots: list[str], frame_of: Callable[[str], str]
) -> dict[tuple[str, str], Leaf]:
    """Return the files below `<root>/<subject>/<sequence>/`, by subject and sequence.

    Args:
        folder: the data folder.
        roots: folders to look through, relative to the data folder.
        frame_of: gives the frame's name for a file's name, or "" for a file of another kind.
    """
    found: dict[tuple[str, str], Leaf] = {}
    for root in roots:
        for subject in subfolders(folder, root):
            if same_folder(os.path.basename(subject)) == same_folder(os.path.basename(root)):  # noqa: PTH119
                continue  # a nested copy, which is a root of its own
            for sequence in subfolders(folder, subject):
                names = as_text(os.path.basename(subject)), as_text(os.path.basename(sequence))  # noqa: PTH119
                leaf = found.setdefault((names[0].lower(), names[1].lower()), Leaf(*names))
                for entry in _entries(folder, sequence):
                    if frame := as_text(frame_of(entry.name)):
                        path = as_text(join(sequence, entry.name))
                        leaf.files.setdefault(frame.lower(), []).append(path)
    return found


def _entries(folder: DataFolder, parent: str) -> Iterator["os.DirEntry[str]"]:
    """Return what lies in a folder, sorted; nothing hidden, as a Mac's `._x.png` for `x.png`."""
    try:
        entries = list(os.scandir(folder.root / parent))
    except OSError:  # no permission, or gone meanwhile: as if it were empty
        entries = []
    return iter(
        sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
    )


def join(parent: str, name: str) -> str:
    """Return a path below the root; the root itself is ""."""
    return f"{parent}/{name}" if parent else name
