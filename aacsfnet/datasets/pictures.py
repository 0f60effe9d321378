"""Reading pictures of any kind as upright 8-bit RGB, whatever state the files are in.

Conventions: 16-bit values are scaled from full scale (65535 becomes 255), transparency lies over
neutral grey (128), CMYK and palettes become RGB without colour profiles, EXIF orientation is
applied, of an animated file the first frame counts.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from aacsfnet.datasets.files import DataFolder
from aacsfnet.datasets.headers import HEAD, PlainHeader, plain_header
from aacsfnet.tables import Fault

if TYPE_CHECKING:
    from PIL.Image import Image

#: Names of files that are taken for pictures, in small letters.
PICTURE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".jp2"}
    | {".pgm", ".ppm", ".pnm"}
)

# Others are left out on purpose: some of Pillow's readers start programs (EPS runs Ghostscript).
_FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "JPEG2000", "PPM")

NEUTRAL_GREY = 128
#: Below this many pixels no face fits (`crop.min_face` is never smaller).
MIN_SIDE = 8
#: Longer pictures are strips, not frames.
MAX_ASPECT = 20
#: A picture whose every value is at most this (of 255) is black; lossy codecs leave a little noise.
BLACK_LEVEL = 12
#: A progressive JPEG of an honest encoder has some ten scans; each costs a pass over all pixels.
MAX_JPEG_SCANS = 100
#: Where a scan begins; twice as fast to find so than by `bytes.count`.
_SCAN = re.compile(rb"\xff\xda")


@dataclass(frozen=True)
class Header:
    """What a picture's header says, before any pixel is decoded."""

    format: str
    width: int
    height: int
    mode: str  # Pillow's
    bits: int  # of a channel
    oriented: bool  # EXIF asks for a turn or a flip
    transparent: bool
    animated: bool

    @cached_property
    def notes(self) -> list[str]:
        """Return the oddities that reading evens out, by name."""
        found = {
            "animated": self.animated,
            "exif_rotated": self.oriented,
            "sixteen_bit": self.bits == 16,
            "transparent": self.transparent,
            "palette": self.mode in ("P", "PA"),
            "cmyk": self.mode == "CMYK",
            "grey": self.mode in ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L"),
        }
        return [name for name, true in found.items() if true]


class PictureReader:
    """Reads pictures of one data folder."""

    def __init__(self, folder: DataFolder, max_megapixels: float) -> None:
        self.folder = folder
        self.max_pixels = int(max_megapixels * 1e6)

    def read(self, name: str) -> np.ndarray | Fault:
        """Return `(H, W, 3)` uint8 RGB, upright, or what is wrong with the file."""
        # 8 bytes hold the largest uncompressed pixel: four channels of 16 bit.
        data = self.folder.read(name, 8 * self.max_pixels + 2**20)
        return data if isinstance(data, Fault) else decode(data, self.max_pixels)

    def inspect(self, name: str, real: str = "") -> Header | Fault:
        """Return the header of a picture, or what is wrong with it; no pixel is decoded.

        Args:
            name: of the file.
            real: its real path, if the folder has just located it.
        """
        head = self.folder.head(name, HEAD, real)
        if isinstance(head, Fault):
            return head
        if (plain := _plain(head, self.max_pixels)) is not None:
            return plain
        file = self.folder.open(name)
        if isinstance(file, Fault):
            return file
        with file:
            return read_header(file, self.max_pixels)


def decode(data: bytes, max_pixels: int) -> np.ndarray | Fault:
    """Return an encoded picture as `(H, W, 3)` uint8 RGB, upright, or what is wrong with it."""
    header = read_header(io.BytesIO(data), max_pixels)
    if isinstance(header, Fault):
        return header
    if header.format == "JPEG" and len(_SCAN.findall(data)) > MAX_JPEG_SCANS:
        return Fault("unreadable", f"a JPEG of more than {MAX_JPEG_SCANS} scans")
    try:
        with _quiet():
            if header.bits == 16 and header.format in ("PNG", "TIFF"):
                pixels = _decode_16_bit(data)
            elif (plain := _decode_plain(data, header)) is not None:
                pixels = plain
            else:
                pixels = _decode_any(data)
    except Exception as error:  # decoders raise nearly anything on damaged data
        return Fault("unreadable", f"damaged {header.format} picture: {_one_line(error)}")
    if isinstance(pixels, Fault):
        return pixels
    return black_fault(pixels) or np.ascontiguousarray(pixels)


def black_fault(pixels: np.ndarray) -> Fault | None:
    """Return the fault of a black picture, or None."""
    # A few pixels tell nearly always; all of them are looked at only when those are dark.
    if int(pixels[::16, ::16].max()) <= BLACK_LEVEL and int(pixels.max()) <= BLACK_LEVEL:
        return Fault("black", f"no pixel is brighter than {BLACK_LEVEL} of 255")
    return None


def read_header(file: BinaryIO, max_pixels: int) -> Header | Fault:
    """Return what an encoded picture's header says, or why the picture must not be decoded."""
    from PIL import Image, UnidentifiedImageError

    if not (start := file.read(HEAD)):
        return Fault("unreadable", "the file is empty (0 bytes)")
    if (plain := _plain(start, max_pixels)) is not None:
        return plain
    file.seek(0)
    try:
        with _quiet(), Image.open(file, formats=_FORMATS) as image:
            if (fault := size_fault(*image.size, max_pixels)) is not None:
                return fault
            return Header(
                format=image.format or "",
                width=image.size[0],
                height=image.size[1],
                mode=image.mode,
                bits=_bits(image, start),
                oriented=_orientation(image) != 1,
                transparent="transparency" in image.info or "A" in image.getbands(),
                animated=_is_animated(image),
            )
    except UnidentifiedImageError:
        return Fault("unreadable", f"no picture: the file starts with {start[:12]!r}")
    except Image.DecompressionBombError:
        return Fault("unreadable", f"more than {max_pixels / 1e6:g} megapixels")
    except Exception as error:  # readers raise nearly anything on damaged data
        return Fault("unreadable", f"damaged header: {_one_line(error)}")


