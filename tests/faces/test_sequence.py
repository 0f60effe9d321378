import numpy as np

from aacsfnet.faces.alignment import crop_matrix, smoothed
from aacsfnet.faces.sampling import transform
from aacsfnet.faces.sequence import SequenceCropper

SIZE, MARGIN = 64, 0.25


def frame_of(placement: np.ndarray) -> np.ndarray:
    """A picture of a smooth pattern, so that resampling errors stay small."""
    y, x = np.mgrid[:240, :320]
    waves = [
        128 + 100 * np.sin(x / 17),
        128 + 100 * np.sin(y / 13),
        128 + 100 * np.sin((x + y) / 19),
    ]
    return np.stack(waves, axis=-1).astype(np.uint8)


def walk(frames: int, seed: int = 0) -> np.ndarray:
    steps = np.random.default_rng(seed).normal(0, (1.0, 1.0, 0.8, 0.01), (frames, 4))
    return np.array([160.0, 120.0, 90.0, 0.05]) + np.cumsum(steps, axis=0)


def cut_all(placements: np.ndarray, times: np.ndarray, window: int) -> list:
    cropper = SequenceCropper(SIZE, MARGIN, window)
    cuts = []
    for key, (time, placement) in enumerate(zip(times, placements, strict=True)):
        cuts += cropper.add(key, int(time), frame_of(placement), placement)
    return cuts + list(cropper.finish())


def test_streaming_gives_what_the_whole_sequence_would() -> None:
    path, times = walk(25), np.arange(25)
    cuts = cut_all(path, times, 4)
    assert [cut.key for cut in cuts] == list(range(25))
    for at, cut in enumerate(cuts):
        expected = crop_matrix(smoothed(path, times.tolist(), [at], 4)[0], SIZE, MARGIN)
        assert np.allclose(cut.to_frame, expected)


def test_a_crop_shows_what_its_matrix_says() -> None:
    path = walk(12)
    for cut in cut_all(path, np.arange(12), 4):
        grid = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), axis=-1).reshape(-1, 2)
        where = transform(cut.to_frame, grid.astype(float))
        seen = cut.picture.reshape(-1, 3)[:, 0].astype(float)
        expected = 128 + 100 * np.sin(where[:, 0] / 17)
        assert np.abs(seen - expected).mean() < 2


def test_only_a_window_of_frames_waits() -> None:
    cropper = SequenceCropper(SIZE, MARGIN, 4)
    done: list[int] = []
    for key, placement in enumerate(walk(60)):
        done += [cut.key for cut in cropper.add(key, key, frame_of(placement), placement)]
        assert key + 1 - len(done) < 4 + 8  # the window, and those that are smoothed at once
        assert len(cropper._placements) <= 2 * 4 + 8
    assert done == list(range(len(done)))


def test_a_cut_in_the_film_is_not_smoothed_over() -> None:
    first, second = walk(8, 1), walk(8, 2) + np.array([70, 0, 0, 0])
    together = cut_all(np.concatenate([first, second]), np.arange(16), 4)
    apart = cut_all(first, np.arange(8), 4) + cut_all(second, np.arange(8), 4)
    for one, other in zip(together, apart, strict=True):
        assert np.allclose(one.to_frame, other.to_frame)


def test_missing_frames_are_bridged_and_long_gaps_are_not() -> None:
    path = walk(10)
    times = np.array([0, 1, 3, 4, 6, 20, 21, 22, 23, 24])
    cuts = cut_all(path, times, 4)
    alone = cut_all(path[5:], times[5:], 4)
    assert np.allclose(
        cuts[2].to_frame,
        crop_matrix(smoothed(path[:5], times[:5].tolist(), [2], 4)[0], SIZE, MARGIN),
    )
    for one, other in zip(cuts[5:], alone, strict=True):
        assert np.allclose(one.to_frame, other.to_frame)


def test_share_inside_the_frame() -> None:
    whole = cut_all(np.array([[160.0, 120.0, 90.0, 0.0]]), np.array([0]), 0)[0]
    half = cut_all(np.array([[-0.5, 120.0, 90.0, 0.0]]), np.array([0]), 0)[0]
    assert whole.inside == 1.0
    assert abs(half.inside - 0.5) < 0.02
