"""Writing the archive: renderings, hard links to them, and label files in the archive's formats."""

import os
from pathlib import Path

import cv2
import numpy as np

from aacsfnet.rendering.render import render
from benchmarks.archive.plan import Frame, Size, Still, person_of, scene_of, units_of

#: Which of the 478 points stand for the archive's 66; any would do, the product only carries them.
AAM_POINTS = np.linspace(0, 477, 66).astype(int)
IMAGES, PSPI, FACS = "Images", "Frame_Labels/PSPI", "Frame_Labels/FACS"
AAM, SCORES = "AAM_landmarks", "Sequence_Labels"


class Tree:
    """The archive's folder. Half of the subjects lie one folder of the same name deeper.

    Args:
        root: folder to write into.
        size: of the archive.
        nested: subjects whose files lie in `Images/Images`, `Frame_Labels/Frame_Labels/PSPI` …
    """

    def __init__(self, root: Path, size: Size, nested: set[str]) -> None:
        self.root, self.size, self.nested = root, size, nested

    def picture(self, frame: Frame, suffix: str = ".png") -> Path:
        """Return where a frame's picture lies."""
        return self._file(IMAGES, frame, suffix)

    def pspi(self, frame: Frame) -> Path:
        """Return where a frame's PSPI lies."""
        return self._file(PSPI, frame, "_facs.txt")

    def facs(self, frame: Frame) -> Path:
        """Return where a frame's action units lie."""
        return self._file(FACS, frame, "_facs.txt")

    def aam(self, frame: Frame) -> Path:
        """Return where a frame's landmarks lie."""
        return self._file(AAM, frame, "_aam.txt")

    def score(self, subject: str, sequence: str, name: str) -> Path:
        """Return where a sequence's self-report or rating lies."""
        return self._part(f"{SCORES}/{name.upper()}", subject) / subject / f"{sequence}.txt"

    def _part(self, part: str, subject: str) -> Path:
        first = part.split("/")[0]
        return self.root / (f"{first}/{part}" if subject in self.nested else part)

    def _file(self, part: str, frame: Frame, suffix: str) -> Path:
        return self._part(part, frame.subject) / f"{frame.place}{suffix}"

    # ---- writing ----

    def write(self, frames: list[Frame], stills: Path) -> None:
        """Write every file of the archive as it should be; oddities come after."""
        points = {still: self._still(still, stills) for still in {f.still for f in frames}}
        folders = set()
        for frame in frames:
            files = [f(frame) for f in (self.picture, self.pspi, self.facs, self.aam)]
            for folder in {file.parent for file in files} - folders:
                folder.mkdir(parents=True)
                folders.add(folder)
            os.link(still_file(stills, frame.still), files[0])
            files[1].write_text(f"   {frame.still.level:.7e}\n")
            files[2].write_text(facs_text(frame.units))
            files[3].write_text("".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points[frame.still]))
        for subject, sequence in dict.fromkeys((f.subject, f.sequence) for f in frames):
            first = next(f for f in frames if f.sequence == sequence)
            for name, value in first.scores.items():
                file = self.score(subject, sequence, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"   {value:.7e}\n")

    def _still(self, still: Still, stills: Path) -> np.ndarray:
        """Render a picture, unless it is there; return its landmarks `(66, 2)`."""
        file = still_file(stills, still)
        points = file.with_suffix(".npy")
        if not points.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            units = {unit: value for unit, value in units_of(still, self.size).items() if value}
            made = render(person_of(still.subject), units, *scene_of(still), self.size.picture)
            file.write_bytes(encoded(made.picture, ".png"))
            np.save(points, made.landmarks_px[AAM_POINTS, :2])
        return np.asarray(np.load(points))


def still_file(stills: Path, still: Still) -> Path:
    """Return where a rendering lies."""
    return stills / f"{still.subject:03d}" / f"{still.level:02d}-{still.step:03d}.png"


def facs_text(units: dict[str, float]) -> str:
    """Return a FACS file: nothing without action units; AU43 has no intensity."""
    rows = [
        f"   {int(unit[2:]):.7e}   {0 if unit == 'au43' else value:.7e}   0.0000000e+00   0\n"
        for unit, value in units.items()
        if value
    ]
    return "".join(rows)


def encoded(pixels: np.ndarray, suffix: str) -> bytes:
    """Return RGB pixels, `(H, W, 3)` or grey `(H, W)`, as a file of a kind."""
    ordered = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    return cv2.imencode(suffix, np.ascontiguousarray(ordered))[1].tobytes()
