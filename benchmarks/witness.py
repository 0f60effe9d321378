"""The gate's second witness on people it has never seen: what it reads, and what it refuses.

    python -m benchmarks.witness --people 40 --redrawn 8

Each person is rendered at rest, with every unit of PSPI alone at each intensity, and with some of
50 mixtures; of the first few the bundled miniature draws all pictures anew. What is read of a
picture less what is read of the face at rest is compared with what the renderer was told.
Writes benchmarks/results/witness-<date>.json with machine, versions and commit.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from aacsfnet import devices
from aacsfnet.augmentation.depth.mesh import mesh_depth
from aacsfnet.augmentation.diffusion.generation import Generator
from aacsfnet.augmentation.diffusion.model_files import find_model
from aacsfnet.augmentation.diffusion.pipelines import load_pipeline
from aacsfnet.augmentation.diffusion.recipe import recipe_of
from aacsfnet.augmentation.diffusion.tasks import Task
from aacsfnet.augmentation.gate.witness import Witness, agreement
from aacsfnet.config import Generate, Prompts
from aacsfnet.faces import FaceExtractor
from aacsfnet.faces.mesh import CropLandmarker
from aacsfnet.faces.pose import pose_of
from aacsfnet.facs import HIGHEST, PSPI_UNITS, pspi
from aacsfnet.rendering.people import Person
from aacsfnet.seeds import seed_of
from benchmarks.records import record
from tools.miniature.data import prompt_of
from tools.witness import NUISANCE, Faces, Units, group_of, read

NAMESPACE = "witness benchmark"
MIXTURES, MIXTURES_EACH, WEAK_EACH = 50, 10, 4
LADDER = [
    (unit, level)
    for unit in PSPI_UNITS
    for level in ((0.5, 1.0) if unit == "au43" else (1.0, 2.0, 3.0, 4.0, 5.0))
]


def mixture(number: int) -> Units:
    """Return one of the mixtures: some units of pain, half of the time with what is no pain."""
    random = np.random.default_rng(seed_of(NAMESPACE, "mixture", number))
    units = {
        u: float(random.uniform(0.1, 1) * HIGHEST[u]) for u in PSPI_UNITS if random.random() < 0.6
    }
    if "au43" in units:
        units["au43"] = 1.0
    if number % 2:
        for unit in random.choice(NUISANCE, size=2, replace=False):
            units[str(unit)] = float(random.uniform(0.5, 4))
    return units


def strong(who: int, number: int) -> Units:
    """Return units that make a PSPI of 8 in brows, cheeks and lips."""
    random = np.random.default_rng(seed_of(NAMESPACE, "strong", who, number))
    brows, cheeks, lips = 2 + 2 * random.dirichlet((3, 3, 3))
    return {
        "au4": float(brows),
        str(random.choice(("au6", "au7"))): float(cheeks),
        str(random.choice(("au9", "au10"))): float(lips),
    }


def shown_by(who: int) -> list[Units]:
    """Return what a person shows: rest, the ladder, mixtures, a quarter of what is strong."""
    ladder = [{unit: level} for unit, level in LADDER]
    mixtures = [mixture((who * MIXTURES_EACH + at) % MIXTURES) for at in range(MIXTURES_EACH)]
    weak = [{unit: value / 4 for unit, value in strong(who, at).items()} for at in range(WEAK_EACH)]
    return [{}, *ladder, *mixtures, *weak]


def render_people(folder: Path, people: int, redrawn_people: int) -> tuple[list[Path], list[Path]]:
    """Return the files of people's faces, rendered and redrawn; what is there is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    rendered, anew = [], []
    with FaceExtractor() as extractor:
        who = 0
        while len(rendered) < people:
            file = folder / f"rendered-{who:03d}.npz"
            if not file.is_file():
                faces = group_of(extractor, NAMESPACE, who, 0, shown_by(who))
                if faces is not None:
                    np.savez(file, **vars(faces))
            rendered += [file] if file.is_file() else []
            who += 1
    generator = miniature()
    with CropLandmarker(0.5) as landmarker:
        for file in rendered[:redrawn_people]:
            drawn = file.with_name(file.name.replace("rendered", "redrawn"))
            if not drawn.is_file():
                np.savez(drawn, **vars(redrawn(generator, landmarker, read(file))))
            anew.append(drawn)
    return rendered, anew


def redrawn(generator: Generator, landmarker: CropLandmarker, faces: Faces) -> Faces:
    """Return one person's faces as the bundled miniature draws them, without those it loses."""
    person = Person.from_seed(seed_of(NAMESPACE, int(faces.people[0])))
    tasks = []
    for row, (crop, points, shown) in enumerate(
        zip(faces.crops, faces.points, faces.units, strict=True)
    ):
        units = dict(zip(PSPI_UNITS, shown.tolist(), strict=True))
        prompt = prompt_of(person, units, pose_of(points.astype(float)))
        depth = mesh_depth(points, *crop.shape[:2])
        seed = seed_of(NAMESPACE, "noise", int(faces.groups[0]), row)
        tasks.append(Task(crop, depth, prompt, Prompts().negative, seed))
    made = [result.picture for batch in generator.generate(tasks) for result in batch]
    rows, crops, points = [], [], []
    for row, picture in enumerate(made):
        if picture is None:
            continue
        mesh = landmarker.find(picture)
        if landmarker.accepts(mesh):
            rows.append(row)
            crops.append(picture)
            points.append(mesh.points.astype(np.float32))
    of_source = (faces.units, faces.groups, faces.people, faces.rows)
    return Faces(np.array(crops), np.array(points), *(each[rows] for each in of_source))


