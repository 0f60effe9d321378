"""The data set `demo`: rendered people whose action units, and so PSPI, are known."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aacsfnet.config import Index
from aacsfnet.datasets.base import Dataset, Label, index_table
from aacsfnet.errors import DataError
from aacsfnet.facs import ACTION_UNITS

if TYPE_CHECKING:
    from aacsfnet.rendering.sequences import Frame


class Demo(Dataset):
    """Rendered people; settings in `config.index.demo`."""

    label = Label("pspi", 0.0, 16.0, "observed expression of pain (PSPI) of a rendered face")

    def __init__(self, index: Index):
        """Take the settings; nothing is rendered yet."""
        self._settings = index.demo
        self._digits = max(3, len(str(index.demo.subjects)))

    def subjects(self) -> dict[str, int]:
        """Return how many frames each subject has."""
        frames = self._settings.sequences * self._settings.frames
        return {self._name(number): frames for number in range(self._settings.subjects)}

    def file_of(self, path: str) -> str:
        """Return "": no frame lies in a file."""
        return ""

    def index(self) -> pl.DataFrame:
        """Return one row a frame: the index table without its `shard` column."""
        from aacsfnet.rendering.sequences import person_of

        rows: list[dict[str, object]] = []
        for subject in range(self._settings.subjects):
            person = person_of(self._settings.seed, subject)
            for sequence in range(self._settings.sequences):
                for position, frame in enumerate(self._frames(subject, sequence)):
                    names = (self._name(subject), f"q{sequence + 1:03d}", f"{position + 1:04d}")
                    units = {unit: frame.expression.get(unit, 0.0) for unit in ACTION_UNITS}
                    rows.append(
                        {
                            "frame_id": "/".join(names),
                            "subject": names[0],
                            "sequence": names[1],
                            "label": frame.pspi,
                            "status": "ok",
                            "notes": [],
                            "position": position,
                            "path": "demo:" + "/".join(names),
                            "sex": person.sex,
                            "age_group": person.age_group,
                            **units,
                        }
                    )
        return index_table(rows)

    def picture(self, path: str) -> np.ndarray:
        """Return a frame, rendered.

        Raises:
            DataError: a path that these settings do not make.
        """
        from aacsfnet.rendering.render import render
        from aacsfnet.rendering.sequences import person_of

        subject, sequence, position = self._numbers(path)
        frame = self._frames(subject, sequence)[position]
        return render(
            person_of(self._settings.seed, subject),
            frame.expression,
            frame.pose,
            frame.light,
            frame.lens,
            self._settings.picture_size,
        ).picture

    def _name(self, subject: int) -> str:
        return f"s{subject + 1:0{self._digits}d}"

    def _frames(self, subject: int, sequence: int) -> "tuple[Frame, ...]":
        from aacsfnet.rendering.sequences import frames_of

        return frames_of(self._settings.seed, subject, sequence, self._settings.frames)

    def _numbers(self, path: str) -> tuple[int, int, int]:
        """Return subject, sequence and position, from 0."""
        settings = self._settings
        try:
            kind, names = path.split(":")
            subject, sequence, frame = names.split("/")
            numbers = int(subject[1:]) - 1, int(sequence[1:]) - 1, int(frame) - 1
        except ValueError:
            kind, numbers = "", (-1, -1, -1)
        limits = settings.subjects, settings.sequences, settings.frames
        inside = all(0 <= n < limit for n, limit in zip(numbers, limits, strict=True))
        if kind != "demo" or not inside:
            raise DataError(
                f"{path!r} is no frame of this demo data set, expected demo:<subject>/<sequence>/"
                f"<frame> up to {limits[0]}/{limits[1]}/{limits[2]}; run the index stage again"
            )
        return numbers
