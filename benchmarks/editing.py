"""Editing measured: does an edited picture show the change that its action units say?

    python -m benchmarks.editing gains --people 8
    python -m benchmarks.editing rendered --people 20
    python -m benchmarks.editing eyes --people 12
    python -m benchmarks.editing generated --people 3
    python -m benchmarks.editing photographs --folder PHOTOGRAPHS --montage twelve.png
    python -m benchmarks.editing speed

A change is found again by MediaPipe's mesh, which reads less than there is (two thirds of a brow's
lowering). So the yardstick is what the same looks read on pictures that the renderer draws of that
expression: slope 1 is a picture that shows as much as the true one. Each writes
benchmarks/results/editing-<what>-<date>.json.

PHOTOGRAPHS holds pictures of neutral faces and manifest.csv (path, subject, expression, age,
gender, ethnicity), as the Face Research Lab London Set does (doi 10.6084/m9.figshare.5047666).
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import cv2
import numpy as np
import polars as pl

from aacsfnet.augmentation.depth.mesh import mesh_depth
from aacsfnet.augmentation.diffusion.tasks import Task
from aacsfnet.augmentation.edit import expressions
from aacsfnet.augmentation.edit.expressions import edited
from aacsfnet.augmentation.edit.folds import folded
from aacsfnet.augmentation.edit.warp import warped
from aacsfnet.config import Crop, Generate, Prompts
from aacsfnet.faces.alignment import crop_matrix, placement_of
from aacsfnet.faces.find import FaceExtractor
from aacsfnet.faces.geometry import eye_distance, measure_all
from aacsfnet.faces.mesh import CropLandmarker
from aacsfnet.faces.sampling import sample
from aacsfnet.landmark_sets import LEFT_EYE, RIGHT_EYE
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Rendering, render
from aacsfnet.rendering.sequences import frames_of
from aacsfnet.seeds import seed_of
from benchmarks.generation import generator_of
from benchmarks.records import record

Units = Mapping[str, float]

#: The measures that tell of each unit; the mesh's network hardly sees those of AU6 and AU9.
SHOWS = {
    "au4": ("brow_height",),
    "au6": ("cheek_raise",),
    "au7": ("lid_opening", "lower_lid_height"),
    "au9": ("nose_wrinkle",),
    "au10": ("upper_lip_raise",),
    "au43": ("lid_opening",),
}
MEASURES = tuple(dict.fromkeys(name for names in SHOWS.values() for name in names))
_OPENING = MEASURES.index("lid_opening")
_OF_LIDS = np.array([name in SHOWS["au7"] for name in MEASURES])
_EYES = RIGHT_EYE + LEFT_EYE
#: Side of a photograph's crop, pixels.
_PHOTOGRAPH = 512
ALONE: tuple[Units, ...] = (
    *({unit: float(level)} for unit in SHOWS if unit != "au43" for level in range(1, 6)),
    *({"au43": 0.5}, {"au43": 1.0}),
)


def mixtures(count: int) -> list[Units]:
    """Return expressions of several units."""
    random = np.random.default_rng(seed_of("editing", "mixtures"))
    made: list[Units] = []
    while len(made) < count:
        units = {u: float(random.uniform(1, 5)) for u in SHOWS if random.random() < 0.5}
        if "au43" in units:
            units["au43"] = float(random.choice((0.5, 1.0)))
        if len(units) > 1:
            made.append(units)
    return made


class Face(NamedTuple):
    """A neutral face: its crop, and its mesh as found."""

    crop: np.ndarray
    points: np.ndarray


class Row(NamedTuple):
    """Changes of the measures `(measures,)` from the neutral face, of one expression.

    Attributes:
        true: of the renderer's own mesh.
        rendered: read on the picture that the renderer draws.
        target: of the edited mesh.
        shown: read on the edited picture.
    """

    units: Units
    true: np.ndarray
    rendered: np.ndarray
    target: np.ndarray
    shown: np.ndarray


def _values(points: np.ndarray) -> np.ndarray:
    """Return the measures `(measures,)` of a mesh `(478, 3)`."""
    measured = measure_all(points)
    return np.array([float(measured[name]) for name in MEASURES])


class Reader:
    """Reads measures off pictures, and counts the faces that it loses."""

    def __init__(self, landmarker: CropLandmarker) -> None:
        self._landmarker = landmarker
        self.lost = 0

    def face(self, crop: np.ndarray) -> Face:
        """Return a neutral face with its mesh, as the workflow finds it."""
        return Face(crop, self._landmarker.find(crop).points)

    def values(self, crop: np.ndarray) -> np.ndarray:
        """Return the measures `(measures,)` on a picture, NaN where no face is found.

        They are the mean of several looks, as the gate takes them.
        """
        mesh = self._landmarker.find(crop)
        if not self._landmarker.accepts(mesh):
            self.lost += 1
            return np.full(len(MEASURES), np.nan)
        looks = self._landmarker.looks(crop, mesh.points)
        return np.mean([_values(points) for points in looks], axis=0)


def person(number: int, units: Units, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a rendered person's crop, placed by the neutral face, and the true mesh's measures."""
    made = _render(number, units, size)
    crop = sample(made.picture, _placed(number, size), size)
    return crop, _values(made.landmarks_px.astype(float))


