"""The lists against MediaPipe's own connections and its canonical face."""

from itertools import pairwise

import numpy as np
import pytest

from aacsfnet import landmark_sets as sets
from aacsfnet.rendering.mesh import canonical


def edges(*lines: tuple[int, ...]) -> set[frozenset[int]]:
    return {frozenset(pair) for line in lines for pair in pairwise(line)}


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("FACE_OVAL", [(*sets.FACE_OUTLINE, sets.FACE_OUTLINE[0])]),
        ("RIGHT_EYE", [sets.RIGHT_LOWER_LID, sets.RIGHT_UPPER_LID]),
        ("LEFT_EYE", [sets.LEFT_LOWER_LID, sets.LEFT_UPPER_LID]),
        ("RIGHT_EYEBROW", [sets.RIGHT_BROW_BOTTOM, sets.RIGHT_BROW_TOP]),
        ("LEFT_EYEBROW", [sets.LEFT_BROW_BOTTOM, sets.LEFT_BROW_TOP]),
        ("RIGHT_IRIS", [(*sets.RIGHT_IRIS[1:], sets.RIGHT_IRIS[1])]),
        ("LEFT_IRIS", [(*sets.LEFT_IRIS[1:], sets.LEFT_IRIS[1])]),
        (
            "LIPS",
            [
                *(sets.LOWER_LIP_OUTER, sets.UPPER_LIP_OUTER),
                *(sets.LOWER_LIP_INNER, sets.UPPER_LIP_INNER),
            ],
        ),
    ],
)
def test_lines_are_mediapipes(name: str, lines: list[tuple[int, ...]]) -> None:
    theirs = pytest.importorskip("mediapipe.python.solutions.face_mesh_connections")
    connections = getattr(theirs, f"FACEMESH_{name}")
    assert edges(*lines) == {frozenset(edge) for edge in connections}


def test_all_of_the_lips_is_what_mediapipe_connects() -> None:
    theirs = pytest.importorskip("mediapipe.python.solutions.face_mesh_connections")
    assert len(sets.LIPS) == len(set(sets.LIPS))
    assert set(sets.LIPS) == {point for edge in theirs.FACEMESH_LIPS for point in edge}


def test_the_mirror_takes_each_point_to_the_nearest_on_the_other_half() -> None:
    vertices = canonical()[0]
    apart = np.linalg.norm(vertices[:, None] * (-1, 1, 1) - vertices, axis=2)
    assert np.array_equal(sets.MIRROR[:468], apart.argmin(axis=1))
    assert np.array_equal(sets.MIRROR[sets.MIRROR], np.arange(478))
    # The irises' rims begin at the picture's right and run over the top, on both sides.
    assert sets.MIRROR[468:473].tolist() == [473, 476, 475, 474, 477]


def test_right_is_at_the_pictures_left_and_edges_run_the_way_they_say() -> None:
    x, y = canonical()[0][:, :2].T  # x to the picture's right, y up
    for name, points in vars(sets).items():
        if name.startswith("RIGHT") and "IRIS" not in name:
            assert (x[np.ravel(points)] < 0).all(), name
    inwards = (sets.RIGHT_UPPER_LID, sets.RIGHT_LOWER_LID, sets.RIGHT_BROW_TOP, sets.RIGHT_EYE,
               sets.RIGHT_BROW_BOTTOM, sets.UPPER_LIP_OUTER, sets.LOWER_LIP_INNER)  # fmt: skip
    for line in inwards:
        assert (np.diff(x[list(line)]) > 0).all()
    for upper, lower in (
        (sets.RIGHT_UPPER_LID, sets.RIGHT_LOWER_LID),
        (sets.RIGHT_BROW_TOP, sets.RIGHT_BROW_BOTTOM),
        (sets.UPPER_LIP_OUTER, sets.LOWER_LIP_OUTER),
        (sets.UPPER_LIP_INNER, sets.LOWER_LIP_INNER),
    ):
        assert (y[list(upper[1:-1])] > y[list(lower[1:-1])]).all()
    for rows in (sets.UPPER_LIP_ROWS, sets.LOWER_LIP_ROWS):
        assert (np.diff(np.abs(y[np.array(rows)[:, -1]] - y[13])) > 0).all()  # outwards
