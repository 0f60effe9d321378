"""How tables hold pictures: as PNG files that leave the packing to the table.

Parquet packs its columns by zstd. Rows of which each is told as its difference from the row above
(the filter "Up", PNG specification, section 9.2) take no more room so than within a PNG that packs
itself, and are unpacked many times faster. Every reader of PNG files reads these too.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2  # the filter
_HEADER = struct.Struct(">IIBBBBB")  # width, height, bits, kind of colour; 0 for what has one way
_CHUNK = struct.Struct(">I4s")  # length, name; then as many bytes and their CRC
_KINDS = {(2, 1): (8, 0), (2, 2): (16, 0), (3, 1): (8, 2)}  # by axes and bytes: bits, grey or RGB
_RGB = (8, 2, 0, 0, 0)


def packed(picture: np.ndarray) -> bytes:
    """Return a picture, `(H, W, 3)` uint8 RGB or `(H, W)` uint8 or uint16, as a PNG file.

    Raises:
        KeyError: it is of another kind.
    """
    height, width = picture.shape[:2]
    bits, colour = _KINDS[picture.ndim, picture.dtype.itemsize]
    values = np.ascontiguousarray(picture, picture.dtype.newbyteorder(">")).view(np.uint8)
    values = values.reshape(height, -1)
    rows = np.empty((height, 1 + values.shape[1]), np.uint8)
    rows[:, 0] = _UP
    rows[0, 1:] = values[0]
    np.subtract(values[1:], values[:-1], out=rows[1:, 1:])
    chunks = (
        (b"IHDR", _HEADER.pack(width, height, bits, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows.data, 0)),
        (b"IEND", b""),
    )
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(name))
    return b"".join((_CHUNK.pack(len(content), name), content, check.to_bytes(4, "big")))


@dataclass(frozen=True)
class Place:
    """Where the pixels of a file of `packed` stand in it.

    Attributes:
        height: of the picture.
        width: likewise.
        start: of the zlib stream of its rows.
        end: of the same.
    """

    height: int
    width: int
    start: int
    end: int


def place_in(file: bytes | memoryview) -> Place | None:
    """Return where the pixels stand in an RGB file of `packed`; None: it is another's.

    Text may stand before the pixels.
    """
    if len(file) < 70 or file[:8] != _SIGNATURE:
        return None
    width, height, *kind = _HEADER.unpack_from(file, 16)
    at, (length, name) = 33, _CHUNK.unpack_from(file, 33)
    while name == b"tEXt" and at + length + 32 < len(file):
        at += length + 12
        length, name = _CHUNK.unpack_from(file, at)
    plain = name == b"IDAT" and tuple(kind) == _RGB and at + length + 24 == len(file)
    # Stored blocks alone: a stream that is packed is quicker inflated elsewhere.
    return Place(height, width, at + 8, at + 8 + length) if plain and file[at + 10] < 2 else None


class Unpacker:
    """Unpacks files of `packed` of one size together; each thread needs one of its own.

    The memory is kept from call to call: to get it anew takes longer than all else.
    """

    def __init__(self) -> None:
        self._rows = np.empty(0, np.uint8)
        self._pixels = np.empty(0, np.uint8)

    def pictures(self, files: Sequence[bytes | memoryview]) -> list[np.ndarray] | None:
        """Return the pictures `(H, W, 3)` uint8 RGB of files, until the next call.

        None: these are no RGB files of `packed`, or not of one size, or damaged.
        """
        places = [place_in(file) for file in files]
        known = [place for place in places if place is not None]
        if len(known) < len(files) or len({(each.height, each.width) for each in known}) != 1:
            return None
        count, height, width = len(files), known[0].height, 3 * known[0].width
        self._rows = _at_least(self._rows, count * height * (width + 1))
        self._pixels = _at_least(self._pixels, count * height * width)
        rows = self._rows[: count * height * (width + 1)].reshape(count, -1)
        for row, file, place in zip(rows, files, known, strict=True):
            try:
                stream = zlib.decompress(file[place.start : place.end], bufsize=len(row))
            except zlib.error:
                return None
            if len(stream) != len(row):
                return None
            row[:] = np.frombuffer(stream, np.uint8)
        rows = rows.reshape(count, height, width + 1)
        if (rows[..., 0] != _UP).any():
            return None
        # One line of all pictures after the other: numpy's own sums along an axis are far slower.
        lines = list(self._pixels[: count * height * width].reshape(height, count, width))
        lines[0][:] = rows[:, 0, 1:]
        for number, (above, line) in enumerate(pairwise(lines), 1):
            np.add(above, rows[:, number, 1:], out=line)
        pixels = self._pixels[: count * height * width].reshape(height, count, -1, 3)
        return [pixels[:, number] for number in range(count)]


def _at_least(memory: np.ndarray, size: int) -> np.ndarray:
    return memory if memory.size >= size else np.empty(size, np.uint8)
