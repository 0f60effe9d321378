"""People: the shape, skin, hair and clothes that make one rendered face differ from another."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from aacsfnet import landmark_sets as sets
from aacsfnet.rendering import mesh
from aacsfnet.rendering.expressions import smooth_step
from aacsfnet.rendering.mesh import Array, array

AGE_GROUPS = ("young adult", "middle-aged adult", "older adult")
HAIR_STYLES = ("bald", "receding", "cropped", "short", "parted", "fringe", "bob", "long", "tied")

#: Ways in which faces differ; each is about normal with standard deviation 1, within ±2.
SHAPES = (
    *("face_width", "face_length", "jaw_width", "chin_length", "chin_forward", "cheekbones"),
    *("nose_width", "nose_length", "nose_forward", "nose_bridge", "eye_size", "eye_spacing"),
    *("eye_tilt", "eye_opening", "brow_height", "mouth_width", "lip_fullness", "forehead"),
)
#: How the mean of a shape differs for men (women: the opposite), standard deviations.
MALE_SHIFT = {
    "jaw_width": 0.6,
    "chin_length": 0.4,
    "nose_width": 0.3,
    "nose_forward": 0.3,
    "eye_size": -0.4,
    "eye_opening": -0.2,
    "brow_height": -0.6,
    "lip_fullness": -0.5,
    "face_length": 0.3,
    "cheekbones": -0.3,
}
#: sRGB of skin from light to dark.
SKIN_TONES = np.array(
    [(240, 208, 188), (230, 190, 164), (214, 170, 138), (190, 142, 108), (152, 106, 76),
     (116, 78, 56), (88, 60, 46)], np.float32)  # fmt: skip
#: sRGB of hair: black, dark brown, brown, dark blond, blond, red-brown.
HAIR_TONES = np.array(
    [(26, 23, 23), (48, 35, 28), (78, 54, 38), (120, 90, 60), (168, 134, 92), (110, 58, 34)],
    np.float32)  # fmt: skip
IRIS_TONES = np.array([(62, 40, 26), (92, 62, 36), (96, 100, 62), (86, 112, 128), (74, 90, 84)],
                      np.float32)  # fmt: skip
CLOTH_TONES = np.array(
    [(52, 60, 78), (120, 36, 42), (44, 82, 70), (200, 198, 190), (70, 70, 74), (98, 120, 150),
     (150, 120, 84), (86, 64, 96)], np.float32)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One rendered identity. Two people with the same fields look the same.

    Attributes:
        seed: decides the small things: strands, pores, asymmetry.
        sex: "f" or "m".
        age_group: one of `AGE_GROUPS`.
        shape: a value for each of `SHAPES`.
        skin, hair, iris, cloth: sRGB colours, 0…255.
        hair_style: one of `HAIR_STYLES`.
        beard: 0 none, up to 1 a full short beard.
        wrinkles: 0 smooth … 1 deep lines.
        brow_thickness: 1 is the mean.
    """

    seed: int
    sex: str
    age_group: str
    shape: tuple[float, ...]
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    iris: tuple[float, float, float]
    cloth: tuple[float, float, float]
    hair_style: str
    beard: float
    wrinkles: float
    brow_thickness: float

    @classmethod
    def from_seed(cls, seed: int) -> "Person":
        """Return the person that a seed stands for; see `aacsfnet.seeds.seed_of` for seeds."""
        rng = np.random.default_rng(seed)
        sex = "fm"[int(rng.integers(2))]
        age = int(rng.choice(3, p=(0.4, 0.35, 0.25)))
        drawn = np.clip(rng.normal(size=len(SHAPES)), -2, 2) * 0.85
        side = 1 if sex == "m" else -1
        shape = [value + side * MALE_SHIFT.get(name, 0.0)
                 for name, value in zip(SHAPES, drawn.tolist(), strict=True)]  # fmt: skip
        depth = float(rng.beta(1.1, 1.5)) * (len(SKIN_TONES) - 1)
        skin = _between(SKIN_TONES, depth) * rng.normal(1, (0.02, 0.02, 0.03))
        light_skin = depth < 2.5
        tones = HAIR_TONES if light_skin else HAIR_TONES[:2]
        hair = tones[rng.integers(len(tones))] * rng.uniform(0.8, 1.15)
        grey = np.clip((age - 1) * 0.55 + rng.normal(0, 0.25), 0, 0.95) if age else 0.0
        hair = hair * (1 - grey) + array([176, 172, 168]) * grey
        irises = IRIS_TONES if light_skin else IRIS_TONES[:2]
        return cls(
            seed=seed,
            sex=sex,
            age_group=AGE_GROUPS[age],
            shape=tuple(shape),
            skin=_colour(skin),
            hair=_colour(hair),
            iris=_colour(irises[rng.integers(len(irises))] * rng.uniform(0.85, 1.15)),
            cloth=_colour(CLOTH_TONES[rng.integers(len(CLOTH_TONES))] * rng.uniform(0.8, 1.15)),
            hair_style=_hair_style(rng, sex, age),
            beard=float(rng.choice((0.0, 0.25, 1.0), p=(0.5, 0.3, 0.2))) if sex == "m" else 0.0,
            wrinkles=float(np.clip((0.05, 0.35, 0.8)[age] + rng.normal(0, 0.12), 0, 1)),
            brow_thickness=float(np.clip(rng.normal(1.15 if sex == "m" else 0.85, 0.15), 0.6, 1.5)),
        )


