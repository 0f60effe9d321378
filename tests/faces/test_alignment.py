import numpy as np
import pytest

from aacsfnet.faces.alignment import (
    MAX_SHIFT,
    crop_matrix,
    is_jump,
    placement_of,
    smoothed,
)
from aacsfnet.faces.sampling import invert, square_matrix, transform
from aacsfnet.landmark_sets import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE


def some_mesh(seed: int = 0) -> np.ndarray:
    """Points that have eyes and a mouth in about the right places; the rest is noise."""
    mesh = np.random.default_rng(seed).normal(100, 30, (478, 3))
    mesh[list(RIGHT_EYE)] = [[70, 80, 0], [90, 80, 0]]
    mesh[list(LEFT_EYE)] = [[110, 80, 0], [130, 80, 0]]
    mesh[list(MOUTH_CORNERS)] = [[85, 115, 0], [115, 115, 0]]
    return mesh


@pytest.mark.parametrize("angle", [0.0, 0.3, -1.0, 3.0])
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_a_placement_moves_as_the_face_does(angle: float, scale: float) -> None:
    mesh = some_mesh()
    moved = transform(square_matrix(np.array([40.0, -9.0]), 100 * scale, angle, 100), mesh)
    before, after = placement_of(mesh), placement_of(moved)
    where = transform(
        square_matrix(np.array([40.0, -9.0]), 100 * scale, angle, 100), before[None, :2]
    )
    assert np.allclose(after[:2], where[0])
    assert after[2] == pytest.approx(scale * before[2])
    assert np.allclose(np.exp(1j * (after[3] - before[3] - angle)), 1)


@pytest.mark.parametrize("angle", [0.0, 0.5, -2.5])
def test_eyes_are_level_in_the_crop_and_the_face_has_its_height(angle: float) -> None:
    mesh = transform(square_matrix(np.array([300.0, 200.0]), 250, angle, 100), some_mesh())
    placement = placement_of(mesh)
    crop = transform(invert(crop_matrix(placement, 128, 0.25)), mesh)
    right, left = crop[list(RIGHT_EYE)].mean(axis=0), crop[list(LEFT_EYE)].mean(axis=0)
    assert left[1] == pytest.approx(right[1])
    assert right[0] < left[0]
    assert (left[0] + right[0]) / 2 == pytest.approx(63.5)
    # Eyes are 1 / 2.65 of the height apart on the average face; here by construction 40 of 40, 35.
    height = (2.65 * 40 + 3.0 * 35) / 2
    assert left[0] - right[0] == pytest.approx(40 / height * 128 / 1.5)


def test_turning_the_head_shrinks_the_eyes_but_not_the_height() -> None:
    mesh = some_mesh()
    a = np.radians(40)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    assert placement_of(mesh @ turn.T)[2] == pytest.approx(placement_of(mesh)[2])


def track(frames: int = 60, seed: int = 0) -> np.ndarray:
    """A head that moves as heads do: slow waves."""
    t = np.arange(frames)
    phase = np.random.default_rng(seed).uniform(0, 6, 4)
    waves = [
        np.sin(2 * np.pi * t / period + p)
        for period, p in zip((50, 70, 90, 60), phase, strict=True)
    ]
    return np.stack(
        [300 + 20 * waves[0], 200 + 10 * waves[1], 120 * np.exp(0.05 * waves[2]), 0.1 * waves[3]], 1
    )


def jitter(path: np.ndarray) -> np.ndarray:
    """Root mean square of the second difference, which slow movement hardly has."""
    return np.sqrt((np.diff(path, 2, axis=0) ** 2).mean(axis=0))


def smooth_all(path: np.ndarray, window: int) -> np.ndarray:
    return smoothed(path, range(len(path)), range(len(path)), window)


