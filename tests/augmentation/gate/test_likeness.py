import cv2
import numpy as np
import pytest

from aacsfnet.augmentation.gate.likeness import STEADY, likeness
from aacsfnet.faces.geometry import eye_distance
from aacsfnet.faces.pose import rotation_of


def test_a_face_is_itself_wherever_it_lies_and_however_it_is_lit(face_picture, face_landmarks):
    placed = cv2.warpAffine(face_picture, np.array([[1.5, 0, 20], [0, 1.5, 35.0]]), (256, 256))
    points = face_landmarks * 1.5 + [20, 35, 0]
    darker = (placed * 0.7 + 20).astype(np.uint8)
    same = likeness(face_picture, face_picture, face_landmarks, face_landmarks)
    assert (same.pixel_distance, same.shape_distance) == (0, 0)
    moved = likeness(face_picture, darker, face_landmarks, points)
    assert moved.pixel_distance < 0.05
    assert moved.shape_distance == pytest.approx(0, abs=1e-6)
    other = likeness(face_picture, 255 - placed, face_landmarks, points)
    assert other.pixel_distance > 20 * moved.pixel_distance


def test_the_shape_is_the_steady_points_in_eye_distances(face_picture, face_landmarks):
    """Half of the outline is pushed outwards within the face's plane; the mouth does not count."""
    wider = face_landmarks.copy()
    right = rotation_of(face_landmarks)[:, 0]  # the face's own axis, picture coordinates
    moved = [*STEADY[1:18]]  # the face's left half of the outline
    wider[moved] += 0.2 * float(eye_distance(face_landmarks)) * right
    found = likeness(face_picture, face_picture, face_landmarks, wider).shape_distance
    share = len(moved) / len(STEADY)
    # Less the mean of all: 0.2 (1 - share) of the moved, 0.2 share of the others.
    assert found == pytest.approx(2 * 0.2 * share * (1 - share), rel=0.1)
    smiling = face_landmarks.copy()
    smiling[[0, 13, 14, 17, 61, 291]] += [0, 5, 0]
    found = likeness(face_picture, face_picture, face_landmarks, smiling).shape_distance
    assert found < 0.01
