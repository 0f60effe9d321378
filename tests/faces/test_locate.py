import cv2
import numpy as np
import pytest

from aacsfnet.config import Crop
from aacsfnet.faces.alignment import placement_of
from aacsfnet.faces.locate import FaceLocator, Located
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Lens, Pose, render
from aacsfnet.tables import Fault

from .conftest import turned

#: The photograph's face: middle and height, as measured on it by eye.
MIDDLE, HEIGHT = np.array([224, 122]), 110


@pytest.mark.parametrize("degrees", [0, 25, -30, 60, 90, 180])
def test_a_turned_photograph_is_placed_upright(locator, photograph, degrees: float) -> None:
    found = locator.locate(turned(photograph, degrees, tuple(map(float, MIDDLE))))
    assert isinstance(found, Located)
    assert np.linalg.norm(found.placement[:2] - MIDDLE) < 8
    assert found.placement[2] == pytest.approx(HEIGHT, rel=0.08)
    tilt = np.degrees(found.placement[3]) + degrees - 3.5  # the head itself tilts by 3.5 degrees
    assert abs((tilt + 180) % 360 - 180) < 4


@pytest.mark.parametrize("scale", [0.3, 0.6, 2, 6])
def test_small_and_large_faces(locator, photograph, scale: float) -> None:
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    found = locator.locate(cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=method))
    assert isinstance(found, Located)
    assert found.placement[2] == pytest.approx(HEIGHT * scale, rel=0.1)
    assert np.linalg.norm(found.placement[:2] - MIDDLE * scale) < 8 * scale


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_a_small_face_in_twenty_megapixels(locator, photograph, scale: float) -> None:
    rng = np.random.default_rng(0)
    coarse = rng.integers(60, 190, (36, 54, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (5472, 3648), interpolation=cv2.INTER_CUBIC)
    small = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    side = len(small)
    picture[2000 : 2000 + side, 3000 : 3000 + side] = small
    found = locator.locate(picture)
    assert isinstance(found, Located)
    assert np.linalg.norm(found.placement[:2] - (3000, 2000) - MIDDLE * scale) < 8
    assert found.placement[2] == pytest.approx(HEIGHT * scale, rel=0.1)


def test_a_face_that_fills_the_picture(locator, photograph) -> None:
    found = locator.locate(np.ascontiguousarray(photograph[60:175, 178:272]))
    assert isinstance(found, Located)
    assert np.linalg.norm(found.placement[:2] - (MIDDLE - (178, 60))) < 8


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("change", ["grey", "dark", "blurred"])
def test_poor_pictures(locator, photograph, change: str, mirrored: bool) -> None:
    picture = {
        "grey": lambda: np.repeat(cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY)[..., None], 3, 2),
        "dark": lambda: (photograph * 0.12).astype(np.uint8),
        "blurred": lambda: cv2.GaussianBlur(photograph, (0, 0), 5),
    }[change]()
    x, y = MIDDLE
    if mirrored:
        picture, x = np.ascontiguousarray(picture[:, ::-1]), picture.shape[1] - 1 - x
    found = locator.locate(picture)
    assert isinstance(found, Located)
    assert found.mesh.presence > 0.99
    assert np.linalg.norm(found.placement[:2] - (x, y)) < 8


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket", "noise", "grey"])
def test_no_face_is_said_so(locator, name: str) -> None:
    from skimage import data

    if name == "noise":
        picture = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    elif name == "grey":
        picture = np.full((480, 640, 3), 130, np.uint8)
    else:
        picture = getattr(data, name)()
    found = locator.locate(picture)
    assert isinstance(found, Fault)
    assert found.status == "no_face"


def test_a_face_below_the_least_size(photograph) -> None:
    with FaceLocator(Crop(min_face=150)) as locator:
        found = locator.locate(photograph)
    assert isinstance(found, Fault)
    assert found.status == "small_face"
    assert "150" in found.reason


@pytest.mark.parametrize(("people", "x", "height"), [("largest", 224, 110), ("central", 552, 55)])
def test_of_two_people_the_policy_takes_one(
    two_people, people: str, x: float, height: float
) -> None:
    with FaceLocator(Crop(people=people)) as locator:
        found = locator.locate(two_people)
    assert isinstance(found, Located)
    assert found.placement[0] == pytest.approx(x, abs=8)
    assert found.placement[2] == pytest.approx(height, rel=0.1)


def test_two_people_are_refused_where_asked(two_people, photograph) -> None:
    with FaceLocator(Crop(people="refuse")) as locator:
        found = locator.locate(two_people)
        alone = locator.locate(photograph)
    assert isinstance(found, Fault)
    assert found.status == "several_faces"
    assert isinstance(alone, Located)
    assert alone.faces == 1


@pytest.fixture(scope="module")
def five_people() -> tuple[np.ndarray, np.ndarray]:
    """Rendered people side by side, and their placements; the fourth is the largest."""
    heights, wide, tall = (150, 176, 168, 190, 160), 256, 400
    pictures, placements = [], []
    for at, height in enumerate(heights):
        pose = Pose(yaw=(12, -25, 5, 20, -8)[at], face_height=height / wide)
        lens = Lens(noise=2, background="wall")
        made = render(Person.from_seed(610 + at), {}, pose, lens=lens, size=(tall, wide))
        pictures.append(made.picture)
        placements.append(placement_of(made.landmarks_px + np.array([at * wide, 0.0, 0.0])))
    return np.hstack(pictures), np.array(placements)


@pytest.mark.parametrize(("people", "which"), [("largest", 3), ("central", 2)])
def test_the_policy_compares_all_people(five_people, people: str, which: int) -> None:
    """Faces of a seventh of the picture's side: the quick detector sees only some of them."""
    picture, placements = five_people
    assert placements[:, 2].argmax() == 3
    with FaceLocator(Crop(people=people)) as locator:
        found = locator.locate(picture)
    assert isinstance(found, Located)
    assert np.linalg.norm(found.placement[:2] - placements[which, :2]) < 10
    assert found.placement[2] == pytest.approx(placements[which, 2], rel=0.1)
