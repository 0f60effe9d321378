"""Oracles: Pillow's own pixels, arithmetic on chosen pixels, and the orientation's definition."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from aacsfnet.datasets.base import NOTES
from aacsfnet.datasets.pictures import decode, read_header
from aacsfnet.tables import Fault

LIMIT = 1_000_000


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def header(data):
    return read_header(io.BytesIO(data), LIMIT)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG2000"])
def test_lossless_kinds_come_back_exactly(kind, make_picture):
    pixels = make_picture(1)
    if kind == "GIF":  # holds 256 colours
        pixels = (pixels // 128) * 200
    options = {"lossless": True} if kind == "WEBP" else {}
    np.testing.assert_array_equal(
        decode(saved(Image.fromarray(pixels), kind, **options), LIMIT), pixels
    )


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_equals_pillow(progressive, make_picture):
    data = saved(Image.fromarray(make_picture(2, 40, 56)), "JPEG", progressive=progressive)
    np.testing.assert_array_equal(decode(data, LIMIT), np.asarray(Image.open(io.BytesIO(data))))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_gives_the_upright_picture(orientation, kind):
    # A picture of four even quarters, so that lossy kinds leave the corners recognisable.
    quarters = np.array([[20, 90], [160, 230]], np.uint8)
    upright = np.kron(quarters, np.ones((16, 16), np.uint8))[..., None].repeat(3, 2)
    # EXIF 2.32, tag 0x0112: where the stored row 0 and column 0 lie in the upright picture.
    store = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
        8: lambda p: np.rot90(p, 3),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(np.ascontiguousarray(store(upright))), kind, exif=exif)
    assert header(data).oriented == (orientation != 1)
    np.testing.assert_allclose(decode(data, LIMIT)[4::8, 4::8], upright[4::8, 4::8], atol=12)


def test_sixteen_bit_grey_is_scaled_by_full_scale():
    values = np.linspace(0, 65535, 32 * 24).astype(np.uint16).reshape(24, 32)
    expected = np.rint(values / 257.0).astype(np.uint8)
    for kind in ("PNG", "TIFF"):
        data = saved(Image.fromarray(values), kind)
        assert "sixteen_bit" in header(data).notes
        np.testing.assert_array_equal(decode(data, LIMIT), expected[..., None].repeat(3, 2))


def test_sixteen_bit_colour_and_alpha_keep_order_and_rounding():
    import cv2

    colour = np.zeros((16, 16, 4), np.uint16)
    colour[..., 0], colour[..., 1], colour[..., 2] = 60000, 30000, 1000  # R, G, B
    colour[:8, :, 3] = 65535
    rgb = cv2.imencode(".png", colour[..., 2::-1])[1].tobytes()
    assert decode(rgb, LIMIT)[0, 0].tolist() == [233, 117, 4]
    rgba = cv2.imencode(".png", colour[..., [2, 1, 0, 3]])[1].tobytes()
    assert decode(rgba, LIMIT)[0, 0].tolist() == [233, 117, 4]
    assert decode(rgba, LIMIT)[15, 0].tolist() == [128, 128, 128]


@pytest.mark.parametrize(
    ("alpha", "expected"), [(255, [200, 100, 0]), (0, [128] * 3), (51, [142, 122, 102])]
)
def test_transparency_lies_over_neutral_grey(alpha, expected):
    pixels = np.full((16, 16, 4), (200, 100, 0, alpha), np.uint8)
    data = saved(Image.fromarray(pixels), "PNG")
    assert decode(data, LIMIT)[3, 3].tolist() == expected
    assert header(data).notes == ["transparent"]


def test_palette_with_and_without_transparency():
    image = Image.new("P", (16, 16), 1)
    image.putpalette([9, 9, 9, 250, 120, 30])
    assert decode(saved(image, "PNG"), LIMIT)[0, 0].tolist() == [250, 120, 30]
    assert header(saved(image, "PNG")).notes == ["palette"]
    hidden = saved(image, "PNG", transparency=1)
    assert decode(hidden, LIMIT)[0, 0].tolist() == [128, 128, 128]


def test_cmyk_becomes_rgb():
    data = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100)  # red
    red, green, blue = decode(data, LIMIT)[8, 8].tolist()
    assert red > 240
    assert max(green, blue) < 15
    assert header(data).notes == ["cmyk"]


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_kinds_have_three_equal_channels(mode):
    pixels = (
        decode(saved(Image.new(mode, (16, 12), 255 if mode == "1" else 200), "PNG"), LIMIT)
        if mode != "LA"
        else decode(saved(Image.new("LA", (16, 12), (200, 255)), "PNG"), LIMIT)
    )
    assert pixels.shape == (12, 16, 3)
    assert np.unique(pixels).tolist() == [255 if mode == "1" else 200]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(kind):
    frames = [Image.new("RGB", (16, 16), (value, 0, 0)) for value in (250, 80, 30)]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert header(data).notes[0] == "animated"
    assert decode(data, LIMIT)[5, 5].tolist() == [250, 0, 0]


def test_every_note_is_explained(make_picture):
    notes = (
        header(saved(Image.fromarray(make_picture()), "PNG"))
        .__class__("PNG", 9, 9, "P", 16, True, True, True)
        .notes
    )
    assert notes
    assert set(notes) <= set(NOTES)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "JPEG2000", "PPM"])
def test_no_damage_raises_and_truncation_is_seen(kind, make_picture):
    data = saved(Image.fromarray(make_picture(3, 48, 64)), kind)
    generator = np.random.default_rng(4)
    for length in (0, 1, 9, 40, len(data) // 2):
        cut = decode(data[:length], LIMIT)
        # Progressive by nature: half a JPEG 2000 is a coarser picture, not a truncated one.
        assert isinstance(cut, Fault) or kind in ("JPEG2000", "GIF"), length
    for _ in range(40):
        damaged = bytearray(data)
        for place in generator.integers(0, len(data), 6):
            damaged[place] = generator.integers(256)
        found = decode(bytes(damaged), LIMIT)
        assert isinstance(found, Fault) or (found.dtype == np.uint8 and found.shape[2] == 3)


def test_black_pictures_are_told_from_dark_ones():
    assert decode(saved(Image.new("RGB", (16, 16), (8, 9, 12)), "PNG"), LIMIT).status == "black"
    dark = Image.new("RGB", (16, 16), 0)
    dark.putpixel((4, 4), (40, 40, 40))
    assert decode(saved(dark, "PNG"), LIMIT).max() == 40


def png_of(width, height, rows=b""):
    """A PNG that claims a size, with `rows` of compressed data."""

    def chunk(name, body):
        return (
            len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")
        )

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + b"\x08\x02\x00\x00\x00")
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [
        (50_000, 50_000, "megapixels"),
        (2**31 - 1, 2**31 - 1, "megapixels"),
        (100_000, 1, "holds no face"),
        (4_000, 10, "strip"),
        (0, 0, "damaged header|holds no face|no picture"),
    ],
)
def test_sizes_are_refused_before_decoding(width, height, words):
    fault = decode(png_of(width, height, zlib.compress(bytes(1000))), LIMIT)
    assert isinstance(fault, Fault)
    assert fault.status == "unreadable"
    assert any(word in fault.reason for word in words.split("|")), fault.reason


def test_a_jpeg_of_endless_scans_is_refused(make_picture):
    data = saved(Image.fromarray(make_picture(1)), "JPEG", progressive=True)
    start = data.rfind(b"\xff\xda")
    scan = data[start:-2]
    assert "scans" in decode(data[:start] + scan * 200 + data[-2:], LIMIT).reason


def test_programs_are_not_started_for_postscript():
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n"
    assert "no picture" in decode(script, LIMIT).reason
