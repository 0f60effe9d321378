"""Arrays in the layout of the published code.

    <i>/<i>_image.npy     N pictures: (N, H, W, 3) uint8
    <i>/<i>_label1.npy    N labels (PSPI)

Pickled object arrays can run any program when they are loaded. They are refused unless the user
names the folder as trusted.
"""

import io
import os
import re
from dataclasses import dataclass
from functools import cached_property
from tokenize import TokenError
from typing import IO, Any

import numpy as np
import polars as pl
from numpy.lib import format as npy

from aacsfnet.config import Index
from aacsfnet.datasets.base import (
    Dataset,
    Label,
    Told,
    check_label,
    frame_id,
    index_table,
    natural_key,
)
from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.pictures import black_fault, size_fault
from aacsfnet.datasets.trees import file_names, subfolders
from aacsfnet.errors import DataError, SettingsError
from aacsfnet.made import hash_of
from aacsfnet.tables import Fault

#: The arrays say nothing of recordings: a subject's frames are one sequence.
SEQUENCE = "frames"

#: Entries of one subject's array; the published ones have some two thousand.
MOST_ENTRIES = 200_000
#: Bytes read to find a header: magic string and length, then what NumPy takes at most.
_LONGEST_HEADER = 12 + 10_000


@dataclass(frozen=True)
class ArrayHeader:
    """What the start of an npy file says."""

    shape: tuple[int, ...]
    pickled: bool


@dataclass(frozen=True)
class Person:
    """A numbered folder: the paths of its two files, "" where one is missing."""

    name: str
    images: str
    labels: str


