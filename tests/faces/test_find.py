"""The one call for a picture, against the stages and against pictures made by hand."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from aacsfnet import tables
from aacsfnet.config import Crop, Landmarks
from aacsfnet.errors import DataError
from aacsfnet.faces import FaceExtractor, find_faces
from aacsfnet.landmark_sets import LEFT_IRIS, RIGHT_IRIS
from aacsfnet.rendering.people import Person
from aacsfnet.rendering.render import Pose, render

from .test_stages import IRISES, manifest, run


@pytest.fixture(scope="module")
def rendered() -> np.ndarray:
    return render(Person.from_seed(3), {"au4": 4.0, "au43": 1.0}, Pose(20, -8, 7, 0.5)).picture


@pytest.mark.parametrize("kind", ["photograph", "rendered"])
@pytest.mark.parametrize(
    ("crop", "landmarks"),
    [
        ({}, {}),
        ({"size": 224, "margin": 0.1, "people": "central"}, {}),
        ({"mode": "video", "smoothing": 0}, {"mode": "video"}),
    ],
)
def test_it_is_what_both_stages_give_to_the_bit(request, tmp_path, kind, crop, landmarks) -> None:
    picture = request.getfixturevalue(kind)
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    config = manifest(tmp_path, "path,subject,label\na.png,p,1\n", crop=crop, landmarks=landmarks)
    cut, found = (next(table.iter_rows(named=True)) for table in run(tmp_path, config))
    assert found["status"] == "ok"
    (face,) = find_faces(picture, settings=Crop(**crop), landmarks=Landmarks(**landmarks))
    np.testing.assert_array_equal(face.crop, tables.decode_png(cut["image"]))
    np.testing.assert_array_equal(face.to_frame.ravel(), cut["to_frame"])
    np.testing.assert_array_equal(face.landmarks_px, np.array(found["landmarks_px"], np.float32))
    assert face.landmarks_px.dtype == np.float32
    for value, expected in (
        *zip(face.pose, found["pose"], strict=True),
        *zip(
            face.measures.values(),
            [np.nan if value is None else value for value in found["measures"].values()],
            strict=True,
        ),
        *((face.visible[name], found[f"visible_{name}"]) for name in tables.REGIONS),
        *((face.frame_roll, found["frame_roll"]), (face.presence, found["presence"])),
        *((face.confidence, cut["confidence"]), (face.inside, cut["inside"])),
    ):
        assert np.array_equal(np.float32(value), np.float32(expected), equal_nan=True)
    assert face.measures.keys() == found["measures"].keys()


def test_points_and_box_lie_where_the_face_is(extractor, photograph) -> None:
    (face,) = extractor.find(photograph)
    irises = face.landmarks_in_frame[[RIGHT_IRIS[0], LEFT_IRIS[0]], :2]
    assert np.linalg.norm(irises - IRISES, axis=1).max() < 1.5
    left, top, right, bottom = face.box_xyxy
    assert left < 203 < 246 < right
    assert bottom - top == pytest.approx(110, rel=0.08)


def test_a_file_is_read_as_a_data_sets_is(extractor, photograph, tmp_path) -> None:
    """A camera's picture that lies on its side, as EXIF says; Pillow writes it."""
    from PIL import Image

    turned = Image.fromarray(np.rot90(photograph))  # counter-clockwise, undone by orientation 6
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "a.png", exif=exif)
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    (expected,) = extractor.find(photograph)
    for path in (tmp_path / "a.png", str(tmp_path / "link.png")):
        (face,) = extractor.find(path)
        np.testing.assert_array_equal(face.crop, expected.crop)
        np.testing.assert_array_equal(face.landmarks_px, expected.landmarks_px)


def test_of_two_people_one_or_all(extractor, two_people) -> None:
    (largest,) = extractor.find(two_people)
    faces = extractor.find(two_people, everyone=True)
    assert [face.crop.shape for face in faces] == [(128, 128, 3)] * 2
    middles = [face.box_xyxy.reshape(2, 2).mean(axis=0)[0] for face in faces]
    assert middles == pytest.approx([224, 552], abs=8)  # the larger one first
    assert np.abs(largest.box_xyxy - faces[0].box_xyxy).max() < 3
    assert len({face.crop.tobytes() for face in faces}) == 2


def test_a_single_person_is_counted_once(extractor, photograph, rendered) -> None:
    for picture in (photograph, rendered, photograph[::2, ::2]):
        assert len(extractor.find(picture, everyone=True)) == 1


def test_where_the_stages_find_none_there_is_none(two_people, photograph, tmp_path) -> None:
    grey, black = np.full((200, 200, 3), 140, np.uint8), np.zeros((200, 200, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "black.png"), black)
    with FaceExtractor(Crop(people="refuse", min_face=80)) as extractor:
        assert extractor.find(two_people) == []
        assert len(extractor.find(photograph)) == 1
        assert len(extractor.find(two_people, everyone=True)) == 1  # the other is 55 high
        for none in (grey, black, tmp_path / "black.png"):
            assert extractor.find(none) == extractor.find(none, everyone=True) == []


def test_a_mesh_that_is_not_sure_enough_does_not_count(photograph) -> None:
    blurred = cv2.GaussianBlur(photograph, (0, 0), 5)
    (face,) = find_faces(blurred)
    assert 0.5 < face.presence < 1
    assert find_faces(blurred, landmarks=Landmarks(min_confidence=1 - 1e-9)) == []


def test_what_is_no_picture_is_refused_in_one_line(extractor, tmp_path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for given, message in (
        (np.zeros((64, 64), np.uint8), r"uint8 \(64, 64\); expected uint8 \(H, W, 3\)"),
        (np.zeros((64, 64, 3)), "float64"),
        (np.zeros((7, 64, 3), np.uint8), "8 pixels or more"),
        (tmp_path / "text.png", "text.png: no picture"),
        (tmp_path / "gone.png", "there is no file gone.png"),
        (tmp_path, "no plain file"),
    ):
        with pytest.raises(DataError, match=message) as caught:
            extractor.find(given)
        assert "\n" not in str(caught.value)


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, aacsfnet.faces\n"
        "heavy = {'mediapipe', 'polars', 'torch', 'cv2'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
        "assert callable(aacsfnet.faces.find_faces)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
