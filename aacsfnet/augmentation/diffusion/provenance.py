"""Where a synthetic picture comes from: the recipe in its row, the mark in the picture itself."""

import hashlib
import json
import struct
import zlib
from importlib.metadata import version
from typing import Any

_PACKAGES = ("aacsfnet", "diffusers", "torch", "transformers")
_SIGNATURE_AND_HEADER = 8 + 25  # bytes before the place for text in a PNG file


def recipe_text(facts: dict[str, Any]) -> str:
    """Return a recipe as JSON, the same for the same facts."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def recipe_hash(text: str) -> str:
    """Return 16 hexadecimal digits that stand for a recipe."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def versions() -> dict[str, str]:
    """Return the versions of what decides a picture's pixels."""
    return {package: version(package) for package in _PACKAGES}


def mark_synthetic(png: bytes, recipe: str) -> bytes:
    """Return a PNG file that says of itself that it is synthetic, and by which recipe.

    Two `tEXt` chunks are put behind the header (PNG specification, section 11.3.3.2). Nothing that
    names a subject goes in.

    Args:
        png: the file.
        recipe: `recipe_hash` of the recipe.
    """
    chunks = _text("synthetic", "true") + _text("aacsfnet-recipe", recipe)
    return png[:_SIGNATURE_AND_HEADER] + chunks + png[_SIGNATURE_AND_HEADER:]


def _text(key: str, value: str) -> bytes:
    data = b"tEXt" + key.encode("latin-1") + b"\0" + value.encode("latin-1")
    return struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
