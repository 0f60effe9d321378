import subprocess
import sys

import numpy as np
import pytest

from aacsfnet.errors import DataError
from aacsfnet.models.pictures import to_float
from aacsfnet.training.data import Batches, Pictures, epoch_order, open_images, pixel_statistics

IMAGES = np.arange(20 * 4 * 4 * 3, dtype=np.uint8).reshape(20, 4, 4, 3)
ROWS = np.arange(3, 16)
LABELS = ROWS * 2.0


def batches(**settings):
    return Batches(IMAGES, ROWS, LABELS, batch=4, seed=7, **settings)


def test_an_epoch_shows_each_picture_and_batches_have_one_size():
    order = epoch_order(np.ones(13), 4, 7, 0)
    assert order.shape == (4, 4)
    assert sorted(set(order.ravel().tolist())) == list(range(13))


def test_epochs_differ_and_repeat_themselves():
    first, second = (epoch_order(np.ones(13), 4, 7, epoch) for epoch in (0, 1))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, epoch_order(np.ones(13), 4, 7, 0))


def test_weights_decide_how_often_a_picture_comes():
    weights = np.array([1.0, 3.0, 0.0])
    drawn = epoch_order(np.tile(weights, 2000), 32, 1, 0).ravel() % 3
    shares = np.bincount(drawn, minlength=3) / len(drawn)
    np.testing.assert_allclose(shares, [0.25, 0.75, 0.0], atol=0.03)


def test_weights_of_zero_leave_pictures_out_and_keep_the_epochs_length():
    weights = np.array([1.0, 0.0, 1.0, 1.0, 0.0] * 3)
    drawn = epoch_order(weights, 4, 1, 0)
    assert drawn.shape == (4, 4)
    counts = np.bincount(drawn.ravel(), minlength=15)
    assert set(counts[weights == 0]) == {0}
    assert set(counts[weights == 1]) == {1, 2}  # nine pictures in sixteen places


def test_an_epoch_of_fixed_length_shows_all_as_often_and_in_new_orders():
    order = epoch_order(np.ones(12), 4, 7, 0, steps=6)
    assert order.shape == (6, 4)
    first, second = order.reshape(2, 12)
    assert sorted(first) == sorted(second) == list(range(12))
    assert not np.array_equal(first, second)
    assert len(set(epoch_order(np.ones(12), 4, 7, 0, steps=2).ravel().tolist())) == 8
    assert len(list(batches(epoch_steps=2))) == len(batches(epoch_steps=2)) == 2


def test_each_epoch_has_weights_of_its_own():
    even = np.arange(13) % 2 == 0
    loader = batches(draw_weights=lambda epoch: np.where(even == (epoch == 0), 1.0, 0.0))
    for epoch in (0, 1):
        places = np.concatenate([each["rows"].numpy() for each in loader]) - 3
        assert set(places % 2) == {epoch}


def test_a_batch_holds_the_pictures_and_labels_of_its_rows():
    for batch in batches(loss_weights=ROWS / 10.0):
        rows = batch["rows"].numpy()
        np.testing.assert_array_equal(batch["pictures"].numpy(), IMAGES[rows])
        np.testing.assert_array_equal(batch["labels"].numpy(), rows * 2.0)
        np.testing.assert_allclose(batch["weights"].numpy(), rows / 10.0, rtol=1e-6)


def test_a_loader_taken_up_goes_on_where_it_was():
    whole = [each["rows"].tolist() for loader in [batches()] for _ in range(3) for each in loader]
    assert len(whole) == 12
    for step in range(12):
        taken_up = batches()
        taken_up.load_state_dict({"step": step})
        rest = [each["rows"].tolist() for _ in range(step // 4, 3) for each in taken_up]
        assert rest == whole[step:]
        assert taken_up.state_dict() == {"step": 12}


def test_pictures_for_test_come_once_in_order_the_last_batch_too():
    found = [each["rows"].tolist() for each in Pictures(IMAGES, ROWS, LABELS, 5)]
    assert [len(each) for each in found] == [5, 5, 3]
    assert [row for each in found for row in each] == ROWS.tolist()


def test_pixel_statistics_are_those_of_the_rows_given():
    random = np.random.default_rng(0).integers(0, 256, (9, 6, 6, 3), np.uint8)
    found = pixel_statistics(random, np.array([2, 5, 7]))
    chosen = random[[2, 5, 7]].reshape(-1, 3) / 255.0
    np.testing.assert_allclose(found["mean"], chosen.mean(axis=0))
    np.testing.assert_allclose(found["deviation"], chosen.std(axis=0))


def test_to_float_keeps_pixels_and_colours_in_place():
    (batch,) = Pictures(IMAGES, ROWS[:2], LABELS[:2], 2)
    found = to_float(batch["pictures"])
    assert found.shape == (2, 3, 4, 4)
    assert float(found[1, 2, 3, 0]) == pytest.approx(IMAGES[ROWS[1], 3, 0, 2] / 255)


def test_a_wrong_array_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be mapped"):
        open_images(tmp_path / "images.npy")
    np.save(tmp_path / "images.npy", np.zeros((2, 4, 4, 3), np.float32))
    with pytest.raises(DataError, match="float32"):
        open_images(tmp_path / "images.npy")


LOADER = """
import sys, resource, numpy as np
from aacsfnet.training.data import Batches, open_images
images = open_images(sys.argv[1])
count = len(images)
loader = Batches(images, np.arange(count), np.zeros(count), batch=64, seed=1)
def own():  # pages of the mapped file are the system's to take back: count what is this process's
    return int(next(line for line in open("/proc/self/status") if "RssAnon" in line).split()[1])
steps = iter(loader)
for _ in range(20): next(steps)
before = own()
for _ in steps: pass
print(own() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_the_same_over_an_epoch(tmp_path):
    """8,000 pictures of 96² are 221 MB on disk; the loader's own memory must not grow with them."""
    path = tmp_path / "images.npy"
    images = np.lib.format.open_memmap(path, "w+", np.uint8, (8000, 96, 96, 3))
    images[::10] = 7
    images.flush()
    found = subprocess.run(
        [sys.executable, "-c", LOADER, str(path)], capture_output=True, text=True, check=True
    )
    assert int(found.stdout) < 20_000  # kB
