"""Headers of everyday pictures, read without Pillow: a data set may have a million of them.

What is odd in any way gives None, and Pillow looks at it: only 8-bit PNG and JPEG pictures in
colour or grey with nothing in their headers that turns, blends or animates them are read here.
"""

import struct
import zlib
from typing import NamedTuple

#: Bytes of a file in which its header is sought.
HEAD = 2048

_PNG = b"\x89PNG\r\n\x1a\n"
#: Chunks that change neither what a picture shows nor how it is turned.
_HARMLESS = frozenset({b"pHYs", b"sRGB", b"gAMA", b"cHRM", b"tIME", b"sBIT"})
_PNG_MODES = {0: "L", 2: "RGB"}
_JPEG_MODES = {1: "L", 3: "RGB"}
#: Markers of frames that Pillow and OpenCV decode alike: baseline, extended, progressive.
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
#: Markers of tables and of JFIF; others (EXIF, Adobe, several pictures) are odd.
_TABLES = frozenset({0xC4, 0xDB, 0xDD, 0xE0})


class PlainHeader(NamedTuple):
    """What a plain picture's header says: format and mode as Pillow names them."""

    format: str
    width: int
    height: int
    mode: str


def plain_header(head: bytes) -> PlainHeader | None:
    """Return what the first bytes of a file say, None where it is no plain PNG or JPEG picture."""
    try:
        if head.startswith(_PNG):
            return _of_png(head)
        return _of_jpeg(head) if head.startswith(b"\xff\xd8\xff") else None
    except (struct.error, IndexError):  # the header is longer
        return None


def _of_png(head: bytes) -> PlainHeader | None:
    at, found = len(_PNG), None
    while True:
        length, name = struct.unpack_from(">I4s", head, at)
        if name == b"IDAT":
            return found
        body = head[at + 4 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", head, at + 8 + length)
        if checksum != zlib.crc32(body):
            return None
        if name == b"IHDR" and found is None and length == 13:
            width, height, bits, colours, packed, filtered, _ = struct.unpack_from(
                ">IIBBBBB", body, 4
            )
            mode = _PNG_MODES.get(colours)
            if mode is None or 0 in (width, height) or (bits, packed, filtered) != (8, 0, 0):
                return None
            found = PlainHeader("PNG", width, height, mode)
        elif name not in _HARMLESS or found is None:
            return None
        at += 12 + length


def _of_jpeg(head: bytes) -> PlainHeader | None:
    at, found = 2, None
    while head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xDA:  # the pixels begin
            return found
        (length,) = struct.unpack_from(">H", head, at + 2)
        if marker in _FRAMES and found is None:
            bits, height, width, colours = struct.unpack_from(">BHHB", head, at + 4)
            mode = _JPEG_MODES.get(colours)
            if mode is None or 0 in (width, height) or bits != 8:
                return None
            found = PlainHeader("JPEG", width, height, mode)
        elif marker not in _TABLES or (marker == 0xE0 and head[at + 4 : at + 9] != b"JFIF\0"):
            return None
        at += 2 + length
    return None
