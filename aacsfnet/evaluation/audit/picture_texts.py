"""What stands as text in the metadata of a picture's file."""

import io
from collections.abc import Iterator

from PIL.PngImagePlugin import PngStream

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: PNG chunks in which text can stand.
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf")


def texts_of(encoded: bytes) -> Iterator[str]:
    """Yield what a PNG file's text chunks say; nothing for another kind of file.

    Compressed text is inflated, so that a name cannot hide in it. Chunks are taken one at a time:
    a second text of the same keyword would replace the first in Pillow's `Image.text`.

    Raises:
        ValueError: a text is too long to be inflated safely (and SyntaxError, OSError or
            struct.error where the file is damaged).
    """
    if not encoded.startswith(_SIGNATURE):
        return
    file = io.BytesIO(encoded)
    file.seek(len(_SIGNATURE))
    with PngStream(file) as png:
        kind = b""
        while kind != b"IEND":
            kind, place, length = png.read()
            if kind in _TEXT_CHUNKS:
                yield png.call(kind, place, length).decode("utf-8", "replace")
                yield from (str(each) for pair in png.im_info.items() for each in pair)
                png.im_info.clear()
            file.seek(place + length + 4)  # behind the checksum
