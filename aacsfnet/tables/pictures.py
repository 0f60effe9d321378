"""Pictures in tables: encoded, decoded, and unpacked into a folder."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from aacsfnet.errors import DataError, WorkError
from aacsfnet.files import replacing, safe_name
from aacsfnet.tables.parquet import read
from aacsfnet.tables.png import packed


def encode_png(picture: np.ndarray, name: str) -> dict[str, object]:
    """Return a picture as a `PICTURE` value, losslessly.

    Args:
        picture: `(H, W, 3)` uint8 RGB, or `(H, W)` uint8 or uint16.
        name: file name that the picture would have, without folders.
    """
    try:
        return {"bytes": packed(picture), "path": name}
    except (KeyError, ValueError):
        words = f"cannot encode a picture of shape {picture.shape}, {picture.dtype}"
        raise WorkError(words) from None


def decode_png(value: dict[str, Any]) -> np.ndarray:
    """Return the picture in a `PICTURE` value: `(H, W, 3)` RGB, or `(H, W)` for grey ones.

    Raises:
        DataError: it is damaged.
    """
    import cv2

    pixels = cv2.imdecode(np.frombuffer(value["bytes"], np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise DataError(f"picture {value.get('path')!r} in a table cannot be decoded")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels) if pixels.ndim == 3 else pixels


def png_name(identity: str) -> str:
    """Return the file name of the picture of a frame or image id.

    >>> png_name("s1/a/0001#level0")
    's1_a_0001_level0.png'
    """
    return identity.replace("/", "_").replace("#", "_") + ".png"


def png_size(value: dict[str, Any]) -> tuple[int, int]:
    """Return height and width of the picture in a `PICTURE` value, from its file's header."""
    height, width = struct.unpack(">II", value["bytes"][16:24])[::-1]
    return height, width


def export_pictures(path: Path, folder: Path) -> int:
    """Unpack the pictures of a table into a folder and return how many there were.

    A picture's file is named by its id, made safe for a file name; its place in the table comes
    first, so that names stay apart.

    Raises:
        DataError: the table holds no pictures.
    """
    table = read(path)
    if "image" not in table.columns:
        raise DataError(f"{path}: no pictures here; expected a table of crop, depth or generate")
    folder.mkdir(parents=True, exist_ok=True)
    name = "image_id" if "image_id" in table.columns else "frame_id"
    written = 0
    for place, (identity, image) in enumerate(table.select(name, "image").iter_rows()):
        if image is None:
            continue
        suffix = Path(image["path"]).suffix
        with replacing(folder / f"{place:06d}-{safe_name(identity)}{suffix}") as temporary:
            temporary.write_bytes(image["bytes"])
        written += 1
    return written