def _plain(head: bytes, max_pixels: int) -> Header | Fault | None:
    """Return what the header of an everyday picture says; None where Pillow must look at it."""
    found = plain_header(head)
    return None if found is None else _header_of(found, max_pixels)


@lru_cache
def _header_of(found: PlainHeader, max_pixels: int) -> Header | Fault:
    if (fault := size_fault(found.width, found.height, max_pixels)) is not None:
        return fault
    return Header(*found, bits=8, oriented=False, transparent=False, animated=False)


def size_fault(width: int, height: int, max_pixels: int) -> Fault | None:
    """Return why a picture of this size is not decoded, or None."""
    size = f"{width}x{height} pixels"
    if width * height > max_pixels:
        limit = f"index.max_megapixels allows {max_pixels / 1e6:g} megapixels"
        return Fault("unreadable", f"{size}: {limit}; not decoded")
    if min(width, height) < MIN_SIDE:
        return Fault("unreadable", f"{size}: a side below {MIN_SIDE} pixels holds no face")
    if max(width, height) > MAX_ASPECT * min(width, height):
        return Fault("unreadable", f"{size}: a strip of more than {MAX_ASPECT}:1, no frame")
    return None


def _bits(image: "Image", start: bytes) -> int:
    if image.format == "PNG":
        return start[24]  # the IHDR chunk is always first
    if image.format == "TIFF":
        return int(max(image.tag_v2.get(258, (8,))))  # type: ignore[attr-defined]
    return 16 if image.mode.startswith("I") else 8


def _orientation(image: "Image") -> int:
    # A PNG's getexif() would decode all pixels when the header holds no EXIF chunk.
    if image.format == "PNG" and not {"exif", "Raw profile type exif"} & image.info.keys():
        return 1
    value = image.getexif().get(0x0112, 1)
    return value if value in range(1, 9) else 1


def _is_animated(image: "Image") -> bool:
    if image.format not in ("GIF", "PNG", "WEBP", "TIFF"):
        return False
    try:
        image.seek(1)
    except Exception:  # EOFError when there is one frame; anything when the second is damaged
        return False
    return True


def _decode_plain(data: bytes, header: Header) -> np.ndarray | None:
    """Return an everyday PNG or JPEG by OpenCV, a quarter faster than Pillow; None: not one."""
    everyday = header.mode in ("RGB", "L") and header.format in ("PNG", "JPEG")
    if not everyday or header.oriented or header.transparent or header.animated:
        return None
    # OpenCV fills up what a truncated file lacks; Pillow says so.
    if header.format == "PNG":
        plain = b"IEND" in data[-64:] and b"eXIf" not in data
    else:
        plain = data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda")
    if not plain:
        return None
    import cv2

    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None or pixels.shape != (header.height, header.width, 3):
        return None
    return pixels


def _decode_16_bit(data: bytes) -> np.ndarray | Fault:
    """Return a 16-bit picture scaled to 8 bit; Pillow would cut the low byte off."""
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        return Fault("unreadable", "damaged or unusual 16-bit picture")
    pixels = scale_16_bit(pixels)
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    rgb = pixels[..., 2::-1]
    return over_grey(rgb, pixels[..., 3]) if pixels.shape[2] == 4 else rgb


def _decode_any(data: bytes) -> np.ndarray | Fault:
    """Return any picture that Pillow reads."""
    from PIL import Image, ImageOps

    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
        if upright.mode == "F":
            return Fault("unreadable", "floating-point pixels have no known scale")
        if upright.mode.startswith("I"):
            values = np.asarray(upright)
            if values.min() < 0 or values.max() > 65535:
                return Fault("unreadable", "32-bit pixels have no known scale")
            grey = scale_16_bit(values)
            return np.repeat(grey[..., None], 3, axis=2)
        if "transparency" in upright.info or "A" in upright.getbands() or upright.mode == "PA":
            pixels = np.asarray(upright.convert("RGBA"))
            return over_grey(pixels[..., :3], pixels[..., 3])
        return np.array(upright.convert("RGB"))


def scale_16_bit(values: np.ndarray) -> np.ndarray:
    """Return 16-bit values as 8-bit ones, rounded: 65535 becomes 255.

    >>> scale_16_bit(np.array([0, 128, 129, 65535], np.uint16)).tolist()
    [0, 0, 1, 255]
    """
    scaled = np.empty(values.shape, np.uint8)
    for rows in _stripes(len(values)):
        scaled[rows] = (values[rows].astype(np.uint32) + 128) // 257
    return scaled


def over_grey(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return `(H, W, 3)` uint8 colours with `(H, W)` uint8 opacity laid over neutral grey."""
    mixed = np.empty(rgb.shape, np.uint8)
    for rows in _stripes(len(rgb)):
        weight = alpha[rows][..., None].astype(np.uint32)
        mixed[rows] = (rgb[rows] * weight + NEUTRAL_GREY * (255 - weight) + 127) // 255
    return mixed


def _stripes(rows: int, high: int = 64) -> Iterator[slice]:
    """Yield slices of rows, so that wide types stay small beside a large picture."""
    return (slice(start, start + high) for start in range(0, rows, high))


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Pillow's warnings: sizes are checked here, and odd metadata harm nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
