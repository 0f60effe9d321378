"""How the gate's second witness was made: it learned action units of rendered people.

    python -m tools.witness render build/witness --people 480 --minutes 11
    python -m tools.witness train build/witness --minutes 14

Each person is rendered in groups: one pose, light and lens, and several expressions, because what
is asked of the witness is the change within such a group. The people come from a namespace of seeds
that nothing else uses.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from aacsfnet.augmentation.gate.witness import (
    BUNDLED,
    DESCRIPTION,
    FORMAT,
    JUDGED,
    SIDE,
    WEIGHTS,
    Witness,
    change_with_pspi,
    levelled,
    network,
)
from aacsfnet.faces import FaceExtractor
from aacsfnet.facs import HIGHEST, PSPI_UNITS
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import render
from aacsfnet.seeds import seed_of
from tools.by_time import steps
from tools.miniature.data import FRAME_SIZE, circumstances

NAMESPACE = "witness"
#: Groups of each person, and expressions of each group; the first is at rest.
GROUPS, EXPRESSIONS = 2, 8
#: Pixels kept of a levelled face: what the network sees, and room to shift it while training.
KEPT = 112
#: What is no pain, and must not be taken for it.
NUISANCE = ("au1", "au2", "au12", "au20", "au25", "au26")
#: Of so many people one trains nothing: the bounds are set on them.
CALIBRATE_EVERY = 8
#: Share of right pictures of those people that the bounds let pass.
PASSES = 0.85
HIGHEST_OF_EACH = np.array([HIGHEST[unit] for unit in PSPI_UNITS], np.float32)

Units = dict[str, float]


@dataclass(frozen=True)
class Faces:
    """Faces with what they show.

    Attributes:
        crops: `(n, S, S, 3)` uint8 RGB, as the workflow cuts them.
        points: `(n, 478, 3)` float32, landmarks as the workflow finds them.
        units: `(n, 6)` float32, true intensities of `PSPI_UNITS`.
        groups: `(n,)`, faces of one person in one pose and light share a number.
        people: `(n,)`.
        rows: `(n,)`, place of each face's expression in its group, whose others may be lost.
    """

    crops: np.ndarray
    points: np.ndarray
    units: np.ndarray
    groups: np.ndarray
    people: np.ndarray
    rows: np.ndarray


def expression_of(random: np.random.Generator) -> Units:
    """Return a face's units: one alone, several, or none; any of them with what is no pain."""
    units: Units = {}
    kind = random.choice(("none", "one", "several"), p=(0.1, 0.45, 0.45))
    if kind == "one":
        units = {str(random.choice(PSPI_UNITS)): 1.0}
    if kind == "several":
        units = {unit: 1.0 for unit in PSPI_UNITS if random.random() < 0.5}
    for unit in units:
        units[unit] = float(random.uniform(0.1, 1) * HIGHEST[unit])
    if "au43" in units and random.random() < 0.5:
        units["au43"] = 1.0
    if random.random() < 0.5:
        for unit in random.choice(NUISANCE, size=random.integers(1, 4), replace=False):
            units[str(unit)] = float(random.uniform(0.2, 0.9) * HIGHEST[str(unit)])
    return units


def group_of(
    extractor: FaceExtractor, namespace: str, who: int, number: int, expressions: Sequence[Units]
) -> Faces | None:
    """Return one person's faces in one pose and light; None where one is not found.

    Args:
        extractor: finds and cuts out the faces, as the workflow does.
        namespace: of the seeds.
        who: the person's number.
        number: of this group among the person's.
        expressions: what is shown, one face each.
    """
    random = np.random.default_rng(seed_of(namespace, "group", who, number))
    person = Person.from_seed(seed_of(namespace, who))
    pose, light, lens = circumstances(random)
    crops, points = [], []
    for expression in expressions:
        nod, turn, tilt = random.normal(0, 1.0, 3)
        held = replace(pose, pitch=pose.pitch + nod, yaw=pose.yaw + turn, roll=pose.roll + tilt)
        own = replace(lens, noise_seed=int(random.integers(2**31)))
        found = extractor.find(
            render(person, expression, held, light, own, size=FRAME_SIZE).picture
        )
        if len(found) != 1:
            return None
        crops.append(found[0].crop)
        points.append(found[0].landmarks_px)
    units = [[expression.get(unit, 0.0) for unit in PSPI_UNITS] for expression in expressions]
    count = len(crops)
    return Faces(
        np.stack(crops),
        np.stack(points),
        np.array(units, np.float32),
        np.full(count, who * GROUPS + number),
        np.full(count, who),
        np.arange(count),
    )


