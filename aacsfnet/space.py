"""Room on the disk: taken before it is needed, and its lack told in one line."""

import errno
import os
import re
import shutil
from pathlib import Path

from aacsfnet.errors import WorkError

_ERRNOS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
#: What libraries say that raise errors of their own kind.
_WORDS = re.compile(r"No space left on device|Disk quota exceeded|StorageFull|os error (28|122|27)")


class NoSpaceError(WorkError):
    """There is no room for a file.

    Attributes:
        folder: where.
        missing: bytes that are needed besides those that are free; 0 where that is not known.
    """

    def __init__(self, folder: Path, missing: int = 0) -> None:
        super().__init__(folder, missing)
        self.folder, self.missing = folder, max(missing, 0)

    def __str__(self) -> str:
        """Return the line for a user."""
        return self.in_words("")

    def in_words(self, stage: str) -> str:
        """Return the line for a user; `stage` is what the room is needed for."""
        purpose = f" for {stage}" if stage else ""
        more = f"{in_bytes(self.missing)} more needed" if self.missing else "more is needed"
        return f"no space left in {self.folder}: {more}{purpose}"


def allocate(path: Path, size: int) -> None:
    """Give a file its size on the disk, so that no later write to it can lack room.

    Raises:
        NoSpaceError: there is not so much.
    """
    free = shutil.disk_usage(path.parent).free
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if not lacks_space(error):
                raise
            raise NoSpaceError(path.parent, size - free) from error


def lacks_space(error: BaseException | None) -> bool:
    """Return whether an error, or one that it follows from, says that the disk is full."""
    while error is not None:
        if isinstance(error, NoSpaceError) or _WORDS.search(str(error)):
            return True
        if isinstance(error, OSError) and error.errno in _ERRNOS:
            return True
        error = error.__cause__ or error.__context__
    return False


def in_bytes(count: int) -> str:
    """Return a number of bytes in words.

    >>> in_bytes(999), in_bytes(1500), in_bytes(3_200_000_000)
    ('999 B', '1.5 kB', '3.2 GB')
    """
    if count < 1000:
        return f"{count} B"
    size, unit = float(count), ""
    for larger in ("kB", "MB", "GB", "TB"):
        if size >= 1000:
            size, unit = size / 1000, larger
    return f"{size:.1f} {unit}"
