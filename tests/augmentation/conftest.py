import numpy as np
import pytest


@pytest.fixture(scope="session")
def face_landmarks():
    """The 478 landmarks of a photographed face, 90 pixels high in the middle of 128."""
    data = pytest.importorskip("skimage.data")
    from mediapipe.python.solutions.face_mesh import FaceMesh

    photograph = np.ascontiguousarray(data.astronaut()[0:256, 96:352])
    with FaceMesh(static_image_mode=True, refine_landmarks=True) as detector:
        found = detector.process(photograph).multi_face_landmarks[0].landmark
    points = np.array([[p.x, p.y, p.z] for p in found]) * 256
    low, high = points.min(axis=0), points.max(axis=0)
    points = (points - (low + high) / 2) * (90 / (high - low)[1])
    points[:, :2] += 64
    return points