def _hair_style(rng: np.random.Generator, sex: str, age: int) -> str:
    worn = ("bald", "receding", "cropped", "short", "parted")
    chances = np.array([0.1 + 0.1 * age, 0.15 * age, 0.3, 0.3, 0.3])
    if sex == "f":
        worn = ("fringe", "bob", "long", "tied", "short")
        chances = np.array([0.2, 0.25, 0.3, 0.2, 0.05 + 0.1 * age])
    return worn[int(rng.choice(len(worn), p=chances / chances.sum()))]


def _between(table: Array, place: float) -> Array:
    low = min(int(place), len(table) - 2)
    return array(table[low] + (table[low + 1] - table[low]) * np.float32(place - low))


def _colour(rgb: Array) -> tuple[float, float, float]:
    red, green, blue = np.clip(rgb, 4, 250).tolist()
    return red, green, blue


def near(vertices: Array, centre: tuple[float, float, float], radius: float) -> Array:
    """Return Gaussian weights round a point and its mirror image, `(V, 1)`."""
    folded = vertices * array([1, 1, 1])
    folded[:, 0] = -np.abs(folded[:, 0])
    squared = ((folded - array(centre)) ** 2).sum(1, keepdims=True)
    return np.asarray(np.exp(-0.5 * squared / radius**2), np.float32)


@lru_cache(maxsize=64)
def neutral_face(person: Person) -> Array:
    """Return the person's face at rest `(468, 3)`, mouth closed. Read only."""
    value = dict(zip(SHAPES, person.shape, strict=True))
    base = _rest()
    x, y = base[:, :1], base[:, 1:2]
    side = np.sign(x)
    moved = base.copy()
    right = array([1, 0, 0])
    up = array([0, 1, 0])
    out = array([0, 0, 1])
    eye = near(base, (-3.2, 2.6, 3.5), 1.1)
    nose = near(base, (0, -0.6, 6.5), 1.6)
    low = smooth_step(0.5, -6.0, y)
    moved += 0.035 * value["face_width"] * x * right
    moved += -0.45 * value["face_length"] * low * up
    moved += 0.06 * value["jaw_width"] * x * smooth_step(-1.5, -6.5, y) * right
    moved += -0.3 * value["chin_length"] * smooth_step(-6, -9, y) * up
    moved += 0.25 * value["chin_forward"] * near(base, (0, -8, 4.5), 2.0) * out
    moved += near(base, (-5.2, 0.3, 2.4), 1.6) * (
        0.12 * value["cheekbones"] * side * right + 0.18 * value["cheekbones"] * out
    )
    moved += 0.12 * value["nose_width"] * x * near(base, (-1.3, -1.2, 5.2), 0.9) * right
    moved += -0.22 * value["nose_length"] * nose * up
    moved += 0.28 * value["nose_forward"] * nose * out
    moved += 0.18 * value["nose_bridge"] * near(base, (0, 2.2, 5.4), 1.2) * out
    centre = np.where(side < 0, -1, 1) * 3.16
    moved += eye * 0.06 * value["eye_size"] * ((x - centre) * right + (y - 2.62) * up)
    moved += 0.12 * value["eye_spacing"] * eye * side * right
    moved += 0.07 * value["eye_tilt"] * eye * (np.abs(x) - 3.16) * up
    moved += 0.16 * value["brow_height"] * near(base, (-3.4, 4.6, 4.5), 1.3) * up
    mouth = near(base, (0, -4.3, 5.2), 2.2)
    moved += 0.055 * value["mouth_width"] * x * mouth * right
    moved += 0.35 * value["forehead"] * smooth_step(5, 8.2, y) * up
    _fill_lips(moved, 1 + 0.17 * value["lip_fullness"])
    _open_eyes(moved, 1 + 0.07 * value["eye_opening"])
    moved += _asymmetry(person.seed)
    moved.setflags(write=False)
    return moved


