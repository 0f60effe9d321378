import numpy as np
import pytest

from aacsfnet.augmentation.edit.folds import folded
from aacsfnet.rendering.render import Pose, Rendering, render
from aacsfnet.rendering.sequences import person_of


@pytest.fixture(scope="module")
def neutral() -> Rendering:
    return render(person_of(63, 1), {}, Pose(), size=192)


def darkness(rendering: Rendering, units: dict[str, float], points: list[int]) -> float:
    """Return by how much units darken a grey picture about landmarks, grey levels."""
    grey = np.full((192, 192, 3), 128, np.uint8)
    made = folded(grey, rendering.landmarks_px, units, {})
    x, y = np.rint(rendering.landmarks_px[points, :2]).astype(int).T
    patches = [
        made[j - 2 : j + 3, i - 2 : i + 3].astype(float).min() for i, j in zip(x, y, strict=True)
    ]
    return 128 - float(np.mean(patches))


def test_the_same_units_leave_the_picture(neutral: Rendering) -> None:
    units = {"au4": 3.0, "au9": 2.0}
    for wanted, now in (({}, {}), (units, units), ({"au26": 4.0}, {})):
        same = folded(neutral.picture, neutral.landmarks_px, wanted, now)
        np.testing.assert_array_equal(same, neutral.picture)


@pytest.mark.parametrize(
    ("unit", "where", "elsewhere"),
    [("au4", [9, 8], [152, 206, 426]), ("au6", [130, 359], [9, 152]),
     ("au9", [6, 197], [152, 130]), ("au10", [206, 426], [9, 197, 152])],
)  # fmt: skip
def test_a_unit_darkens_its_folds_alone_and_more_when_stronger(
    neutral: Rendering, unit: str, where: list[int], elsewhere: list[int]
) -> None:
    weak, strong = (darkness(neutral, {unit: level}, where) for level in (2.0, 5.0))
    assert 0.5 < weak < strong
    assert darkness(neutral, {unit: 5.0}, elsewhere) < 0.25 * strong


def test_folds_that_are_there_soften_with_their_unit(neutral: Rendering) -> None:
    frowning = folded(neutral.picture, neutral.landmarks_px, {"au4": 4.0}, {})
    again = folded(frowning, neutral.landmarks_px, {}, {"au4": 4.0}).astype(float)
    assert (
        np.abs(again - neutral.picture).mean()
        < 0.5 * np.abs(frowning.astype(float) - neutral.picture).mean()
    )


def test_nothing_is_shaded_beside_the_face(neutral: Rendering) -> None:
    made = folded(neutral.picture, neutral.landmarks_px, {"au6": 5.0, "au9": 5.0}, {})
    changed = np.argwhere((made != neutral.picture).any(axis=2))
    low, high = changed.min(axis=0), changed.max(axis=0)
    points = neutral.landmarks_px[:468, 1::-1]
    assert (low >= points.min(axis=0) - 1).all()
    assert (high <= points.max(axis=0) + 1).all()