def _render(number: int, units: Units, size: int) -> Rendering:
    someone = Person.from_seed(seed_of("editing", number))
    frame = frames_of(seed_of("editing"), number, 0, 8)[number % 8]
    return render(someone, units, frame.pose, frame.light, frame.lens, size=size * 3 // 2)


@cache
def _placed(number: int, size: int) -> np.ndarray:
    neutral = _render(number, {}, size).landmarks_px.astype(float)
    return crop_matrix(placement_of(neutral), size, Crop().margin)


def drawn(face: Face, target: np.ndarray, units: Units) -> np.ndarray:
    """Return a neutral face's picture with another expression."""
    return folded(warped(face.crop, face.points, target), target, units, {})


def on_rendered(
    reader: Reader,
    numbers: Sequence[int],
    ladder_of: Callable[[int], Sequence[Units]],
    size: int,
) -> Iterator[tuple[Face, np.ndarray, Row]]:
    """Yield each person's neutral face, the target mesh, and what an expression changes."""
    for number in numbers:
        crop, true_start = person(number, {}, size)
        face = reader.face(crop)
        start = reader.values(crop)
        for units in ladder_of(number):
            picture, true = person(number, units, size)
            target = edited(face.points, units, {})
            shown = reader.values(drawn(face, target, units))
            yield (
                face,
                target,
                Row(
                    units,
                    true - true_start,
                    reader.values(picture) - start,
                    _values(target) - _values(face.points),
                    shown - start,
                ),
            )


def fit(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return slope and correlation of y against x, no change being no change (0, 0)."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    return {
        "slope": round(float((x * y).sum() / (x * x).sum()), 3),
        "r": round(float(np.corrcoef(np.append(x, 0), np.append(y, 0))[0, 1]), 3),
        "pictures": len(x),
    }


def fits(rows: Sequence[Row], of: str, against: str) -> dict[str, dict]:
    """Return fits by unit alone, of the mixtures, and of all together."""
    x, y = (np.array([getattr(row, which) for row in rows]) for which in (against, of))
    alone = np.array([len(row.units) == 1 for row in rows])
    report: dict[str, dict] = {}
    for unit, names in SHOWS.items():
        chosen = alone & [unit in row.units for row in rows]
        report[unit] = {n: _fit_of(x[chosen], y[chosen], n) for n in names if chosen.any()}
    for kind, chosen in (("mixtures", ~alone), ("all", np.full(len(rows), True))):
        if chosen.any():
            report[kind] = {name: _fit_of(x[chosen], y[chosen], name) for name in MEASURES}
    return report


def _fit_of(x: np.ndarray, y: np.ndarray, name: str) -> dict[str, float]:
    return fit(x[:, MEASURES.index(name)], y[:, MEASURES.index(name)])


def gains(people: int) -> dict:
    """Return how much an edit without gains shows of the change that a rendering shows."""
    with CropLandmarker(0.5) as landmarker, mock.patch.dict(expressions.GAINS, clear=True):
        made = on_rendered(Reader(landmarker), range(people), lambda _: ALONE, 256)
        rows = [row for _, _, row in made]
    return {
        "shown_against_rendered": fits(rows, "shown", "rendered"),
        "target_against_true": fits(rows, "target", "true"),
        "gains": expressions.GAINS,
    }


def rendered(people: int) -> dict:
    """The ladder on rendered people that set no gain, warp alone."""
    with CropLandmarker(0.5) as landmarker:
        reader = Reader(landmarker)
        numbers = range(1000, 1000 + people)
        mixed = mixtures(50)

        def ladder_of(number: int) -> Sequence[Units]:  # each mixture on a fifth of the people
            return (*ALONE, *mixed[number % 5 :: 5])

        rows = [row for _, _, row in on_rendered(reader, numbers, ladder_of, 256)]
        return {
            "people": people,
            "pictures": len(rows),
            "lost": reader.lost,
            "shown_against_rendered": fits(rows, "shown", "rendered"),
            "target_against_true": fits(rows, "target", "true"),
            "read_share": fits(rows, "rendered", "true"),
        }


def generated(people: int) -> dict:
    """The ladder after the bundled miniature's pass at strength 0.5 with the target's depth."""
    size = Crop().size
    with CropLandmarker(0.5) as landmarker:
        reader = Reader(landmarker)
        numbers = range(1000, 1000 + people)
        faces, targets, rows = zip(
            *on_rendered(reader, numbers, lambda _: ALONE, size), strict=True
        )
        wanted = [row.units for row in rows]
        pictures = [drawn(*each) for each in zip(faces, targets, wanted, strict=True)]
        negative = Prompts().negative
        tasks = [
            Task(picture, mesh_depth(target, size, size), "a face", negative, number)
            for number, (picture, target) in enumerate(zip(pictures, targets, strict=True))
        ]
        made = [r for batch in generator_of(Generate(strength=0.5)).generate(tasks) for r in batch]
        reader.lost = 0
        after = [
            row._replace(shown=reader.values(result.picture) - reader.values(face.crop))
            for row, result, face in zip(rows, made, faces, strict=True)
            if result.picture is not None
        ]
    return {
        "people": people,
        "pictures": len(after),
        "lost": reader.lost,
        "shown_against_rendered": fits(after, "shown", "rendered"),
        "warp_alone_at_this_size": fits(rows, "shown", "rendered"),
    }


def photographs(folder: Path, people: int, montage: Path | None) -> dict:
    """The ladder on photographs of neutral faces, warp alone, 512 pixels.

    The yardstick is the mean of what rendered people show of the same expression, in pictures as
    large: the mesh follows closing lids further the finer the pixels. Units that narrow the eye do
    so by a share of its height, so of them it is that share of the photographed eye's own height.
    AU6 and AU9 alone are left out, since the mesh does not see them.
    """
    table = pl.read_csv(folder / "manifest.csv").filter(expression="neutral")
    seen = [units for units in ALONE if not units.keys() & {"au6", "au9"}]
    ladder = (*seen, *mixtures(3))
    with FaceExtractor(Crop(size=_PHOTOGRAPH)) as extractor:
        found = [extractor.find(folder / path) for path in table["path"]]
    with CropLandmarker(0.5) as landmarker:
        reader = Reader(landmarker)
        numbers = range(2000, 2000 + people)
        made = list(on_rendered(reader, numbers, lambda _: ladder, _PHOTOGRAPH))
        read = np.reshape([row.rendered for _, _, row in made], (people, len(ladder), -1))
        usual = np.nanmean(read, axis=0)
        openings = [reader.values(face.crop)[_OPENING] for face, _, _ in made[:: len(ladder)]]
        reader.lost = 0
        rows: list[tuple[dict[str, Any], Row]] = []
        alike: list[Row] = []  # judged by the rendered people's mean, whatever the eye's height
        for one, faces in zip(table.iter_rows(named=True), found, strict=True):
            face = reader.face(faces[0].crop)
            start = reader.values(face.crop)
            own = np.where(_OF_LIDS, start[_OPENING] / np.mean(openings), 1.0)
            for units, expected in zip(ladder, usual, strict=True):
                target = edited(face.points, units, {})
                shown = reader.values(drawn(face, target, units)) - start
                change = _values(target) - _values(face.points)
                alike.append(Row(units, expected, expected, change, shown))
                rows.append((one, alike[-1]._replace(rendered=own * expected)))
    if montage is not None:
        _draw(montage, [Face(each[0].crop, each[0].landmarks_px) for each in found][::4][:12])
    groups = {"ethnicity": _text("ethnicity"), "gender": _text("gender"), "age": _age_group}
    return {
        "people": len(found),
        "pictures": len(rows),
        "lost": reader.lost,
        "rendered_people": people,
        "shown_against_rendered": fits([row for _, row in rows], "shown", "rendered"),
        "shown_against_rendered_whatever_the_eyes_height": fits(alike, "shown", "rendered"),
        "shown_against_target_mesh": fits(alike, "shown", "target"),
        "by": {
            name: {
                value: {"people": len({one["subject"] for one, _ in part})}
                | fits([row for _, row in part], "shown", "rendered")["all"]
                for value in sorted({key(one) for one, _ in rows})
                if (part := [each for each in rows if key(each[0]) == value])
            }
            for name, key in groups.items()
        },
    }


def eyes(people: int) -> dict:
    """How much of what a rendering changes round the eyes an edited picture changes as well.

    No landmark is read: of the grey values, `slope` is the share of the renderer's change that is
    shown and `error` what differs from it, as a share of it. Coarse pixels and fine ones.
    """
    told: dict[str, dict] = {}
    ladder = [units for units in ALONE if units.keys() & {"au7", "au43"}]
    with CropLandmarker(0.5) as landmarker:
        for size in (128, 512):
            sums: dict[str, list[np.ndarray]] = {}
            for number in range(2020, 2020 + people):
                face = Reader(landmarker).face(person(number, {}, size)[0])
                for units in ladder:
                    target = edited(face.points, units, {})
                    shown = _round_eyes(face, drawn(face, target, units))
                    true = _round_eyes(face, person(number, units, size)[0])
                    off = true - shown
                    values = np.array([(true * shown).sum(), (true**2).sum(), (off**2).sum()])
                    sums.setdefault(" ".join(f"{u} {v:g}" for u, v in units.items()), []).append(
                        values / np.square(face.crop.mean())
                    )
            told[f"{size} pixels"] = {
                name: {
                    "slope": round(float(both / own), 3),
                    "error": round(float(np.sqrt(off / own)), 3),
                }
                for name, (both, own, off) in ((k, np.sum(v, axis=0)) for k, v in sums.items())
            }
    return {"people": people, "shown_against_the_renderers_pixels": told}


def _round_eyes(face: Face, picture: np.ndarray) -> np.ndarray:
    """Return how grey values round the eyes of a neutral face change on another picture of it."""
    middle = face.points[list(_EYES), :2].mean(axis=0)
    reach = np.array([0.75, 0.3]) * float(eye_distance(face.points))
    (left, top), (right, bottom) = (np.rint(middle + side * reach).astype(int) for side in (-1, 1))
    before, after = (
        cv2.cvtColor(each[top:bottom, left:right], cv2.COLOR_RGB2GRAY).astype(float)
        for each in (face.crop, picture)
    )
    return np.asarray(after - before)


def _text(column: str) -> Callable[[dict[str, Any]], str]:
    return lambda one: str(one[column])


def _age_group(one: dict[str, Any]) -> str:
    age = str(one["age"])
    if not age.isdecimal():
        return "unknown"
    return "40 and more" if int(age) >= 40 else "30 to 39" if int(age) >= 30 else "below 30"


def _draw(path: Path, faces: Sequence[Face]) -> None:
    """Write faces side by side: as they are, then edited."""
    shown: list[Units] = [
        {}, {"au4": 4}, {"au6": 4}, {"au7": 4}, {"au9": 4}, {"au10": 4}, {"au43": 1},
        {"au4": 4, "au6": 4, "au10": 3, "au43": 1},
    ]  # fmt: skip
    rows = [
        np.hstack([drawn(face, edited(face.points, units, {}), units) for units in shown])
        for face in faces
    ]
    cv2.imwrite(
        str(path),
        cv2.resize(np.vstack(rows), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)[..., ::-1],
    )


def speed() -> dict:
    """Milliseconds a picture of 256 pixels on one core, the median of 50, beside `cv2.remap`."""
    crop, _ = person(0, {}, 256)
    with CropLandmarker(0.5) as landmarker:
        points = Reader(landmarker).face(crop).points
    across = np.tile(np.arange(256, dtype=np.float32), (256, 1))
    down = np.ascontiguousarray(across.T)
    units = {"au4": 4.0, "au7": 3.0, "au10": 3.0, "au43": 1.0}
    target = edited(points, units, {})
    steps = {
        "edited": lambda: edited(points, units, {}),
        "warped": lambda: warped(crop, points, target),
        "folded": lambda: folded(crop, target, units, {}),
        "mesh_depth": lambda: mesh_depth(target, 256, 256),
        "floor_remap": lambda: cv2.remap(crop, across, down, cv2.INTER_CUBIC),
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(50):
        for name, step in steps.items():
            start = time.process_time()
            step()
            times[name].append(1000 * (time.process_time() - start))
    found = {name: round(float(np.median(values)), 2) for name, values in times.items()}
    return found | {"together": round(sum(found.values()) - found["floor_remap"], 2)}


def main() -> None:
    """Run what the command line asks for and keep the figures."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "what", choices=("gains", "rendered", "eyes", "generated", "photographs", "speed")
    )
    parser.add_argument("--people", type=int, default=20, help="rendered ones")
    parser.add_argument("--folder", type=Path, help="of photographs")
    parser.add_argument("--montage", type=Path, help="picture of twelve photographs to write")
    given = parser.parse_args()
    if given.what == "photographs" and given.folder is None:
        parser.error("photographs needs --folder")
    work = {
        "gains": lambda: gains(given.people),
        "rendered": lambda: rendered(given.people),
        "eyes": lambda: eyes(given.people),
        "generated": lambda: generated(given.people),
        "photographs": lambda: photographs(given.folder, given.people, given.montage),
        "speed": speed,
    }
    started = time.perf_counter()
    results = work[given.what]()
    record(f"editing {given.what}", results, time.perf_counter() - started)


if __name__ == "__main__":
    main()