@lru_cache(maxsize=1)
def _rest() -> Array:
    """Return the canonical face with its mouth closed and its eyes a little wider."""
    face = mesh.canonical()[0].copy()
    upper, lower = list(sets.UPPER_LIP_INNER), list(sets.LOWER_LIP_INNER)
    line = 0.5 * (face[upper] + face[lower])
    for rows, rim in ((sets.UPPER_LIP_ROWS, upper), (sets.LOWER_LIP_ROWS, lower)):
        shift = (line - face[rim])[1:6]
        for row, share in zip(rows, (1.0, 0.9, 0.75, 0.55), strict=True):
            for vertex, moved in zip(row, shift * np.float32(share), strict=True):
                face[vertex] += moved
                if (twin := sets.MIRROR[vertex]) != vertex:
                    face[twin] += moved * array([-1, 1, 1])
    _open_eyes(face, 1.3)
    # Where MediaPipe finds these on rendered people: forehead lower, lids' fold higher,
    # jaw, nose and mouth wider.
    face[:, 0] *= 1 + 0.045 * smooth_step(1.5, -4.0, face[:, 1]) * smooth_step(7, 5, face[:, 2])
    face[:, 0] *= 1 + 0.15 * near(face, (-1.6, -1.3, 5.0), 0.8)[:, 0]
    face[:, 0] *= 1 + 0.05 * near(face, (-2.6, -4.3, 4.3), 1.0)[:, 0]
    face[:, 1] -= 0.75 * smooth_step(4.8, 8.3, face[:, 1])
    face[:, 0] *= 1 - 0.05 * near(face, (-6.6, 5.6, 0.8), 2.0)[:, 0]
    face[:, 1] -= 0.4 * near(face, (-7.2, 4.2, -0.5), 1.8)[:, 0]
    face[:, 1] -= 0.25 * near(face, (0, 4.8, 5.3), 1.0)[:, 0]
    face[:, 1] += 0.15 * near(face, (0, -2.0, 6.0), 0.8)[:, 0]
    for side in (0, 1):
        right = sets.RIGHT_UPPER_CREASE[1:-1]
        crease = list(sets.mirrored(right) if side else right)
        face[crease, 1] += array([0.1, 0.2, 0.27, 0.3, 0.28, 0.2, 0.1])
        above = (225, 224, 223, 222, 221)
        face[list(sets.mirrored(above) if side else above), 1] += 0.3
    return face


def _open_eyes(face: Array, factor: float) -> None:
    for side in (0, 1):
        upper, lower, crease = (
            list(sets.mirrored(ring) if side else ring)[1:-1]
            for ring in (sets.RIGHT_UPPER_LID, sets.RIGHT_LOWER_LID, sets.RIGHT_UPPER_CREASE)
        )
        gap = face[upper, 1] - face[lower, 1]
        face[upper, 1] += 0.6 * (factor - 1) * gap
        face[lower, 1] -= 0.4 * (factor - 1) * gap
        face[crease, 1] += 0.5 * (factor - 1) * gap


def _fill_lips(face: Array, factor: float) -> None:
    for rows in (sets.UPPER_LIP_ROWS, sets.LOWER_LIP_ROWS):
        for place in range(5):
            rim = face[rows[0][place], 1]
            for row in rows[1:]:
                for vertex in {row[place], int(sets.MIRROR[row[place]])}:
                    face[vertex, 1] = rim + factor * (face[vertex, 1] - rim)


def _asymmetry(seed: int) -> Array:
    """Return small smooth displacements `(468, 3)` that differ between the halves."""
    rng = np.random.default_rng([seed, 1])
    base = mesh.canonical()[0]
    centres = base[rng.integers(mesh.FACE, size=8)]
    squared = ((base[:, None] - centres[None]) ** 2).sum(2)
    shifts = rng.normal(0, 0.06, (8, 3))
    return array(np.exp(-0.5 * squared / 2.5**2) @ shifts)
