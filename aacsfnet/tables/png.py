"""How tables hold pictures: as PNG files that leave the packing to the table.

Parquet packs its columns by zstd. Rows of which each is told as its difference from the row above
(the filter "Up", PNG specification, section 9.2) take no more room so than within a PNG that packs
itself, and are unpacked many times faster. Every reader of PNG files reads these too.
"""

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UP = 2  # the filter
_HEADER = struct.Struct(">IIBBBBB")  # width, height, bits, kind of colour; 0 for what has one way
_CHUNK = struct.Struct(">I4s")  # length, name; then as many bytes and their CRC
#: By what follows height and width, and the numbers' kind: bits, grey or RGB.
_KINDS = {((), "u1"): (8, 0), ((), "u2"): (16, 0), ((3,), "u1"): (8, 2)}


def packed(picture: np.ndarray) -> bytes:
    """Return a picture, `(H, W, 3)` uint8 RGB or `(H, W)` uint8 or uint16, as a PNG file.

    Raises:
        KeyError: it is of another kind.
        ValueError: it has no pixels.
    """
    bits, colour = _KINDS[picture.shape[2:], picture.dtype.str[1:]]
    height, width = picture.shape[:2]
    if not picture.size:
        raise ValueError(f"a picture of {height} x {width} pixels")
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
