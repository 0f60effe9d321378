"""Pictures of another level, measured after generation: what they show, and what the gate says.

    python -m benchmarks.levels draw --people 40
    python -m benchmarks.levels observe --people 40
    python -m benchmarks.levels judge --people 40
    python -m benchmarks.levels draw --first 3100 --units au7 au43 --folder build/lids

Each person is rendered at rest; the workflow's own functions give the face each unit of PSPI alone
at 1 to 5 (AU43 0.5 and 1), ten of 50 mixtures, and a quarter of four strong expressions, and the
bundled miniature draws them. `draw` keeps them in build/levels, a file a person, so it can be
stopped; with `--units` only the ladder of those, each alone. `observe` reads them with the observer
that knows no mesh. `judge` reads them likewise, and with the pixel witness, and with the gate,
which also gets wrong ones: asked for a PSPI of 8 and given a quarter, asked for brows and given
lips, and mixtures under each other's label. They write benchmarks/results/levels-<date>.json, or
levels-observed-<units>-<date>.json.
"""

import argparse
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from aacsfnet.augmentation.depth.mesh import mesh_depth
from aacsfnet.augmentation.diffusion.tasks import Task
from aacsfnet.augmentation.edit.start import finished_of, start_of
from aacsfnet.augmentation.gate.judge import Judge, faults
from aacsfnet.augmentation.gate.witness import Witness
from aacsfnet.config import Crop, Generate, Prompts, Quality
from aacsfnet.faces.mesh import CropLandmarker
from aacsfnet.faces.pose import pose_of
from aacsfnet.facs import PSPI_UNITS, pspi
from aacsfnet.rendering.people import Person
from aacsfnet.seeds import seed_of
from benchmarks.editing import ALONE, Units, fit, mixtures, person
from benchmarks.editing import MEASURES as TRUE_MEASURES
from benchmarks.generation import generator_of
from benchmarks.observer import MEASURES as OBSERVED
from benchmarks.observer import load_or_train
from benchmarks.records import record
from benchmarks.witness import strong
from tools.miniature.data import prompt_of

#: Numbers of people that set no gain, strength or bound.
FIRST = 3000
MIXTURES_EACH, WEAK_EACH = 10, 4
#: What the observer's measures show of units.
SHOWS = {
    "au4": "brow_height",
    "au7": "lid_opening",
    "au10": "upper_lip_raise",
    "au43": "lid_opening",
}
#: Where a reason begins to tell its figures.
_FIGURE = re.compile(r":| -?\d")
REST = dict.fromkeys(PSPI_UNITS, 0.0)


@dataclass(frozen=True)
class Drawn:
    """One person's pictures.

    Attributes:
        crop: `(H, W, 3)`, at rest.
        points: `(478, 3)`, found on it.
        pictures: `(n, H, W, 3)`, in the order of `shown_by`.
        true: `(n, measures)`, changes that the renderer gives for those expressions.
    """

    crop: np.ndarray
    points: np.ndarray
    pictures: np.ndarray
    true: np.ndarray


class Seen(NamedTuple):
    """What is said of one picture, each a change from the face at rest.

    Attributes:
        units: that it shall show.
        true: `(measures,)` of the renderer's mesh for them.
        found: `(3,)` of the observer, on the picture.
        own: likewise on the picture that the renderer draws of them.
        read: `(6,)` of the witness, on the picture.
        accepted: whether the gate lets it pass.
    """

    units: Units
    true: np.ndarray
    found: np.ndarray
    own: np.ndarray
    read: np.ndarray
    accepted: bool


def shown_by(number: int, units: Sequence[str] = ()) -> list[Units]:
    """Return what a person shall show: the ladder, mixtures, a quarter of what is strong.

    Where units are named, it is only the ladder of each alone.
    """
    if units:
        return [each for each in ALONE if set(each) <= set(units)]
    every = mixtures(50)
    mixed = [every[(number * MIXTURES_EACH + at) % len(every)] for at in range(MIXTURES_EACH)]
    weak = [
        {unit: each / 4 for unit, each in strong(number, at).items()} for at in range(WEAK_EACH)
    ]
    return [*ALONE, *mixed, *weak]


def row_of(units: Units) -> dict[str, Any]:
    """Return the plan's row of a face at rest that shall show units."""
    return {"kind": "level", "units": REST | dict(units), "source_units": REST}


