import cv2
import numpy as np
import pytest

from aacsfnet.faces.sampling import compose, invert, patch, sample, square_matrix, transform


def ramp(width: int, height: int) -> np.ndarray:
    """A picture whose red grows with x and green with y, so that a pixel tells where it is from."""
    y, x = np.mgrid[:height, :width].astype(float)
    return np.stack([255 * x / (width - 1), 255 * y / (height - 1), 0 * x], axis=-1).round()


@pytest.mark.parametrize("side", [40.0, 96.0, 150.0, 333.3])
@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_a_pixel_shows_the_place_that_the_matrix_names(side: float, angle: float) -> None:
    picture = ramp(800, 600).astype(np.uint8)
    matrix = square_matrix(np.array([400.3, 290.7]), side, angle, 96)
    square = sample(picture, matrix, 96)
    places = np.array([[5, 5], [90, 10], [47, 47], [12, 88]])
    where = transform(matrix, places.astype(float))
    seen = square[places[:, 1], places[:, 0], :2] / 255 * (799, 599)
    # The picture's own rounding is +-1.6 pixels of 800; a half-pixel slip per doubling would add.
    assert np.abs(seen - where).max() < 3


def test_a_square_of_the_pictures_own_pixels_is_the_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(sample(picture, np.eye(2, 3), 64), picture)


def test_shrinking_averages_instead_of_aliasing() -> None:
    checks = np.indices((512, 512)).sum(axis=0) % 2 * 255
    picture = np.repeat(checks[..., None], 3, axis=2).astype(np.uint8)
    square = sample(picture, square_matrix(np.array([255.7, 255.2]), 400, 0.3, 64), 64)
    assert np.abs(square.astype(int) - 127).max() <= 12
    plain = cv2.warpAffine(
        picture,
        square_matrix(np.array([255.7, 255.2]), 400, 0.3, 64),
        (64, 64),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    assert np.abs(plain.astype(int) - 127).max() > 60  # the control: bilinear alone does alias


def test_shrinking_by_a_whole_factor_is_the_mean_of_blocks() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    square = sample(picture, square_matrix(np.full(2, 127.5), 256, 0.0, 64), 64)
    means = picture.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(square - means).max() <= 1


@pytest.mark.parametrize("center", [(-500.0, 20.0), (30.0, 5000.0), (0.0, 0.0)])
def test_what_lies_outside_repeats_the_border(center: tuple[float, float]) -> None:
    picture = np.full((50, 40, 3), 90, np.uint8)
    square = sample(picture, square_matrix(np.array(center), 64, 0.5, 32), 32)
    assert square.shape == (32, 32, 3)
    assert (square == 90).all()


def test_a_patch_is_small_whatever_the_picture() -> None:
    picture = np.zeros((3000, 4000, 3), np.uint8)
    part, _ = patch(picture, square_matrix(np.array([2000, 1500]), 2800, 0.2, 128), 128)
    assert max(part.shape[:2]) < 128 * 1.5


def test_matrices_compose_and_invert() -> None:
    one = square_matrix(np.array([3.0, 4.0]), 10, 0.3, 64)
    other = square_matrix(np.array([-7.0, 2.0]), 90, -1.1, 32)
    points = np.random.default_rng(2).normal(size=(5, 3))
    both = transform(compose(one, other), points)
    assert np.allclose(both, transform(one, transform(other, points)))
    assert np.allclose(transform(invert(one), transform(one, points)), points)