def write_faces(folder: Path, people: int, minutes: float) -> None:
    """Render people into a folder that lacks them, until they or the time is used up."""
    folder.mkdir(parents=True, exist_ok=True)
    start, lost = time.monotonic(), 0
    with FaceExtractor() as extractor:
        for who in range(people):
            if time.monotonic() - start > minutes * 60:
                break
            for number in range(GROUPS):
                file = folder / f"rendered-{who:05d}-{number}.npz"
                if file.is_file():
                    continue
                random = np.random.default_rng(seed_of(NAMESPACE, "expressions", who, number))
                asked = [{}, *(expression_of(random) for _ in range(EXPRESSIONS - 1))]
                faces = group_of(extractor, NAMESPACE, who, number, asked)
                if faces is None:
                    lost += 1
                    continue
                np.savez(file, **vars(faces))
    print(f"{who + 1} people in {time.monotonic() - start:.0f} s, {lost} groups lost")


def read(file: Path) -> Faces:
    """Return the faces of a file."""
    with np.load(file) as stored:
        return Faces(**{name: stored[name] for name in Faces.__annotations__})


@dataclass(frozen=True)
class Levelled:
    """What is trained on: levelled faces with room round them.

    Attributes:
        views: `(n, 112, 112)` uint8 grey.
        units: `(n, 6)` float32, shares of the highest intensity.
        groups, people: `(n,)`.
    """

    views: np.ndarray
    units: np.ndarray
    groups: np.ndarray
    people: np.ndarray


def load(folder: Path) -> Levelled:
    """Return all faces of a folder; the first of a group is the one at rest."""
    views, parts = [], []
    for file in sorted(folder.glob("rendered-*.npz")):
        faces = read(file)
        views += [levelled(*pair, KEPT) for pair in zip(faces.crops, faces.points, strict=True)]
        parts.append((faces.units / HIGHEST_OF_EACH, faces.groups, faces.people))
    units, groups, people = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Levelled(np.stack(views), units.astype(np.float32), groups, people)


def train(
    faces: Levelled, minutes: float, start_from: Path | None = None, groups_a_batch: int = 8
) -> nn.Sequential:
    """Return a network trained for so many minutes on all people but those for the bounds.

    Args:
        faces: to train on.
        minutes: of processor time.
        start_from: folder of a witness whose weights are trained further; None starts at random.
        groups_a_batch: each of `EXPRESSIONS` faces.
    """
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    model = network().to(memory_format=torch.channels_last)
    if start_from:
        model.load_state_dict(load_file(start_from / WEIGHTS))
    teaches = faces.people % CALIBRATE_EVERY != 0
    rows_of = [np.flatnonzero((faces.groups == g) & teaches) for g in np.unique(faces.groups)]
    rows_of = [rows for rows in rows_of if len(rows) >= EXPRESSIONS]
    print(f"{len(rows_of)} groups", flush=True)
    for update in steps(model, minutes, 2e-3):
        chosen = [rows_of[at] for at in random.choice(len(rows_of), groups_a_batch, replace=False)]
        rows = np.stack(
            [[g[0], *random.choice(g[1:], EXPRESSIONS - 1, replace=False)] for g in chosen]
        )
        pixels = varied(torch.from_numpy(faces.views[rows.ravel()]), EXPRESSIONS, random)
        wanted = torch.from_numpy(faces.units[rows])  # (groups, expressions, 6)
        guess = model(pixels.contiguous(memory_format=torch.channels_last)).view_as(wanted)
        # What counts is the change from the face at rest, then what any two differ by.
        changes = functional.smooth_l1_loss(guess - guess[:, :1], wanted - wanted[:, :1], beta=0.1)
        middle = functional.smooth_l1_loss(
            guess - guess.mean(1, keepdim=True), wanted - wanted.mean(1, keepdim=True), beta=0.1
        )
        update(changes + middle + 0.3 * functional.smooth_l1_loss(guess, wanted, beta=0.1))
    return model.eval()


