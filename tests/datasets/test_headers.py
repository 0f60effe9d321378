"""Headers read without Pillow say what Pillow says; whatever is odd is left to Pillow."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from aacsfnet.datasets.headers import HEAD, plain_header


def encoded(mode="RGB", kind="PNG", size=(40, 24), **options):
    pixels = np.random.default_rng(0).integers(0, 255, (*size[::-1], 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("PNG", {"dpi": (72, 72)}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "quality": 95}),
        ("JPEG", {"dpi": (300, 300), "subsampling": 0, "optimize": True}),
    ],
)
def test_a_plain_picture_is_read_as_pillow_reads_it(mode, kind, options):
    data = encoded(mode, kind, **options)
    with Image.open(io.BytesIO(data)) as image:
        assert plain_header(data[:HEAD]) == (image.format, *image.size, image.mode)


def text():
    told = PngImagePlugin.PngInfo()
    told.add_text("Raw profile type exif", "anything")
    return told


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.mark.parametrize(
    "data",
    [
        encoded("RGBA"),
        encoded("P"),
        encoded("1"),
        encoded("LA"),
        encoded("L", transparency=3),
        encoded(exif=turned()),
        encoded(pnginfo=text()),
        encoded(kind="JPEG", exif=turned()),
        encoded("CMYK", "JPEG"),
        encoded(kind="JPEG", icc_profile=b"x" * 100),
        encoded(kind="JPEG", comment=b"x" * 3000),
        encoded(save_all=True, append_images=[Image.new("RGB", (40, 24))]),
        encoded(kind="GIF", mode="L"),
        encoded(kind="BMP"),
        encoded()[:30],
        encoded(kind="JPEG")[:100],
        b"\xff\xd8\xff",
        b"no picture",
        b"",
    ],
)
def test_what_is_odd_is_left_to_pillow(data):
    assert plain_header(data[:HEAD]) is None


def test_a_damaged_header_is_left_to_pillow():
    whole = encoded()
    for at in range(8, 33):
        damaged = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        assert plain_header(damaged[:HEAD]) is None
