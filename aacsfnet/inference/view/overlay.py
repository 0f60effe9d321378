"""A film with boxes, lines, scores and the curve drawn into it."""

from collections.abc import Sequence

import cv2
import numpy as np
import polars as pl

from aacsfnet.inference.view.film import PACE, FilmWriter
from aacsfnet.inference.view.mesh import LINES
from aacsfnet.inference.view.shown import KINDS, Face

#: One colour a person, RGB, in turns: the series of `aacsfnet.pages` on a dark ground.
_COLOURS = (
    *((110, 168, 255), (242, 160, 99), (92, 201, 160)),
    *((224, 139, 208), (207, 196, 92), (169, 156, 255)),
)
_GROUND, _INK, _MUTED = (20, 23, 28), (232, 234, 238), (154, 163, 176)
#: Height of the strip with the curve, share of the picture's.
_STRIP = 0.25
_FONT = cv2.FONT_HERSHEY_SIMPLEX


class Overlay:
    """Draws one frame after the other.

    Args:
        writer: takes the pictures.
        rows: of the film, as `aacsfnet.inference.view.scores` gives them.
    """

    def __init__(self, writer: FilmWriter, rows: pl.DataFrame) -> None:
        self._writer = writer
        times = rows["time_s"].fill_null(rows["frame"] * PACE)
        scored = rows.with_columns(time_s=times).filter(pl.col("prediction").is_finite())
        pieces = scored.with_columns(  # frames that follow each other
            piece=pl.col("frame") - pl.col("frame").rank("dense").over("face").cast(pl.Int64)
        ).group_by("face", "piece", maintain_order=True)
        self._curves = [
            (face, part.select("time_s", "prediction").to_numpy()) for (face, _), part in pieces
        ]
        self._span = float(times.min() or 0), float(times.max() or 0)  # type: ignore[arg-type]
        self._first: float | None = None
        self._strip: np.ndarray | None = None

    def add(self, picture: np.ndarray, time_s: float, faces: Sequence[Face]) -> None:
        """Draw a frame `(H, W, 3)` uint8 RGB and hand it on."""
        self._first = time_s if self._first is None else self._first
        if self._strip is None:
            self._strip = self._draw_strip(*picture.shape[:2])
        drawn = picture.copy()
        scale = max(picture.shape[:2]) / 640
        for face in faces:
            if face.number is not None and face.box_xyxy is not None:
                _draw_face(drawn, face, scale)
        notes = [face.words for face in faces if face.number is None and face.words]
        for line, note in enumerate(notes):
            _write(drawn, note, (8 * scale, (20 + 18 * line) * scale), _INK, scale)
        strip = self._strip.copy()
        across = round(float(self._across(time_s, strip.shape[1])))
        cv2.line(strip, (across, 0), (across, strip.shape[0]), _INK, max(1, round(scale)))
        self._writer.add(np.vstack([drawn, strip]), time_s - self._first)

    def _across(self, time_s: float | np.ndarray, width: int) -> np.ndarray:
        low, high = self._span
        return np.asarray((time_s - low) / max(high - low, 1e-6) * (width - 1))

    def _draw_strip(self, height: int, width: int) -> np.ndarray:
        strip = np.full((max(24, round(height * _STRIP)), width, 3), _GROUND, np.uint8)
        values = np.concatenate([curve[:, 1] for _, curve in self._curves] or [np.zeros(1)])
        low, high = min(0.0, values.min()), max(1.0, values.max())
        for number, curve in self._curves:
            x = self._across(curve[:, 0], width)
            y = (strip.shape[0] - 5) - (curve[:, 1] - low) / (high - low) * (strip.shape[0] - 10)
            points = np.rint(np.stack([x, y], axis=1)).astype(np.int32)
            cv2.polylines(strip, [points], False, _colour(number), 1, cv2.LINE_AA)
        scale = max(height, width) / 640
        _write(strip, f"{high:.1f}", (4 * scale, 14 * scale), _MUTED, scale)
        return strip


def _draw_face(drawn: np.ndarray, face: Face, scale: float) -> None:
    assert face.box_xyxy is not None
    colour = _colour(face.number) if face.kind == 0 else _MUTED
    thick = max(1, round(scale))
    left, top, right, bottom = np.rint(face.box_xyxy).astype(int).tolist()
    cv2.rectangle(drawn, (left, top), (right, bottom), colour, thick)
    if face.lines is not None:
        points = np.rint(face.lines * 16).astype(np.int32)
        lines = [points[line] for line in LINES]
        cv2.polylines(drawn, lines, False, colour, thick, cv2.LINE_AA, 4)
    words = KINDS[face.kind] if face.score is None else f"{face.score:.1f}"
    if face.low is not None and face.high is not None:
        words += f" ({face.low:.1f} to {face.high:.1f})"
    if face.kind and face.score is not None:
        words += f" {KINDS[face.kind]}"
    _write(drawn, f"{face.number}: {words}", (left, max(14 * scale, top - 5)), colour, scale)


def _colour(number: object) -> tuple[int, int, int]:
    return _COLOURS[int(str(number)) % len(_COLOURS)]


def _write(
    drawn: np.ndarray, text: str, at: tuple[float, float], colour: tuple[int, ...], scale: float
) -> None:
    """Write a line of text that can be read on any ground; OpenCV's letters are ASCII's."""
    plain = text.encode("ascii", "replace").decode()
    place = round(at[0]), round(at[1])
    for ink, more in (((0, 0, 0), 2), (colour, 0)):
        thick = max(1, round(scale)) + more
        cv2.putText(drawn, plain, place, _FONT, 0.45 * scale, ink, thick, cv2.LINE_AA)
