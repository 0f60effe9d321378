import numpy as np
import pytest

from aacsfnet.augmentation.diffusion.face_drawing import LINES, PUPILS, draw_face

SIZE = 256


@pytest.fixture
def points(face_landmarks):
    return face_landmarks * (SIZE / 128)  # the photograph's, in a larger picture


@pytest.mark.filterwarnings("ignore")  # those of its own imports
def test_it_is_controlnet_auxs_drawing_of_the_same_landmarks(points):
    from controlnet_aux.mediapipe_face import mediapipe_face_common as reference
    from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

    marks = NormalizedLandmarkList()
    for x, y, z in points:  # a pixel's centre is at an integer here, half a pixel further there
        marks.landmark.add(x=(x + 0.5) / SIZE, y=(y + 0.5) / SIZE, z=z / SIZE)
    expected = np.zeros((SIZE, SIZE, 3), np.uint8)
    reference.mp_drawing.draw_landmarks(
        expected,
        marks,
        connections=reference.face_connection_spec.keys(),
        landmark_drawing_spec=None,
        connection_drawing_spec=reference.face_connection_spec,
    )
    reference.draw_pupils(expected, marks, reference.iris_landmark_spec, 2)
    got = draw_face(points, SIZE, SIZE)
    assert got.any(axis=2).sum() > 2000
    np.testing.assert_array_equal(got, reference.reverse_channels(expected))


def test_right_and_left_are_told_apart_by_colour(points):
    picture = draw_face(points, SIZE, SIZE)
    for point, colour in PUPILS:
        x, y = np.round(points[point, :2]).astype(int)
        assert tuple(picture[y, x]) == colour
    assert len({colour for colour, _ in LINES} | {colour for _, colour in PUPILS}) == 8


def test_points_outside_leave_the_rest(points):
    half = draw_face(points - [SIZE / 2, 0, 0], SIZE, SIZE)
    whole = draw_face(points, SIZE, SIZE)
    np.testing.assert_array_equal(half[:, 8 : SIZE // 2 - 8], whole[:, SIZE // 2 + 8 : SIZE - 8])
    assert not draw_face(points + SIZE, SIZE, SIZE).any()
