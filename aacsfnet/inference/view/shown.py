"""What a page shows of a film, column by column, in the order of its frames."""

import base64
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aacsfnet.inference.view.mesh import POINTS, LineFinder, packed

#: What a row is, by its number on the page.
KINDS = ("scored", "abstained", "not scored", "left out")


@dataclass(frozen=True)
class Face:
    """One row of the table.

    Attributes:
        number: of the person; None: the frame has no face.
        kind: place in `KINDS`.
        words: why it is not scored or not to be trusted; empty where it is.
        score, low, high: units of the label; None where the table has none.
        relative: the score above the person's own neutral level; likewise.
        box_xyxy: `(4,)` picture pixels, or None.
        lines: `(len(POINTS), 2)` picture pixels, or None.
    """

    number: int | None
    kind: int
    words: str
    score: float | None
    low: float | None
    high: float | None
    relative: float | None
    box_xyxy: np.ndarray | None
    lines: np.ndarray | None


def face_of(row: dict[str, Any], picture: np.ndarray | None, finder: LineFinder | None) -> Face:
    """Return a row of the table, with the face's lines where they are found.

    Args:
        row: of `aacsfnet.inference.view.scores`.
        picture: `(H, W, 3)` uint8 RGB, its frame.
        finder: finds the lines; None: there are none.
    """
    sides = [row[f"box_{side}"] for side in ("left", "top", "right", "bottom")]
    box = None if None in sides else np.array(sides)
    lines = None
    if finder is not None and picture is not None and box is not None and row["status"] == "ok":
        lines = finder.find(picture, box, row["pose_roll"] or 0.0)
    reason = row["reason"] or ""
    if row["status"] == "ok":
        kind = 1 if row["abstained"] else 0
        words = (row["why"] or reason or "not to be trusted") if kind else ""
    else:
        kind, words = (3 if row["status"] == "excluded" else 2), reason or row["status"]
    return Face(
        row["face"],
        kind,
        words,
        score=_finite(row["prediction"]),
        low=_finite(row["low"]),
        high=_finite(row["high"]),
        relative=_finite(row["relative"]),
        box_xyxy=box,
        lines=lines,
    )


def _finite(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else value


@dataclass
class Shown:
    """Takes frame after frame; `data` is what the page's script reads.

    Attributes:
        copied: the film that is played begins at 0, whenever the first frame is.
        times: of the frames that are shown, seconds.
        size: width and height of a frame; None until one could be decoded.
    """

    copied: bool
    times: list[float] = field(default_factory=list)
    size: tuple[int, int] | None = None
    _numbers: list[int] = field(default_factory=list)
    _people: dict[int | None, dict[str, list[Any]]] = field(default_factory=dict)
    _lines: dict[int | None, bytearray] = field(default_factory=dict)
    _words: dict[str, int] = field(default_factory=dict)

    def add(
        self, number: int, time_s: float, faces: list[Face], shape: tuple[int, ...] | None
    ) -> None:
        """Take a frame.

        Args:
            number: in the table.
            time_s: when it is shown.
            faces: its rows.
            shape: of its picture, `(H, W, 3)`; None: there is none.
        """
        if self.size is None and shape is not None:
            self.size = shape[1], shape[0]
        at = len(self.times)
        self.times.append(round(time_s, 6))
        self._numbers.append(number)
        for face in faces:
            self._add(at, face)

    def _add(self, at: int, face: Face) -> None:
        own = self._people.setdefault(face.number, {})
        values: dict[str, Any] = {
            "at": at,
            "kind": face.kind,
            "words": self._words.setdefault(face.words, len(self._words)),
        }
        if face.number is not None:
            box = None if face.box_xyxy is None else face.box_xyxy.round(1).tolist()
            numbers = {name: getattr(face, name) for name in ("score", "low", "high", "relative")}
            values |= {name: None if v is None else round(v, 4) for name, v in numbers.items()}
            values |= {"box": box, "meshed": int(face.lines is not None)}
            if face.lines is not None and face.box_xyxy is not None:
                known = self._lines.setdefault(face.number, bytearray())
                known += packed(face.lines, face.box_xyxy)
        for name, value in values.items():
            own.setdefault(name, []).append(value)

    def data(self) -> dict[str, Any]:
        """Return everything as lists, numbers and text.

        `people` are the faces by number, each with a list a column; `at` is the place of a row's
        frame in `times`, `words` one in the list of that name. `lines` has `2 * points` bytes for
        each row whose `meshed` is 1, see `aacsfnet.inference.view.mesh.packed`.
        """
        faceless = self._people.get(None, {"at": [], "kind": [], "words": []})
        numbers = sorted(number for number in self._people if number is not None)
        return {
            "size": self.size,
            "offset": self.times[0] if self.copied else 0,
            "times": self.times,
            "numbers": self._numbers,
            "people": [
                {"number": number}
                | self._people[number]
                | {"lines": base64.b64encode(self._lines.get(number, b"")).decode()}
                for number in numbers
            ],
            "faceless": faceless,
            "words": list(self._words),
            "points": len(POINTS),
        }