def draw(numbers: range, folder: Path, only: Sequence[str] = ()) -> None:
    """Make pictures of people; those that are there are not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    settings, size, negative = Generate(), Crop().size, Prompts().negative
    generator = generator_of(settings)
    with CropLandmarker(0.5) as landmarker:
        for number in numbers:
            file = folder / f"{number}.npz"
            if file.is_file():
                continue
            shown = shown_by(number, only)
            crop, rest = person(number, {}, size)
            points = landmarker.find(crop).points
            someone = Person.from_seed(seed_of("editing", number))
            tasks, true = [], []
            for at, units in enumerate(shown):
                start = start_of(row_of(units), crop, points)
                depth = mesh_depth(start.points, size, size)
                prompt = prompt_of(someone, dict(units), pose_of(start.points))
                seed = seed_of("levels", number, at)
                task = Task(
                    start.image, depth, prompt, negative, seed, None, settings.level_strength, True
                )
                tasks.append(task)
                true.append(person(number, units, size)[1] - rest)
            made = [result.picture for batch in generator.generate(tasks) for result in batch]
            pictures = [
                finished_of(row_of(units), picture, points)
                for units, picture in zip(shown, made, strict=True)
                if picture is not None
            ]
            np.savez(file, crop=crop, points=points, pictures=pictures, true=true)


def verdicts(
    drawn: Drawn, wanted: Sequence[tuple[int, Units]], judge: Judge
) -> list[tuple[list[str], dict[str, Any]]]:
    """Return what is wrong with pictures, and their scores.

    Args:
        drawn: the person's pictures.
        wanted: which of them, and what each is taken to show.
        judge: for these pictures only, since it tells copies.
    """
    limits = Quality()
    bounds = Witness().bounds
    judge.turn_to(str(id(drawn)), drawn.crop, drawn.points)
    found = []
    for at, units in wanted:
        row = row_of(units)
        scores = row | judge.scores(drawn.pictures[at], row)
        found.append((faults(scores, limits, limits.max_measure_difference, bounds), scores))
    return found


def wrong_of(number: int) -> dict[str, list[tuple[int, Units]]]:
    """Return pictures of a person under what they do not show."""
    shown = shown_by(number)
    first_weak = len(shown) - WEAK_EACH
    first_mixture = first_weak - MIXTURES_EACH
    shuffled, apart = [], []
    for at in range(first_mixture, first_weak):
        other = shown[first_mixture + (at - first_mixture + 3) % MIXTURES_EACH]
        shuffled.append((at, other))
        if abs(float(pspi(other)) - float(pspi(shown[at]))) >= 3:
            apart.append((at, other))
    lips = [(at, {"au4": units["au10"]}) for at, units in enumerate(ALONE) if "au10" in units]
    return {
        "asked_8_given_2": [(first_weak + at, strong(number, at)) for at in range(WEAK_EACH)],
        "brows_asked_lips_given": [each for each in lips if each[1]["au4"] >= 3],
        "labels_shuffled": shuffled,
        "labels_shuffled_pspi_3_or_more_apart": apart,
    }


def drawn_of(numbers: range, folder: Path) -> dict[int, Drawn]:
    """Return by number the people whose pictures are there."""
    found = {}
    for number in numbers:
        file = folder / f"{number}.npz"
        if file.is_file():
            with np.load(file) as stored:
                found[number] = Drawn(**{name: stored[name] for name in Drawn.__annotations__})
    return found


def observe(
    numbers: range, folder: Path, observer_file: Path, only: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what the observer reads of the pictures that are there; nobody judges them."""
    observer = load_or_train(observer_file)
    nothing = np.full(len(PSPI_UNITS), np.nan)
    seen: list[Seen] = []
    everybody = drawn_of(numbers, folder)
    for number, drawn in everybody.items():
        changes = observer.changes(
            np.broadcast_to(drawn.crop, drawn.pictures.shape), drawn.pictures
        )
        for units, true, found in zip(shown_by(number, only), drawn.true, changes, strict=True):
            seen.append(Seen(units, true, found, nothing, nothing, False))
    return {
        "first": numbers.start,
        "people": len(everybody),
        "pictures": len(seen),
        "strength": Generate().level_strength,
        "observer_against_true_change": _observations(seen, "found"),
    }


