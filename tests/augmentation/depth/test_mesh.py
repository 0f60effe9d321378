import numpy as np
import pytest

from aacsfnet.augmentation.depth import mesh


def slow_rasterise(vertices, triangles, height, width):
    """One pixel and one triangle at a time, by barycentric coordinates: the oracle."""
    z = np.full((height, width), np.inf)
    for triangle in triangles:
        a, b, c = (np.asarray(vertices[i], float) for i in triangle)
        matrix = np.array([[a[0], b[0], c[0]], [a[1], b[1], c[1]], [1.0, 1.0, 1.0]])
        if np.linalg.det(matrix) == 0:
            continue
        for y in range(height):
            for x in range(width):
                weights = np.linalg.solve(matrix, [x, y, 1.0])
                if (weights >= -1e-10).all():
                    z[y, x] = min(z[y, x], weights @ [a[2], b[2], c[2]])
    return z


@pytest.mark.parametrize("seed", range(6))
def test_random_triangles_equal_the_oracle(seed):
    random = np.random.default_rng(seed)
    vertices = random.uniform(-6, 22, (12, 3))  # some of it outside the picture
    triangles = np.array([random.choice(12, 3, replace=False) for _ in range(9)])
    got = mesh.rasterise(vertices, triangles, 14, 17)
    expected = slow_rasterise(vertices, triangles, 14, 17)
    assert np.isfinite(expected).any()
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_half_pixel_vertices_equal_the_oracle():
    random = np.random.default_rng(7)
    vertices = random.integers(0, 24, (10, 3)) / 2
    triangles = np.array([random.choice(10, 3, replace=False) for _ in range(8)])
    got = mesh.rasterise(vertices, triangles, 12, 12)
    np.testing.assert_allclose(got, slow_rasterise(vertices, triangles, 12, 12), atol=1e-9)


def test_a_pixel_is_covered_by_its_centre():
    vertices = np.array([[0.9, 0.9, 5], [2.9, 0.9, 5], [0.9, 2.9, 5]])
    covered = np.isfinite(mesh.rasterise(vertices, np.array([[0, 1, 2]]), 5, 5))
    assert np.argwhere(covered).tolist() == [[1, 1], [1, 2], [2, 1]]


def test_the_nearer_of_two_triangles_wins_in_either_order_and_orientation():
    vertices = np.array([[0, 0, 1], [8, 0, 1], [0, 8, 1], [0, 0, 2], [8, 0, 2], [0, 8, 2]])
    for triangles in ([[0, 1, 2], [3, 4, 5]], [[3, 5, 4], [2, 1, 0]]):
        z = mesh.rasterise(vertices, np.array(triangles), 8, 8)
        assert set(np.unique(z)) == {1.0, np.inf}


def test_a_fan_of_shared_edges_has_no_crack():
    angles = np.linspace(0, 2 * np.pi, 41)[:-1]
    rim = np.stack([31.3 + 25 * np.cos(angles), 30.7 + 25 * np.sin(angles), angles * 0], axis=1)
    vertices = np.vstack([[[31.3, 30.7, 0]], rim])
    triangles = np.array([[0, 1 + i, 1 + (i + 1) % 40] for i in range(40)])
    covered = np.isfinite(mesh.rasterise(vertices, triangles, 64, 64))
    y, x = np.mgrid[:64, :64]
    assert covered[np.hypot(x - 31.3, y - 30.7) < 24.8].all()
    assert not covered[np.hypot(x - 31.3, y - 30.7) > 25.01].any()


def test_what_is_not_finite_or_has_no_area_is_left_out():
    vertices = np.array([[0, 0, 1], [4, 0, 1], [0, 4, np.nan], [2, 2, 1], [4, 4, 1.0]])
    assert not np.isfinite(mesh.rasterise(vertices, np.array([[0, 1, 2], [0, 3, 4]]), 6, 6)).any()


def test_no_triangle_in_view_gives_an_empty_map():
    vertices = np.array([[-9, -9, 1], [-5, -9, 1], [-5, -4, 1.0]])
    z = mesh.rasterise(vertices, np.array([[0, 1, 2]]), 6, 6)
    assert np.isinf(z).all()
    assert mesh.depth_picture(z).max() == 0


def test_near_is_white_and_background_black():
    z = np.array([[1.0, 2.0, 3.0, np.inf]])
    white, middle, rim, background = mesh.depth_picture(z)[0]
    assert white == 65535
    assert rim == round(mesh.RIM * 65535)
    assert middle == round((mesh.RIM + (1 - mesh.RIM) / 2) * 65535)
    assert background == 0


def test_a_constant_surface_is_white():
    z = np.full((3, 3), np.inf)
    z[1] = 4.0
    assert mesh.depth_picture(z)[1].tolist() == [65535] * 3


def test_triangles_are_the_cliques_of_mediapipes_tesselation():
    from mediapipe.python.solutions import face_mesh_connections as connections

    edges = {frozenset(edge) for edge in connections.FACEMESH_TESSELATION}
    triangles = mesh.mesh_triangles()
    assert triangles.shape == (854, 3)
    assert len({frozenset(t) for t in triangles.tolist()}) == 854
    for a, b, c in triangles.tolist():
        assert {frozenset((a, b)), frozenset((b, c)), frozenset((a, c))} <= edges
    in_triangles = {
        frozenset(pair) for a, b, c in triangles.tolist() for pair in ((a, b), (b, c), (a, c))
    }
    assert in_triangles == edges


def test_depth_scales_and_shifts_with_the_face(face_landmarks):
    small = mesh.mesh_depth(face_landmarks, 128, 128)
    large = mesh.mesh_depth(4 * face_landmarks, 512, 512)[::4, ::4].astype(int)
    assert ((large > 0) == (small > 0)).mean() > 0.999
    # The nearest and the farthest pixel differ a little, so white and black lie elsewhere.
    both = (large > 0) & (small > 0)
    fitted = np.polyval(np.polyfit(small[both], large[both], 1), small[both])
    assert np.abs(fitted - large[both]).max() < 3
    shifted = mesh.mesh_depth(face_landmarks + np.array([3, -2, 40]), 128, 128)
    np.testing.assert_array_equal(small[10:100, 10:100], shifted[8:98, 13:103])
