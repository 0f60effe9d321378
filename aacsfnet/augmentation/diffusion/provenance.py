"""Where a synthetic picture comes from: the recipe in its row, the mark in the picture itself."""

import hashlib
import io
import json
from typing import Any

from PIL.PngImagePlugin import putchunk

_SIGNATURE_AND_HEADER = 8 + 25  # bytes before the place for text in a PNG file


def recipe_text(facts: dict[str, Any]) -> str:
    """Return a recipe as JSON, the same for the same facts."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def recipe_hash(text: str) -> str:
    """Return 16 hexadecimal digits that stand for a recipe."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def mark_synthetic(png: bytes, recipe: str) -> bytes:
    """Return a PNG file that says of itself that it is synthetic, and by which recipe.

    Two `tEXt` chunks are put behind the header (PNG specification, section 11.3.3.2); Pillow's
    `Image.save` would encode the pixels anew. Nothing that names a subject goes in.

    Args:
        png: the file.
        recipe: `recipe_hash` of the recipe.
    """
    chunks = io.BytesIO()
    for key, value in (("synthetic", "true"), ("aacsfnet-recipe", recipe)):
        putchunk(chunks, b"tEXt", f"{key}\0{value}".encode("latin-1"))
    return png[:_SIGNATURE_AND_HEADER] + chunks.getvalue() + png[_SIGNATURE_AND_HEADER:]