def miniature() -> Generator:
    """Return the bundled generator with the workflow's settings (strength 0.5)."""
    settings = Generate()
    files = find_model(settings)
    recipe = recipe_of(settings, files.kind)
    device = torch.device("cpu")
    return Generator(load_pipeline(files, recipe, device, devices.precision(device)), recipe)


def figures(asked: np.ndarray, seen: np.ndarray, kinds: np.ndarray) -> dict:
    """Return for each unit how true and read changes `(n, 6)` agree.

    Args:
        asked: true changes.
        seen: read changes.
        kinds: `(n,)`, "rest", the unit that is shown alone, "mixture" or "weak".
    """
    table = {}
    for at, unit in enumerate(PSPI_UNITS):
        others = np.isin(kinds, [other for other in PSPI_UNITS if other != unit])
        table[unit] = {
            "alone": agreement_of(asked[kinds == unit, at], seen[kinds == unit, at]),
            "in_mixtures": agreement_of(
                asked[kinds == "mixture", at], seen[kinds == "mixture", at]
            ),
            "all": agreement_of(asked[:, at], seen[:, at]),
            "rms_read_where_another_unit_alone": float(np.sqrt((seen[others, at] ** 2).mean())),
        }
    true, read_pspi = (pspi(dict(zip(PSPI_UNITS, each.T, strict=True))) for each in (asked, seen))
    return table | {"pspi": {"all": agreement_of(true, read_pspi)}}


def agreement_of(true: np.ndarray, seen: np.ndarray) -> dict[str, float]:
    """Return correlation, slope of what is read on what is true, and error."""
    return {
        "pictures": len(true),
        "r": float(np.corrcoef(true, seen)[0, 1]),
        "slope": float(np.polyfit(true, seen, 1)[0]),
        "rms_error": float(np.sqrt(((seen - true) ** 2).mean())),
    }


def verdicts(witness: Witness, people: list[dict]) -> dict:
    """Return how many right pictures pass and how many planted wrong ones are refused."""

    def passes(asked: dict[str, float], row: np.ndarray) -> bool:
        return not agreement(
            asked, dict(zip(PSPI_UNITS, row.tolist(), strict=True)), witness.bounds
        )

    right, weak, lips, shuffled = [], [], [], []
    for person in people:
        shown = shown_by(person["who"])
        rows = dict(zip(person["rows"], person["seen"], strict=True))
        right += [passes(shown[row], seen) for row, seen in rows.items()]
        first_weak = len(shown) - WEAK_EACH
        first_mixture = first_weak - MIXTURES_EACH
        weak += [
            not passes(strong(person["who"], at), rows[first_weak + at])
            for at in range(WEAK_EACH)
            if first_weak + at in rows
        ]
        for row, (unit, level) in enumerate(LADDER, 1):
            if unit == "au10" and level >= 3 and row in rows:
                lips.append(not passes({"au4": level}, rows[row]))
        for row in range(first_mixture, first_weak):
            other = first_mixture + (row - first_mixture + 3) % MIXTURES_EACH
            if row in rows and abs(pspi(shown[other]) - pspi(shown[row])) >= 3:
                shuffled.append(not passes(shown[other], rows[row]))
    wrong = {
        "asked_8_given_2": weak,
        "brows_asked_lips_given": lips,
        "labels_shuffled_pspi_3_or_more_apart": shuffled,
    }
    return {"right_passed": share(right)} | {
        f"{name}_refused": share(each) for name, each in wrong.items()
    }


def share(truths: list[bool]) -> dict[str, float]:
    """Return how many there are and which share is true."""
    return {"pictures": len(truths), "share": float(np.mean(truths))}


def measured(witness: Witness, rendered: list[Path], pictures: list[Path]) -> dict:
    """Return all figures of pictures against the rendered faces at rest of the same people."""
    asked, seen, kinds, people = [], [], [], []
    names = ["rest", *(unit for unit, _ in LADDER)]
    names += ["mixture"] * MIXTURES_EACH + ["weak"] * WEAK_EACH
    for source, file in zip(rendered, pictures, strict=False):
        whole, faces = read(source), read(file)
        rest = witness.read_all(whole.crops[:1], whole.points[:1])
        changes = witness.read_all(faces.crops, faces.points) - rest
        rows = [row for row in range(len(whole.crops)) if row in set(faces.rows.tolist())]
        used = [at for at, row in enumerate(rows) if row or source != file]
        rows = [rows[at] for at in used]
        asked.append(faces.units[used])
        seen.append(changes[used])
        kinds += [names[row] for row in rows]
        people.append({"who": int(faces.people[0]), "rows": rows, "seen": changes[used]})
    return {
        "people": len(people),
        "units": figures(np.concatenate(asked), np.concatenate(seen), np.array(kinds)),
        "gate": verdicts(witness, people),
    }


def main() -> None:
    """Measure and keep the figures."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--witness", default="bundled")
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--redrawn", type=int, default=8, help="people whose pictures are redrawn")
    parser.add_argument("--folder", type=Path, default=Path("build/witness-benchmark"))
    given = parser.parse_args()
    witness = Witness(given.witness)
    started = time.perf_counter()
    rendered, anew = render_people(given.folder, given.people, given.redrawn)
    results = {
        "rendered": measured(witness, rendered, rendered),
        "redrawn_by_the_miniature": measured(witness, rendered, anew),
    }
    record("witness", results, time.perf_counter() - started, bounds=witness.bounds)


if __name__ == "__main__":
    main()