def varied(views: torch.Tensor, each: int, random: np.random.Generator) -> torch.Tensor:
    """Return what the network sees `(n, 1, 96, 96)` of `(n, 112, 112)`: moved, blurred, noisy.

    Landmarks are never exact, and a generated picture is softer than its source. Faces of one
    group, `each` in a row, are mirrored together.
    """
    count = len(views)
    angle, growth, right, down = (
        torch.from_numpy(random.normal(0, spread, count)).float()
        for spread in (0.025, 0.02, 0.02, 0.02)
    )
    scale = SIDE / KEPT * (1 + growth)
    mirror = torch.from_numpy(np.repeat(random.choice((-1.0, 1.0), count // each), each)).float()
    rows = [
        torch.stack([scale * angle.cos() * mirror, -scale * angle.sin(), right], 1),
        torch.stack([scale * angle.sin() * mirror, scale * angle.cos(), down], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1), [count, 1, SIDE, SIDE], False)
    pixels = functional.grid_sample(views[:, None].float(), grid, align_corners=False)
    soft = torch.from_numpy(random.random(count) < 0.4)
    if soft.any():
        kernel = cv2.getGaussianKernel(7, float(random.uniform(0.4, 1.4))).astype(np.float32)
        plane = torch.from_numpy(kernel @ kernel.T)[None, None]
        pixels[soft] = functional.conv2d(pixels[soft], plane, padding=3)
    noise = torch.from_numpy(random.standard_normal(pixels.shape, np.float32))
    pixels = pixels + noise * float(random.uniform(0, 4))
    spread, mean = torch.std_mean(pixels, dim=(2, 3), keepdim=True, correction=0)
    return (pixels - mean) / spread.clamp_min(1.0)


def changes_of(faces: Levelled, read: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return true and read changes `(m, 7)` of `JUDGED` from each group's face at rest."""
    found = []
    for values in (faces.units * HIGHEST_OF_EACH, read):
        rows = []
        for group in np.unique(faces.groups):
            rest, *others = values[faces.groups == group]
            for other in others:
                units = dict(zip(PSPI_UNITS, (other - rest).tolist(), strict=True))
                rows.append([change_with_pspi(units)[name] for name in JUDGED])
        found.append(np.array(rows))
    return found[0], found[1]


def bounds_of(asked: np.ndarray, read: np.ndarray) -> dict[str, tuple[float, float]]:
    """Return bounds that `PASSES` of right pictures keep, all units together.

    Errors grow with what is asked for: a line through their sizes, and one factor for all units.
    """
    errors, sizes = np.abs(read - asked), np.abs(asked)
    highest = np.append(HIGHEST_OF_EACH, 16.0)
    lines = []
    for at in range(len(JUDGED)):
        basis = np.stack([np.ones(len(asked)), sizes[:, at] / highest[at]], axis=1)
        still, slope = np.linalg.lstsq(basis, errors[:, at], rcond=None)[0]
        lines.append((still, still + max(slope, 0.0)))
    table = np.array(lines)
    allowed = table[:, 0] + (table[:, 1] - table[:, 0]) * sizes / highest
    factor = np.quantile((errors / allowed).max(axis=1), PASSES)
    rounded = (factor * table).round(3).tolist()
    return {name: (low, high) for name, (low, high) in zip(JUDGED, rounded, strict=True)}


def write(model: nn.Sequential, folder: Path, bounds: dict[str, tuple[float, float]]) -> None:
    """Write weights and description."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: each.contiguous() for name, each in model.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    description = {"format": FORMAT, "units": PSPI_UNITS, "bounds": bounds}
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")


def learn(faces: Levelled, output: Path, minutes: float, start_from: Path | None) -> None:
    """Train a witness, set its bounds on people that trained nothing, write both."""
    write(train(faces, minutes, start_from), output, dict.fromkeys(JUDGED, (1.0, 1.0)))
    witness = Witness(output)
    kept = faces.people % CALIBRATE_EVERY == 0
    aside = Levelled(*(values[kept] for values in vars(faces).values()))
    edge = (KEPT - SIDE) // 2
    asked, read_changes = changes_of(
        aside, witness.read_levelled(aside.views[:, edge:-edge, edge:-edge])
    )
    bounds = bounds_of(asked, read_changes)
    description = output / DESCRIPTION
    about = json.loads(description.read_text()) | {"bounds": bounds}
    description.write_text(json.dumps(about, indent=2) + "\n")
    for name, true, seen in zip(JUDGED, asked.T, read_changes.T, strict=True):
        slope = np.polyfit(true, seen, 1)[0]
        print(f"{name}: r {np.corrcoef(true, seen)[0, 1]:.3f}, slope {slope:.2f}, {bounds[name]}")


def main() -> None:
    """Do one step."""
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("render", "train"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=BUNDLED)
    parser.add_argument("--start-from", type=Path, help="folder of a witness to train further")
    parser.add_argument("--people", type=int, default=480)
    parser.add_argument("--minutes", type=float, default=11.0)
    given = parser.parse_args()
    if given.step == "render":
        write_faces(given.folder, given.people, given.minutes)
    if given.step == "train":
        learn(load(given.folder), given.output, given.minutes, given.start_from)


if __name__ == "__main__":
    main()
