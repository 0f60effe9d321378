"""Rendered faces of people that the demo data set never shows, cropped as the workflow crops."""

import json
import logging
import time
from pathlib import Path

import numpy as np

from aacsfnet.augmentation.depth.mesh import mesh_depth
from aacsfnet.augmentation.prompts.words import (
    fill,
    head_words,
    level_words,
    subject_words,
    unit_phrases,
)
from aacsfnet.config import Prompts
from aacsfnet.faces import FaceExtractor
from aacsfnet.facs import HIGHEST, pspi
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Lens, Light, Pose, render
from aacsfnet.seeds import seed_of

log = logging.getLogger(__name__)

#: The demo draws its people from another namespace of `seed_of`, so nobody is in both.
NAMESPACE = "miniature"
FACES_EACH = 6
FRAME_SIZE = 256

_PAIN = ("au4", "au6", "au7", "au9", "au10")
_OTHER = ("au1", "au2", "au12", "au20", "au25", "au26")


def expression_of(random: np.random.Generator) -> dict[str, float]:
    """Return action units: rest, pain from faint to strong, or other movements, also together."""
    units: dict[str, float] = {}
    kind = random.choice(("rest", "pain", "other", "both"), p=(0.2, 0.5, 0.15, 0.15))
    if kind in ("pain", "both"):
        strength = random.uniform(0.1, 1.0)
        for unit in _PAIN:
            if random.random() < 0.75:
                units[unit] = float(np.clip(strength * random.uniform(0.4, 1.4), 0, 1) * 5)
        if random.random() < 0.2 + 0.4 * strength:
            units["au43"] = 1.0
    if kind in ("other", "both"):
        for unit in random.choice(_OTHER, size=random.integers(1, 4), replace=False):
            units[str(unit)] = float(random.uniform(0.2, 0.9) * HIGHEST[unit])
    if random.random() < 0.12:
        units["au43"] = 1.0
    return units


def circumstances(random: np.random.Generator) -> tuple[Pose, Light, Lens]:
    """Return a head pose, a light and a lens as recordings have them."""
    pose = Pose(
        yaw=float(np.clip(random.normal(0, 12), -32, 32)),
        pitch=float(np.clip(random.normal(0, 7), -20, 20)),
        roll=float(np.clip(random.normal(0, 5), -15, 15)),
        face_height=float(random.uniform(0.5, 0.65)),
        gaze=(float(random.normal(0, 6)), float(random.normal(0, 4))),
    )
    strength, warmth = float(random.uniform(0.4, 0.75)), float(random.normal(0, 0.04))
    light = Light(
        direction=(float(random.uniform(-1, 1)), float(random.uniform(0.2, 1)), 1.0),
        strength=strength,
        ambient=float(random.uniform(0.98, 1.16)) - strength,
        colour=(1 + warmth, 1.0, 1 - warmth),
    )
    lens = Lens(
        blur=float(random.uniform(0, 0.8)),
        noise=float(random.uniform(0, 3)),
        scene_seed=int(random.integers(2**31)),
        noise_seed=int(random.integers(2**31)),
        background=str(random.choice(("room", "wall", "studio"))),
    )
    return pose, light, lens


def prompt_of(person: Person, units: dict[str, float], pose: np.ndarray) -> str:
    """Return the prompt that the workflow would write for a coded frame."""
    words = {
        "anatomy": ", ".join(phrase.text for phrase in unit_phrases(units)),
        "subject": subject_words(person.sex, person.age_group),
        "level": level_words(float(pspi(units)), 0, 16),
        "head": head_words(*pose),
    }
    return fill(Prompts().template, words)


def make(folder: Path, count: int, first: int = 0) -> None:
    """Write arrays of `count` faces, from number `first` on, to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    images, depths, points, prompts, people = [], [], [], [], []
    lost, start = 0, time.monotonic()
    with FaceExtractor() as extractor:
        number = first
        while len(images) < count:
            random = np.random.default_rng(seed_of(NAMESPACE, "face", number))
            who = number // FACES_EACH
            person = Person.from_seed(seed_of(NAMESPACE, who))
            number += 1
            units = expression_of(random)
            picture = render(person, units, *circumstances(random), size=FRAME_SIZE).picture
            found = extractor.find(picture)
            if not found:
                lost += 1
                continue
            (face,) = found
            images.append(face.crop)
            people.append(who)
            depth = mesh_depth(face.landmarks_px, *face.crop.shape[:2])
            depths.append((depth >> 8).astype(np.uint8))
            points.append(face.landmarks_px)
            prompts.append(prompt_of(person, units, face.pose))
    name = f"{first:06d}"
    np.save(folder / f"images-{name}.npy", np.stack(images))
    np.save(folder / f"depths-{name}.npy", np.stack(depths))
    np.save(folder / f"points-{name}.npy", np.stack(points))
    np.save(folder / f"people-{name}.npy", np.array(people))
    (folder / f"prompts-{name}.json").write_text(json.dumps(prompts))
    seconds = time.monotonic() - start
    log.info("%s: %d faces in %.0f s, %d not found", name, count, seconds, lost)