def judge(numbers: range, folder: Path, observer_file: Path) -> dict[str, Any]:
    """Return all figures of the pictures that are there."""
    everybody = drawn_of(numbers, folder)
    observer = load_or_train(observer_file)
    seen: list[Seen] = []
    right: list[list[str]] = []
    refused: dict[str, list[bool]] = {}
    with CropLandmarker(0.5) as landmarker:

        def new_judge() -> Judge:
            return Judge(landmarker, None, None, Witness())

        for number, drawn in everybody.items():
            shown = shown_by(number)
            judged = verdicts(drawn, list(enumerate(shown)), new_judge())
            right += [reasons for reasons, _ in judged]
            for kind, wanted in wrong_of(number).items():
                told = verdicts(drawn, wanted, new_judge())
                refused.setdefault(kind, []).extend(bool(reasons) for reasons, _ in told)
            size = drawn.crop.shape[0]
            own = [person(number, units, size)[0] for units in shown]  # by the renderer
            shown_pictures = np.stack([*drawn.pictures, *own])
            observed = observer.changes(
                np.broadcast_to(drawn.crop, shown_pictures.shape), shown_pictures
            )
            for at, (units, (reasons, scores)) in enumerate(zip(shown, judged, strict=True)):
                read = scores.get("read_change") or dict.fromkeys(PSPI_UNITS, np.nan)
                changes = observed[at], observed[len(shown) + at]
                read_units = np.array([read[unit] for unit in PSPI_UNITS])
                seen.append(Seen(units, drawn.true[at], *changes, read_units, not reasons))
    refused_for = Counter(_FIGURE.split(reason)[0] for each in right for reason in each)
    return {
        "people": len(everybody),
        "pictures": len(right),
        "strength": Generate().level_strength,
        "observer_against_true_change": _observations(seen, "found"),
        "observer_against_true_change_of_accepted": _observations(
            [each for each in seen if each.accepted], "found"
        ),
        "observer_on_the_renderers_own_pictures": _observations(seen, "own"),
        "witness_against_asked": {
            unit: {
                "alone": _read(seen, unit, _alone(unit)),
                "all": _read(seen, unit, lambda _: True),
            }
            for unit in PSPI_UNITS
        },
        "gate": {
            "right_passed": _share([not reasons for reasons in right]),
            "refused_for": dict(refused_for.most_common()),
        }
        | {f"{kind}_refused": _share(each) for kind, each in refused.items()},
    }


def _alone(unit: str) -> Callable[[Units], bool]:
    return lambda units: set(units) == {unit}


def _mixed(units: Units) -> bool:
    return len(units) > 1


def _observations(seen: list[Seen], which: str) -> dict[str, dict]:
    def fitted(name: str, chosen: Callable[[Units], bool]) -> dict[str, float]:
        rows = [(each.true, getattr(each, which)) for each in seen if chosen(each.units)]
        true, found = (np.array(values) for values in zip(*rows, strict=True))
        return fit(true[:, TRUE_MEASURES.index(name)], found[:, OBSERVED.index(name)])

    mixed = any(_mixed(each.units) for each in seen)
    return {
        unit: {"alone": fitted(name, _alone(unit))}
        | ({"mixtures": fitted(name, _mixed)} if mixed else {})
        for unit, name in SHOWS.items()
        if any(unit in each.units for each in seen)
    } | {
        name: {"all": fitted(name, lambda _: True)}
        for name in OBSERVED
        if any(each.true[TRUE_MEASURES.index(name)] for each in seen)
    }


def _read(seen: list[Seen], unit: str, chosen: Callable[[Units], bool]) -> dict[str, float]:
    at = PSPI_UNITS.index(unit)
    rows = [(each.units.get(unit, 0.0), each.read[at]) for each in seen if chosen(each.units)]
    return fit(*np.array(rows).T)


def _share(truths: Sequence[bool]) -> dict[str, float]:
    return {"pictures": len(truths), "share": round(float(np.mean(truths)), 3)}


def main() -> None:
    """Do one step."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("draw", "observe", "judge"))
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--first", type=int, default=FIRST, help="number of the first person")
    parser.add_argument("--units", nargs="+", default=(), choices=PSPI_UNITS, help="draw, observe")
    parser.add_argument("--folder", type=Path, default=Path("build/levels"))
    parser.add_argument("--observer", type=Path, default=Path("build/observer.safetensors"))
    given = parser.parse_args()
    numbers = range(given.first, given.first + given.people)
    if given.step == "draw":
        draw(numbers, given.folder, given.units)
        return
    started = time.perf_counter()
    if given.step == "observe":
        results = observe(numbers, given.folder, given.observer, given.units)
        record(" ".join(["levels observed", *given.units]), results, time.perf_counter() - started)
        return
    results = judge(numbers, given.folder, given.observer)
    seconds = time.perf_counter() - started
    record("levels", results, seconds, gate=Quality().model_dump())


if __name__ == "__main__":
    main()