def test_smoothing_takes_the_jitter_and_leaves_the_movement() -> None:
    true = track()
    noise = np.random.default_rng(1).normal(0, (0.6, 0.6, 0.8, 0.005), true.shape)
    noisy = true + noise
    smooth = smooth_all(noisy, 4)
    assert (jitter(smooth) < 0.25 * jitter(noisy)).all()
    error_before = np.sqrt(((noisy - true) ** 2).mean(axis=0))
    error_after = np.sqrt(((smooth - true) ** 2).mean(axis=0))
    assert (error_after < 0.7 * error_before).all()


def test_smoothing_does_not_lag() -> None:
    true = track()
    noisy = true + np.random.default_rng(2).normal(0, (0.6, 0.6, 0.8, 0.005), true.shape)
    smooth = smooth_all(noisy, 4)[:, 0]
    lags = range(-3, 4)
    matches = [
        np.corrcoef(true[5:-5, 0], smooth[5 + lag : len(true) - 5 + lag])[0, 1] for lag in lags
    ]
    assert lags[int(np.argmax(matches))] == 0


def test_a_steady_movement_passes_unchanged_ends_included() -> None:
    t = np.arange(20.0)[:, None]
    line = np.array([10.0, 20.0, 0.0, 0.1]) + t * np.array([1.5, -0.7, 0.0, 0.01])
    line[:, 2] = 50 * np.exp(0.01 * t[:, 0])  # steady growth is steady in the logarithm
    assert np.allclose(smooth_all(line, 4), line)


def test_one_wild_frame_does_not_pull_its_neighbours() -> None:
    path = np.tile([100.0, 100.0, 80.0, 0.0], (15, 1))
    path += np.random.default_rng(3).normal(0, 0.05, path.shape) * (1, 1, 1, 0.01)
    wild = path.copy()
    wild[7] += (12, -9, 6, 0.2)
    calm, pulled = smooth_all(path, 4), smooth_all(wild, 4)
    others = np.arange(15) != 7
    assert np.abs(calm[others] - pulled[others]).max() < 0.1


def test_no_crop_moves_further_than_promised() -> None:
    rng = np.random.default_rng(4)
    unrelated = np.column_stack(
        [rng.uniform(90, 110, 30), rng.uniform(90, 110, 30), rng.uniform(70, 90, 30),
         rng.uniform(-0.2, 0.2, 30)]
    )  # fmt: skip
    change = smooth_all(unrelated, 4) - unrelated
    allowed = MAX_SHIFT * unrelated[:, 2] + 1e-9
    assert (np.hypot(change[:, 0], change[:, 1]) <= allowed).all()
    assert (np.abs(change[:, 2]) / 2 <= allowed).all()
    assert (np.abs(change[:, 3]) / 2 <= MAX_SHIFT + 1e-9).all()


def test_angles_are_smoothed_across_the_half_turn() -> None:
    path = np.tile([100.0, 100.0, 80.0, np.pi - 0.01], (9, 1))
    path[::2, 3] = -np.pi + 0.01
    smooth = smooth_all(path, 4)
    assert (np.abs(np.cos(smooth[:, 3]) + 1) < 1e-3).all()


def test_window_zero_and_lonely_frames_change_nothing() -> None:
    path = track(5)
    assert np.array_equal(smooth_all(path, 0), path)
    assert np.array_equal(smoothed(path[:2], [0, 1], [0], 4), path[:1])


def test_many_at_once_are_what_each_is_by_itself() -> None:
    times = np.flatnonzero(np.random.default_rng(0).random(60) > 0.2).tolist()
    path = track(len(times)) + np.random.default_rng(1).normal(0, 0.5, (len(times), 4))
    together = smoothed(path, times, range(len(times)), 4)
    for at, one in enumerate(together):
        assert np.array_equal(smoothed(path, times, [at], 4)[0], one)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((5, 5, 2, 0.05), False),
        ((60, 0, 0, 0), True),
        ((0, 0, 60, 0), True),
        ((0, 0, 0, 0.5), True),
    ],
)
def test_a_cut_is_a_jump_and_a_movement_is_none(change: tuple[float, ...], expected: bool) -> None:
    here = np.array([200.0, 150.0, 100.0, 0.0])
    assert is_jump(here, here + change) is expected