class DataPre(Dataset):
    """Frames in the published code's arrays."""

    label = Label("pspi", 0.0, 16.0, "observed expression of pain (PSPI), not felt pain")

    def __init__(self, index: Index) -> None:
        settings = index.data_pre
        if settings.root is None:
            raise SettingsError(
                "index.data_pre.root: not given; name the folder that holds 0 to 24"
            )
        self.folder = DataFolder(settings.root, index.further_roots)
        self.max_pixels = int(index.max_megapixels * 1e6)
        self.flip = settings.channels == "bgr"
        self.trusted = (
            settings.trusted is not None and settings.trusted.resolve() == settings.root.resolve()
        )
        self._open: tuple[str, np.ndarray | Fault] = ("", Fault("missing_file", ""))

    def subjects(self) -> dict[str, int]:
        """Return the number of frames of each subject, from the arrays' headers."""
        return {person.name: self._frames_of(person) for person in self._people}

    def told(self) -> dict[str, Told]:
        """Return hashes of which arrays each subject has."""
        hashes = {each.name: hash_of([each.images, each.labels]) for each in self._people}
        return {name: Told(each, each, each) for name, each in hashes.items()}

    def label_files(self) -> dict[str, list[str]]:
        """Return each subject's array of labels."""
        return {each.name: [each.labels] for each in self._people if each.labels}

    def file_of(self, path: str) -> str:
        """Return the array of a picture."""
        return path.rpartition("#")[0]

    def index(self) -> pl.DataFrame:
        """Return one row a picture or label, whichever there are more of."""
        return index_table([row for person in self._people for row in self._rows_of(person)])

    def picture(self, path: str) -> np.ndarray | Fault:
        """Return one entry of an array."""
        file, _, number = path.rpartition("#")
        if self._open[0] != file:
            self._open = (file, self._array(file))
        array = self._open[1]
        if isinstance(array, Fault):
            return array
        pixels = np.asarray(array[int(number)])
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
            found = f"{pixels.dtype} of shape {pixels.shape}"
            return Fault("unreadable", f"{path}: {found}, expected uint8 of shape (H, W, 3)")
        fault = size_fault(pixels.shape[1], pixels.shape[0], self.max_pixels) or black_fault(pixels)
        return fault or np.ascontiguousarray(pixels[..., ::-1] if self.flip else pixels)

    @cached_property
    def _people(self) -> list[Person]:
        """Return the numbered folders.

        Raises:
            DataError: there is none.
        """
        people = []
        for parent in sorted(subfolders(self.folder, ""), key=natural_key):
            names = {name.lower(): f"{parent}/{name}" for name in file_names(self.folder, parent)}
            key = os.path.basename(parent).lower()  # noqa: PTH119
            images, labels = names.get(f"{key}_image.npy", ""), names.get(f"{key}_label1.npy", "")
            if re.fullmatch("[0-9]{1,6}", key) and (images or labels):
                people.append(Person(key, images, labels))
        if not people:
            raise DataError(
                f"index.data_pre.root {self.folder.root}: no 0/0_image.npy or the like; "
                "name the folder that holds the numbered folders"
            )
        return people

    def _header(self, path: str) -> ArrayHeader | Fault:
        """Return an array's header, or why the array cannot be used."""
        if not path:
            return Fault("missing_file", "no array")
        file = self.folder.open(path)
        if isinstance(file, Fault):
            return file
        try:
            with file:
                header = read_header(file)
                size = os.fstat(file.fileno()).st_size
        except (ValueError, SyntaxError, TypeError, TokenError, MemoryError, RecursionError):
            return Fault("unreadable", f"{path} is no npy array")
        if isinstance(header, ArrayHeader):
            if header.pickled and not self.trusted:
                return Fault(
                    "unreadable",
                    f"{path} is pickled and could run a program; if you trust who made it, "
                    "name its folder in index.data_pre.trusted too",
                )
            entries = header.shape[0]
            # A byte an element at least, in pickles too: no header can claim more than the file.
            if entries > size:
                return Fault("unreadable", f"{path} claims {entries} entries, more than bytes")
            if entries > MOST_ENTRIES:  # a file can be longer than what is written in it
                expected = f"expected at most {MOST_ENTRIES}"
                return Fault("unreadable", f"{path} has {entries} entries, {expected}")
        return header

    def _frames_of(self, person: Person) -> int:
        headers = (self._header(person.images), self._header(person.labels))
        return max(1, *(0 if isinstance(h, Fault) else h.shape[0] for h in headers))

    def _rows_of(self, person: Person) -> list[dict[str, Any]]:
        images = self._header(person.images)
        labels = self._labels(person.labels)
        rows = []
        for i in range(self._frames_of(person)):
            fault: Fault | None = None
            value = None
            if isinstance(labels, Fault):
                fault = Fault("bad_label", labels.reason)
            elif i >= len(labels):
                fault = Fault("bad_label", f"{person.labels} has {len(labels)} labels only")
            else:
                value = float(labels[i])
                if wrong := check_label(value, self.label):
                    fault = Fault("bad_label", f"{person.labels} entry {i}: {wrong}")
            if isinstance(images, Fault):
                fault = images
            elif i >= images.shape[0]:
                found = f"{person.images} has {images.shape[0]} pictures only"
                fault = Fault("missing_file", found)
            rows.append(
                {
                    "frame_id": frame_id(person.name, SEQUENCE, f"{i:06d}"),
                    "subject": person.name,
                    "sequence": SEQUENCE,
                    "position": i,
                    "path": f"{person.images}#{i:06d}",
                    "label": None if value is None or np.isnan(value) else value,
                    **self.verdict(fault),
                }
            )
        return rows

    def _labels(self, path: str) -> np.ndarray | Fault:
        """Return a file's labels, `(N,)` float64, or what is wrong with it."""
        array = self._array(path)
        if isinstance(array, Fault):
            return array
        try:
            values = np.asarray(array, dtype=np.float64)
        except (ValueError, TypeError):
            return Fault("unreadable", f"{path} holds other things than numbers")
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if values.ndim != 1:
            found = f"{path} has shape {values.shape}"
            return Fault("unreadable", f"{found}, expected one label a frame")
        return values

    def _array(self, path: str) -> np.ndarray | Fault:
        header = self._header(path)
        if isinstance(header, Fault):
            return header
        real = self.folder.locate(path)
        if isinstance(real, Fault):
            return real
        try:
            if header.pickled:  # only in a folder that the user trusts
                return np.asarray(np.load(real, allow_pickle=self.trusted))
            return np.asarray(np.load(real, mmap_mode="r", allow_pickle=False))
        except Exception as error:  # a pickle raises anything
            return Fault("unreadable", f"{path}: {' '.join(str(error).split())[:200]}")


def read_header(file: IO[bytes]) -> ArrayHeader | Fault:
    """Return the header of an npy file.

    Raises:
        ValueError: it is none (and SyntaxError, TypeError, TokenError, for damaged ones).
    """
    start = io.BytesIO(file.read(_LONGEST_HEADER))
    if not start.getvalue():
        return Fault("unreadable", "the file is empty (0 bytes)")
    first = npy.read_magic(start) == (1, 0)
    read = npy.read_array_header_1_0 if first else npy.read_array_header_2_0
    shape, _, kind = read(start)
    if not shape or min(shape) < 0:
        return Fault("unreadable", f"an array of shape {shape!r}, expected one entry a frame")
    return ArrayHeader(shape, kind.hasobject)
