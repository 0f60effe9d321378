"""The prompt of the published code, to compare with: 68 coordinates as text, cut by the tokenizer.

The published script puts the normalised coordinates of 68 landmarks behind fixed words, whoever the
person and whatever the label, and lets the tokenizer drop what the text encoder cannot hold. Ours
cuts at the same token and says what was lost.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from aacsfnet.landmark_sets import IBUG_68

#: The fixed words of the published script.
_PERSON = "A picture of a men,natural facial features"
_ANATOMY = (
    "anatomically accurate facial features, professional portrait lighting, "
    "detailed skin texture with pores"
)
_COORDINATES = "Facial landmarks coordinates (normalized): "


class Cut(NamedTuple):
    """A text as a text encoder reads it.

    Attributes:
        read: its beginning, as far as it is read.
        lost: the rest.
        lost_tokens: how many tokens that has.
        points: how many coordinates are read whole.
    """

    read: str
    lost: str
    lost_tokens: int
    points: int


def coordinate_prompt(landmarks_px: NDArray[np.floating], size: int) -> str:
    """Return the published script's prompt for a face.

    Args:
        landmarks_px: `(478, 3)` in crop pixels.
        size: side of the crop, pixels.
    """
    points = np.asarray(landmarks_px, np.float64)[list(IBUG_68), :2] / size
    coordinates = " ".join(f"({x:.3f},{y:.3f})" for x, y in points)
    return f"{_PERSON} | {_ANATOMY} | {_COORDINATES}{coordinates}"


def cut(text: str, tokenizer: Any, limit: int) -> Cut:
    """Return a text cut where the tokenizer cuts it.

    Args:
        text: of `coordinate_prompt`.
        tokenizer: of the generator.
        limit: tokens that the text encoder holds, start and end token with them.
    """
    found = tokenizer(
        text,
        add_special_tokens=False,
        truncation=False,
        return_offsets_mapping=True,
        verbose=False,
    )
    ends = [end for _, end in found["offset_mapping"]]
    room = limit - 2
    end = ends[room - 1] if len(ends) > room else len(text)
    read = text[:end]
    return Cut(
        read=read,
        lost=text[end:].strip(),
        lost_tokens=max(0, len(ends) - room),
        points=read.partition(_COORDINATES)[2].count(")"),
    )
