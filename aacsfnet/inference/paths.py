"""Which files are meant: pictures and videos by name, by folder, by pattern."""

import re
from collections.abc import Iterable, Iterator
from glob import glob, has_magic
from pathlib import Path

from aacsfnet.datasets.containers import VIDEO_SUFFIXES
from aacsfnet.datasets.files import as_text, shorten
from aacsfnet.datasets.pictures import PICTURE_SUFFIXES
from aacsfnet.errors import DataError


def files_of(given: Iterable[str | Path]) -> list[Path]:
    """Return the files that paths mean, each once, in the order given.

    A folder means the pictures and videos in it and below, by their suffixes; a pattern (`*`, `?`,
    `[]`, `**`) likewise for what it finds. Both are sorted with numbers by their value, so
    `frame10` follows `frame9`. A file that is named itself may have any suffix.

    Raises:
        DataError: a path is not there, or means no picture and no video.
    """
    found: dict[Path, None] = {}
    for each in given:
        path = Path(each)
        if path.is_file():
            meant = [path]
        elif path.is_dir():
            meant = list(_below(path))
        elif has_magic(str(each)):
            places = sorted(map(Path, glob(str(each), recursive=True)), key=_by_number)  # noqa: PTH207
            meant = [
                file for place in places for file in (_below(place) if place.is_dir() else [place])
            ]
            meant = [file for file in meant if _is_ours(file)]
        else:
            raise DataError(f"{_shown(path)}: no such file or folder")
        if not meant:
            kinds = ", ".join(sorted(PICTURE_SUFFIXES | VIDEO_SUFFIXES))
            raise DataError(f"{_shown(path)}: no picture and no video there; looked for {kinds}")
        found |= dict.fromkeys(meant)
    return list(found)


def _below(folder: Path) -> Iterator[Path]:
    found = (path for path in folder.rglob("*") if _is_ours(path))
    yield from sorted(found, key=_by_number)


def _is_ours(path: Path) -> bool:
    hidden = path.name.startswith(".")
    return not hidden and path.suffix.lower() in PICTURE_SUFFIXES | VIDEO_SUFFIXES


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts numbers in names by their value.

    >>> sorted([Path("a10"), Path("a9")], key=_by_number)
    [PosixPath('a9'), PosixPath('a10')]
    """
    parts = re.split(r"([0-9]+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _shown(path: Path) -> str:
    return shorten(as_text(str(path)))
