"""Opening files of a data set: only plain files, and only inside the folders that were named."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from aacsfnet.tables import Fault

_BLOCK = 2**20
#: How files are opened: never through a link, never waiting for a pipe.
_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class State(NamedTuple):
    """How a file is: its size in bytes, and when it was changed last, ns since 1970."""

    bytes: int
    modified: int


class DataFolder:
    """The folder that a data set may read, and further ones that its links may lead into.

    `..` and symbolic links are resolved before a file is opened; what lies elsewhere, and what is
    no plain file (a pipe, a device, a folder), stays unopened.
    """

    def __init__(self, root: Path, further: Iterable[Path] = ()) -> None:
        self.root = root.absolute()
        allowed = (os.path.realpath(folder) for folder in (self.root, *further))
        self._allowed = tuple(folder.rstrip(os.sep) + os.sep for folder in allowed)
        self._parents: dict[str, str] = {}  # real ones
        self._folders: dict[str, str] = {}  # real ones, "" outside; looked at again by `states`

    def locate(self, name: str) -> str | Fault:
        """Return the real path of a file named relative to the root, or what is wrong with it."""
        if not name:
            return Fault("missing_file", "no path is given")
        found = self._locate(name)
        if isinstance(found, Fault) and "\\x" in name and (raw := as_on_disk(name)) != name:
            named = self._locate(raw)
            return found if isinstance(named, Fault) else named
        return found

    def _locate(self, name: str) -> str | Fault:
        folder, slash, base = name.rpartition("/")
        if base in ("", ".", ".."):
            return Fault("unreadable", f"{shorten(name)} is a folder")
        try:
            if (parent := self._parents.get(folder + slash)) is None:
                place = os.path.join(self.root, folder + slash)  # noqa: PTH118 - `..` stays
                parent = f"{os.path.realpath(place).rstrip(os.sep)}{os.sep}"
                self._parents[folder + slash] = parent
            real = parent + base
            if not self._inside(real):
                return self._outside(name)
            kind = os.lstat(real).st_mode
            if stat.S_ISLNK(kind):
                real = os.path.realpath(real)
                if not self._inside(real):
                    return self._outside(name)
                kind = os.lstat(real).st_mode
        except (OSError, ValueError) as error:
            return _fault(name, error)
        if stat.S_ISLNK(kind):
            return Fault("unreadable", f"{shorten(name)} is a link that leads back to itself")
        if not stat.S_ISREG(kind):
            return Fault("unreadable", f"{shorten(name)} is no plain file")
        return real

    def open(self, name: str) -> BinaryIO | Fault:
        """Return a file opened for reading, or what is wrong with it; never waits for a pipe."""
        handle = self._handle(name)
        return handle if isinstance(handle, Fault) else os.fdopen(handle, "rb")

    def middles(self, files: Iterable[tuple[str, int]], most: int) -> Iterator[bytes | None]:
        """Yield bytes from the middle of files; None where one cannot be read.

        Args:
            files: name and size of each, as `changes` has told: these are plain files.
            most: bytes to read of one.
        """
        folder, place = None, ""
        for name, size in files:
            cut = name.rfind("/") + 1
            if name[:cut] != folder:
                folder = name[:cut]
                place = self._place(folder) or os.devnull
            handle: int | Fault
            try:
                handle = os.open(place + name[cut:], _PLAIN)
            except (OSError, ValueError):  # a link, say
                handle = self._handle(name)
            if isinstance(handle, Fault):
                yield None
                continue
            try:
                found = os.pread(handle, most, max(0, (size - most) // 2))
            except OSError:
                found = None
            os.close(handle)
            yield found

    def head(self, name: str, most: int, real: str = "") -> bytes | Fault:
        """Return the first bytes of a file, or what is wrong with it.

        Args:
            name: of the file.
            most: bytes to read.
            real: its real path, if `locate` has just told it.
        """
        handle = self._handle(name, real)
        if isinstance(handle, Fault):
            return handle
        try:
            return os.read(handle, most)
        except OSError as error:
            return _fault(name, error)
        finally:
            os.close(handle)

    def _handle(self, name: str, known: str = "") -> int | Fault:
        """Return a file's descriptor, or what is wrong with it; `known`: its real path."""
        real = known or self.locate(name)
        if isinstance(real, Fault):
            return real
        try:
            # Between the look and the opening the file may have been swapped: look again.
            handle = os.open(real, _PLAIN)
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                return Fault("unreadable", f"{shorten(name)} is no plain file")
        except (OSError, ValueError) as error:
            return _fault(name, error)
        return handle

    def read(self, name: str, limit: int) -> bytes | Fault:
        """Return a file's bytes, or what is wrong with it; larger than `limit` bytes is wrong."""
        file = self.open(name)
        if isinstance(file, Fault):
            return file
        try:
            with file:
                size = os.fstat(file.fileno()).st_size
                if size > limit:
                    return Fault(
                        "unreadable", f"{shorten(name)} has {size} bytes, the limit is {limit}"
                    )
                # Not `limit`: room for as much would be made first, and given back.
                return file.read(size)
        except OSError as error:
            return _fault(name, error)

    def digest(self, name: str) -> str:
        """Return the BLAKE2b digest of a file's bytes, "" where it cannot be read."""
        file = self.open(name)
        if isinstance(file, Fault):
            return ""
        found = hashlib.blake2b(digest_size=16)
        with file:
            try:
                while block := file.read(_BLOCK):
                    found.update(block)
            except OSError:
                return ""
        return found.hexdigest()

    def states(self, names: Iterable[str]) -> dict[str, State]:
        """Return the state of each file that is there; none is opened."""
        return {
            name: State(told.st_size, told.st_mtime_ns)
            for name, told in self._told(names)
            if told is not None
        }

    def changes(self, names: Iterable[str]) -> Iterator[tuple[int, int]]:
        """Yield the bytes of each file and when it was changed in any way, ns; none is opened.

        The time is the system's own (`ctime`), which nobody sets back. Of 0 bytes is what is no
        plain file.
        """
        for _, told in self._told(names):
            if told is None or not stat.S_ISREG(told.st_mode):
                yield 0, 0
            else:
                yield told.st_size, told.st_ctime_ns

    def _told(self, names: Iterable[str]) -> Iterator[tuple[str, os.stat_result | None]]:
        """Yield names, each with what the system tells of the file, None where there is none."""
        self._folders.clear()
        folder, place = None, ""
        for name in names:
            cut = name.rfind("/") + 1
            if name[:cut] != folder:
                folder = name[:cut]
                place = self._place(folder)
            base = name[cut:]
            if not place or base in ("", ".", ".."):
                yield name, None
                continue
            try:
                yield name, os.stat(place + base)  # noqa: PTH116 - a Path takes its time
            except (OSError, ValueError):  # no such file, a link that leads nowhere, or no name
                yield name, self._told_on_disk(name) if "\\x" in name else None

    def _told_on_disk(self, name: str) -> os.stat_result | None:
        """Return what the system tells of a file whose name `as_text` wrote."""
        with suppress(OSError, ValueError):
            if not isinstance(real := self.locate(name), Fault):
                return os.stat(real)  # noqa: PTH116
        return None

    def _place(self, folder: str) -> str:
        """Return where a folder (a path up to its last slash) really is, "" if not inside."""
        if (place := self._folders.get(folder)) is None:
            try:
                real = os.path.realpath(os.path.join(self.root, folder))  # noqa: PTH118
                place = f"{real.rstrip(os.sep)}{os.sep}"
            except (OSError, ValueError):  # no name of a folder
                place = ""
            place = self._folders[folder] = place if self._inside(place) else ""
        return place

    def holds(self, path: Path) -> bool:
        """Return whether a path, its links followed, lies inside."""
        return self._inside(os.path.realpath(path))

    def _inside(self, real: str) -> bool:
        return real.startswith(self._allowed)

    def _outside(self, name: str) -> Fault:
        return Fault(
            "outside_root",
            f"{shorten(name)} leads outside {self.root} and was not opened; "
            "name its folder in index.further_roots if that is meant",
        )


def as_text(name: str) -> str:
    r"""Return a file's name as a table can hold it: bytes that are no UTF-8 as `\xe9`.

    >>> as_text("Andr\udce9.png")
    'Andr\\xe9.png'
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def as_on_disk(name: str) -> str:
    """Return the name that `as_text` was given."""
    plain = re.sub(
        rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), os.fsencode(name)
    )
    return os.fsdecode(plain)


def shorten(text: str, most: int = 200) -> str:
    """Return text for a message: control characters escaped, the middle of a long one left out."""
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    if len(plain) <= most:
        return plain
    return f"{plain[: most // 2]}…{plain[-most // 2 :]}"


def _fault(name: str, error: OSError | ValueError) -> Fault:
    shown = shorten(name)
    if isinstance(error, ValueError):
        return Fault("missing_file", f"{shown} cannot be the name of a file")
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return Fault("missing_file", f"there is no file {shown}")
    if error.errno == errno.ELOOP:
        return Fault("unreadable", f"{shown} is a link that leads back to itself")
    return Fault("unreadable", f"{shown}: {error.strerror or error}")
