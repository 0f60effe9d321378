import subprocess
import sys

import cv2
import numpy as np
import pytest

from aacsfnet.faces import networks
from aacsfnet.faces.detection import FaceFinder
from aacsfnet.faces.networks import MESH_SIDE, POINTS, FaceDetector, FaceMesh, points_of
from aacsfnet.landmark_sets import MIRROR


@pytest.fixture(scope="module")
def square(photograph: np.ndarray) -> np.ndarray:
    return cv2.resize(photograph[20:220, 120:320], (MESH_SIDE,) * 2, interpolation=cv2.INTER_AREA)


def test_mesh_points_lie_on_the_face(square: np.ndarray) -> None:
    with FaceMesh() as mesh:
        points, presence = mesh(square)
        again, _ = mesh(square)
    assert points.shape == (POINTS, 3)
    assert presence > 0.99
    # Seen in the picture by eye: middles of the irises and the tip of the nose.
    scale = MESH_SIDE / 200
    for point, (x, y) in ((468, (203, 100.5)), (473, (246.5, 103)), (1, (222, 130))):
        assert np.abs(points[point, :2] - (np.array([x, y]) - (120, 20)) * scale).max() < 5
    assert points[1, 2] < points[468, 2]  # the nose is nearer than the eyes
    assert np.array_equal(points, again)


def test_the_mesh_takes_a_square_as_mediapipe_resamples_it(
    square: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MediaPipe resamples the square at its own resolution, which changes no pixel."""
    noise = np.random.default_rng(2).integers(0, 256, square.shape, dtype=np.uint8)
    squares = [square, cv2.flip(square, 1), noise]
    with FaceMesh() as mesh:
        found = [mesh(each) for each in squares]
    monkeypatch.setattr(networks, "_AS_IT_IS", r"\g<0>")
    with FaceMesh() as resampling:
        for each, (points, presence) in zip(squares, found, strict=True):
            own_points, own_presence = resampling(each)
            assert np.array_equal(points, own_points)
            assert presence == own_presence


def test_the_dense_detector_starts_when_a_picture_asks_for_it(photograph: np.ndarray) -> None:
    with FaceFinder(0.5, 32) as finder:
        levels = finder.searches(photograph)
        assert next(levels).faces
        assert [network._graph.started for network in finder._held] == [True, False]
        next(levels)
        assert [network._graph.started for network in finder._held] == [True, True]
    with FaceFinder(0.5, 32) as finder:  # closed without a picture
        finder.start()
        assert all(network._graph.started for network in finder._held)


def test_encoded_landmarks_are_read_as_the_library_reads_them() -> None:
    from mediapipe.framework.formats import landmark_pb2

    values = np.random.default_rng(1).normal(size=(POINTS, 3)).astype(np.float32)
    values[7] = 0  # a zero is written out too
    landmarks = landmark_pb2.NormalizedLandmarkList()
    for x, y, z in values.tolist():
        landmarks.landmark.add(x=x, y=y, z=z)
    plain = np.array([(point.x, point.y, point.z) for point in landmarks.landmark])
    assert np.array_equal(points_of(landmarks.SerializeToString()), plain)


def test_pixel_centres_are_integers() -> None:
    """In a mirror image x becomes 191 - x, not 192 - x."""
    from aacsfnet.rendering.people import Person
    from aacsfnet.rendering.render import Pose, render

    sums = []
    with FaceMesh() as mesh:
        for seed in range(6):
            square = render(Person.from_seed(seed), {}, Pose(yaw=3.0 * seed), size=192).picture
            points, _ = mesh(square)
            mirrored, _ = mesh(np.ascontiguousarray(square[:, ::-1]))
            sums.append(points[:468, 0] + mirrored[MIRROR[:468], 0])
    assert np.mean(sums) == pytest.approx(MESH_SIDE - 1, abs=0.25)


def test_presence_tells_faces_from_none(square: np.ndarray) -> None:
    noise = np.random.default_rng(0).integers(0, 256, square.shape, dtype=np.uint8)
    with FaceMesh() as mesh:
        assert mesh(noise)[1] < 0.5
        assert mesh(np.zeros_like(square))[1] < 0.01


@pytest.mark.parametrize("kind", ["short", "full"])
def test_detectors_see_the_eyes(photograph: np.ndarray, kind: str) -> None:
    with FaceDetector(kind, 0.5) as detector:
        side = detector.side
        small = cv2.resize(photograph, (side, side), interpolation=cv2.INTER_AREA)
        faces = detector(small)
        nothing = detector(np.full((side, side, 3), 120, np.uint8))
    assert faces.shape == (1, 17)
    assert faces[0, 0] > 0.8
    assert np.abs(faces[0, 5:9] * 512 - (202, 102, 244, 105)).max() < 8
    assert nothing.shape == (0, 17)


def test_a_detector_returns_nothing_below_its_least_score(photograph: np.ndarray) -> None:
    small = cv2.resize(photograph, (128, 128), interpolation=cv2.INTER_AREA)
    with FaceDetector("short", 0.98) as strict:
        assert len(strict(small)) == 0


def test_nothing_is_printed() -> None:
    code = (
        "from aacsfnet.faces.networks import FaceMesh, FaceDetector\n"
        "for made in (FaceMesh(), FaceDetector('short', 0.5), FaceDetector('full', 0.5)):\n"
        "    made.start()\n"
        "    made.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert done.stderr == ""
