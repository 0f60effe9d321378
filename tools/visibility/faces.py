"""Rendered people with things before their faces, as the workflow crops them; what is hidden."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from aacsfnet.config import Crop
from aacsfnet.faces import FaceExtractor
from aacsfnet.faces.alignment import placement_of
from aacsfnet.faces.sampling import transform
from aacsfnet.faces.sequence import cut_still
from aacsfnet.faces.visibility import PARTS, view_of
from aacsfnet.facs import HIGHEST
from aacsfnet.rendering.canvas import Canvas, Occluded
from aacsfnet.rendering.materials import colour, fabric, rounded
from aacsfnet.rendering.occluders import OCCLUDERS, occlude, seen_shares
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Lens, Light, Pose, Rendering, render
from aacsfnet.seeds import seed_of
from tools.miniature.data import FRAME_SIZE, circumstances, expression_of

NAMESPACE = "visibility"
#: Pictures of each person with something before the face, besides the bare one.
COVERED_EACH = 7
#: Views of each person with the mesh elsewhere.
ELSEWHERE_EACH = 5
#: Pixels kept of a face: what the network sees, and room to shift it while training.
KEPT = 76


def patched(made: Rendering, random: np.random.Generator) -> Occluded:
    """Return a picture with some shape of any material before the face: nothing in particular."""
    canvas = Canvas(made.picture, made.landmarks_px)
    for _ in range(int(random.integers(1, 3))):
        middle = random.uniform((-1.0, -0.9), (1.0, 1.9))
        corners = int(random.integers(3, 12))
        angle = np.sort(random.uniform(0, 2 * np.pi, corners))
        reach = random.uniform(0.15, 0.75) * random.uniform(0.6, 1.4, corners)
        outline = middle + reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        mask = canvas.filled(canvas.at(outline), random.uniform(0.0, 0.08))
        shape = canvas.hides.shape
        cloth = fabric(shape, random, canvas.unit) if random.random() < 0.5 else colour(random)
        if random.random() < 0.35:
            cloth = canvas.skin * random.uniform(0.7, 1.2)
        curve = canvas.unit * random.uniform(0.1, 0.5)
        canvas.lay(mask, rounded(mask, cloth, random, curve), shadow=random.uniform(0, 0.5))
    return canvas.done()


def shown(made: Rendering, random: np.random.Generator) -> list[Occluded]:
    """Return a person's pictures: bare, and with things before the face, glasses among them."""
    bare = Occluded(made.picture, np.zeros(made.picture.shape[:2], np.float32))
    kinds = [str(each) for each in random.permutation([*OCCLUDERS, "patch", "patch"])]
    pictures = [bare]
    for kind in kinds[:COVERED_EACH]:
        if kind == "patch":
            pictures.append(patched(made, random))
        else:
            pictures.append(occlude(made.picture, made.landmarks_px, kind, random))
    return pictures


def held(random: np.random.Generator) -> tuple[Pose, Light, Lens]:
    """Return a pose, a light and a lens; the head turns further than in most recordings."""
    pose, light, lens = circumstances(random)
    yaw, pitch = np.clip(random.normal(0, (22, 11)), (-55, -30), (55, 30)).tolist()
    height = float(random.uniform(0.3, 0.65))
    return replace(pose, yaw=yaw, pitch=pitch, face_height=height), light, lens


def elsewhere(made: Rendering, random: np.random.Generator) -> np.ndarray:
    """Return what is seen where a mesh lies beside the face, on its head or is of another size."""
    mesh = made.landmarks_px.astype(np.float64)
    x, y, height, _ = placement_of(mesh)
    move, turn, growth = np.zeros(2), 0.0, 1.0
    kind = int(random.integers(4))
    if kind in (0, 3):  # beside it: neck, ear, shoulder, wall
        away, towards = random.uniform(0.45, 1.1) * height, random.uniform(0, 2 * np.pi)
        move, growth = away * np.array([np.cos(towards), np.sin(towards)]), random.uniform(0.7, 1.4)
    if kind in (1, 3):
        turn = float(random.choice((-1, 1)) * random.uniform(np.pi / 3, np.pi))
    if kind == 2:
        growth = float(random.choice((random.uniform(0.35, 0.55), random.uniform(1.8, 2.6))))
    cosine, sine = growth * np.cos(turn), growth * np.sin(turn)
    middle = np.array([x, y])
    linear = np.array([[cosine, -sine], [sine, cosine]])
    mesh = transform(np.column_stack([linear, middle + move - linear @ middle]), mesh)
    cut = cut_still(made.picture, placement_of(mesh), Crop().size, Crop().margin)
    return view_of(cut.picture, cut.in_crop(mesh), KEPT)


def shown_by(random: np.random.Generator) -> dict[str, float]:
    """Return action units; of every other person a mouth that is open or shows its teeth.

    Teeth are white and cloth may be: a smile must not be taken for a mask.
    """
    units = expression_of(random)
    if random.random() < 0.5:
        smile = random.random() < 0.6
        corners = {"au12": random.uniform(2, 5), "au6": random.uniform(0, 4)}
        stretch = {"au20": random.uniform(1, 5), "au10": random.uniform(1, 5)}
        units |= corners if smile else stretch
        units |= {"au25": random.uniform(1.5, 5), "au26": random.uniform(0, 3.5) ** 1.2}
        units |= {"au10": random.uniform(0, 4)} if random.random() < 0.5 else {}
    return {unit: float(min(value, HIGHEST[unit])) for unit, value in units.items()}


def write_faces(folder: Path, people: int, minutes: float) -> None:
    """Render people into a folder that lacks them, until they or the time is used up."""
    folder.mkdir(parents=True, exist_ok=True)
    start, lost, found = time.monotonic(), 0, 0
    with FaceExtractor() as extractor:
        for who in range(people):
            file = folder / f"{who:05d}.npz"
            if file.is_file():
                continue
            if time.monotonic() - start > minutes * 60:
                break
            random = np.random.default_rng(seed_of(NAMESPACE, "picture", who))
            person = Person.from_seed(seed_of(NAMESPACE, who))
            made = render(person, shown_by(random), *held(random), size=FRAME_SIZE)
            views, shares = [], []
            for each in shown(made, random):
                faces = extractor.find(each.picture)
                if not faces:
                    lost += 1
                    continue
                views.append(view_of(faces[0].crop, faces[0].landmarks_px, KEPT))
                seen = seen_shares(each.hides, made.landmarks_px)
                shares.append([seen[part] for part in PARTS])
            found += len(views)
            for _ in range(ELSEWHERE_EACH):
                views.append(elsewhere(made, random))
                shares.append([0.0] * len(PARTS))
            np.savez(file, views=np.array(views), shares=np.array(shares, np.float32))
    print(f"{found} faces, {lost} not found, in {time.monotonic() - start:.0f} s")


def load(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return views `(n, 76, 76, 3)`, seen shares `(n, 6)` and people `(n,)` of a folder."""
    views, shares, people = [], [], []
    for file in sorted(folder.glob("[0-9]*.npz")):
        with np.load(file) as stored:
            views.append(stored["views"])
            shares.append(stored["shares"])
        people.append(np.full(len(views[-1]), int(file.stem)))
    return np.concatenate(views), np.concatenate(shares), np.concatenate(people)
