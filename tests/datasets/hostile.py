"""Files and places that are damaged, or made to do harm; each with what must be said of it."""

import io
import os
import struct
import tempfile
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SECRET = 200  # grey of a picture outside the folder


def chunk(name, body):
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def png(width, height, data, extra=b""):
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x08\x02\x00\x00\x00")
    return head + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def saved(kind, **options):
    file = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(file, kind, **options)
    return file.getvalue()


def floats():
    file = io.BytesIO()
    Image.fromarray(np.ones((32, 32), np.float32)).save(file, "TIFF")
    return file.getvalue()


def claiming_tiff(side):
    """Return a small TIFF whose header claims to be larger."""
    data = bytearray(saved("TIFF"))
    (at,) = struct.unpack("<I", data[4:8])
    (entries,) = struct.unpack("<H", data[at : at + 2])
    for start in range(at + 2, at + 2 + 12 * entries, 12):
        (tag,) = struct.unpack("<H", data[start : start + 2])
        if tag in (256, 257, 278):  # width, height, rows of a strip
            data[start + 2 : start + 12] = struct.pack("<HII", 4, 1, side)
    return bytes(data)


def negative_bmp():
    data = saved("BMP")
    return data[:22] + struct.pack("<i", -(2**31)) + data[26:]


def video(rate=5, claimed=20, padding=0):
    """Return an AVI of 20 frames whose header may claim another rate or number."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/v.avi"
        writer = cv2.VideoWriter(
            path, cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"MJPG"), 5.0, (64, 64)
        )
        noise = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
        for _ in range(20):
            writer.write(noise)
        writer.release()
        data = bytearray(Path(path).read_bytes())
    main, stream = data.index(b"avih") + 8, data.index(b"strh") + 8
    data[main + 16 : main + 20] = data[stream + 32 : stream + 36] = struct.pack("<I", claimed)
    if rate != 5:
        data[main : main + 4] = struct.pack("<I", 1)
        data[stream + 20 : stream + 28] = struct.pack("<II", 1, rate)
    return bytes(data) + bytes(padding)


#: name of the file, its bytes, words of the reason
CONTENTS = {
    "zero bytes": ("x.png", b"", "empty (0 bytes)"),
    "text named .png": ("x.png", b"hello, I am no picture\n" * 9, "no picture"),
    "web page named .jpg": ("x.jpg", b"<!DOCTYPE html><html></html>", "no picture"),
    "zip named .png": ("x.png", b"PK\x03\x04" + bytes(500), "no picture"),
    "PNG wider than PNG allows": ("x.png", png(2**31, 64, bytes(9999)), "megapixels"),
    "PNG without extent": ("x.png", png(0, 0, bytes(99)), "no picture"),
    "ICC bomb in a PNG": (
        "x.png",
        png(64, 64, bytes(100), chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(200 * 2**20), 1))),
        "damaged",
    ),
    "PPM of endless digits": ("x.ppm", b"P3 64 64 255\n" + b"9" * 10**7, "damaged PPM"),
    "TIFF that claims 8000x8000": ("x.tif", claiming_tiff(8000), "damaged TIFF"),
    "TIFF that claims 2^31 squared": ("x.tif", claiming_tiff(2**31), "megapixels"),
    "BMP of negative height": ("x.bmp", negative_bmp(), "megapixels|damaged"),
    "JPEG 2000 cut short": ("x.jp2", saved("JPEG2000")[:200], "damaged JPEG2000"),
    "video of 10^9 frames a second": ("x.avi", video(rate=10**9), "is no rate"),
    "zip bomb PNG": ("x.png", png(40_000, 40_000, bytes(2**20)), "megapixels"),
    "PNG of the largest size": ("x.png", png(2**31 - 1, 2**31 - 1, b""), "megapixels"),
    "100,000x1 picture": ("x.png", png(100_000, 1, bytes(300_001)), "holds no face"),
    "1x100,000 picture": ("x.png", png(1, 100_000, bytes(400_000)), "holds no face"),
    "1x1 picture": ("x.png", png(1, 1, bytes(4)), "holds no face"),
    "strip": ("x.png", png(9_000, 20, bytes(27_001 * 20)), "strip"),
    "PNG with too few rows": ("x.png", png(64, 64, bytes(100)), "damaged PNG"),
    "truncated PNG": ("x.png", saved("PNG")[:3000], "damaged PNG"),
    "truncated JPEG": ("x.jpg", saved("JPEG")[:1500], "damaged JPEG"),
    "JPEG header alone": ("x.jpg", saved("JPEG")[:20], "damaged header|no picture"),
    "PNG with a wrong checksum": (
        "x.png",
        saved("PNG")[:60] + b"\x99" + saved("PNG")[61:],
        "damaged",
    ),
    "text bomb in a PNG": (
        "x.png",
        png(
            64, 64, bytes(100), chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200 * 2**20), 1)) * 2
        ),
        "damaged",
    ),
    "PostScript": ("x.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
    "SVG with an outside reference": (
        "x.png",
        b'<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>',
        "no picture",
    ),
    "floating-point TIFF": ("x.tif", floats(), "no known scale"),
    "black picture": ("x.png", png(64, 64, bytes(193 * 64)), "no pixel is brighter"),
    "play list named .mp4": ("x.mp4", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "is no video"),
    "concat script named .mp4": (
        "x.mp4",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        "is no video",
    ),
    "MP4 header alone": ("x.mp4", b"\0\0\0\x18ftypisom" + bytes(16), "no video that can be read"),
    "zero bytes .mp4": ("x.mp4", b"", "empty (0 bytes)"),
}


def make_pipe(folder, outside):
    os.mkfifo(folder / "x.png")


def make_loop(folder, outside):
    (folder / "x.png").symlink_to("y.png")
    (folder / "y.png").symlink_to("x.png")


def make_link_out(folder, outside):
    (folder / "x.png").symlink_to(outside / "secret.png")


def make_folder_link_out(folder, outside):
    (folder / "sub").symlink_to(outside)


def make_device(folder, outside):
    (folder / "x.png").symlink_to("/dev/zero")


def make_sparse_giant(folder, outside):
    with (folder / "x.png").open("wb") as file:
        file.write(saved("PNG")[:200])
        file.truncate(50 * 2**30)


def make_folder(folder, outside):
    (folder / "x.png").mkdir()


def make_nothing(folder, outside):
    pass


#: how the file comes to be, the path in the table, status
PLACES = {
    "named pipe": (make_pipe, "x.png", "unreadable"),
    "loop of links": (make_loop, "x.png", "unreadable"),
    "link out of the folder": (make_link_out, "x.png", "outside_root"),
    "folder link out of the folder": (make_folder_link_out, "sub/secret.png", "outside_root"),
    "dots out of the folder": (make_nothing, "../outside/secret.png", "outside_root"),
    "dots by way of a link": (make_folder_link_out, "sub/../outside/secret.png", "outside_root"),
    "absolute path": (make_nothing, "/etc/passwd", "outside_root"),
    "device": (make_device, "x.png", "outside_root"),
    "process file": (make_nothing, "/proc/self/environ", "outside_root"),
    "sparse file of 50 GB": (make_sparse_giant, "x.png", "unreadable"),
    "folder named .png": (make_folder, "x.png", "unreadable"),
    "address": (make_nothing, "https://example.org/x.png", "missing_file"),
    "name of 5,000 letters": (make_nothing, "x" * 5000 + ".png", "missing_file"),
    "NUL in the name": (make_nothing, "x\0.png", "missing_file"),
    "colour codes in the name": (make_nothing, "\x1b[31mx.png", "missing_file"),
}


#: tables that cannot be used at all, and words of the one line
TABLES = {
    "pipe for a table": (None, "no such file"),
    "picture for a table": (saved("PNG"), "no column|columns named twice|field|row"),
    "unclosed quote": (b'path,subject,label\n"a.png,s,1\n' + b"a.png,s,1\n" * 20_000, "row 2"),
    "shifted columns": (b"path,subject,label\na,b.png,s,1\n", "row 2: 4 fields"),
    "a million columns": (
        b",".join(b"c%d" % i for i in range(10**6)) + b"\n1\n",
        "1000000 columns",
    ),
    "field of 20 MB": (
        b"path,subject,label\n" + b"a" * 20_000_000 + b",s,1\n",
        "field larger than field limit",
    ),
    "UTF-16 without its mark": (
        "path,subject,label\na.png,s,1\n".encode("utf-16-le"),
        "NUL characters",
    ),
    "UTF-16 cut short": ("path,subject,label\na.png,s,1\n".encode("utf-16") + b"x", "not UTF-16"),
    "UTF-32": ("path,subject,label\na.png,s,1\n".encode("utf-32"), "NUL characters"),
    "no label": (b"path,subject\na.png,s\n", "no column 'label'"),
    "only rubbish": (bytes(range(1, 256)) * 50, "no column|columns named twice|field|row"),
}


def bad_table(kind, folder):
    """Put a table of TABLES into a folder; return its path and the words that must be said."""
    content, words = TABLES[kind]
    path = folder / "m.csv"
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content)
    return path, words
