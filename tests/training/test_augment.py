import numpy as np
import pytest
import torch

from aacsfnet.training import augment as module
from aacsfnet.training.augment import augment, draw, flipped


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(count=6, size=32):
    coarse = torch.rand((count, 3, 6, 6), generator=generator(5))
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")


def test_nothing_is_changed_by_an_amount_of_zero():
    batch = pictures()
    assert torch.equal(augment(batch, 0.0, draw(6, generator())), batch)


def test_pictures_keep_shape_and_range_and_differ_from_each_other():
    same = pictures(1).expand(16, -1, -1, -1)
    varied = augment(same, 1.0, draw(16, generator()))
    assert varied.shape == same.shape
    assert varied.min() >= 0
    assert varied.max() <= 1
    flat = varied.flatten(1)
    assert torch.cdist(flat, flat)[~torch.eye(16, dtype=bool)].min() > 0.1


def test_flipped_names_the_pictures_that_are_mirrored(monkeypatch):
    """The left half is white: after a flip, and little else, the right one is."""
    for name in ("ROTATION", "SCALE", "SHIFT", "ERASE_SHARE"):
        monkeypatch.setattr(module, name, 0.0)
    batch = torch.zeros(20, 3, 16, 16)
    batch[..., :8] = 1.0
    draws = draw(20, generator())
    varied = augment(batch, 1.0, draws)
    right_is_white = varied[..., 8:].mean(dim=(1, 2, 3)) > varied[..., :8].mean(dim=(1, 2, 3))
    assert torch.equal(right_is_white, flipped(1.0, draws))
    assert 0 < right_is_white.sum() < 20
    assert not flipped(0.0, draws).any()


def test_the_same_seed_gives_the_same_pictures():
    first, again, other = (augment(pictures(), 1.0, draw(6, generator(seed))) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_picture_is_varied_whatever_its_neighbours_are():
    """Row i of the draws belongs to picture i: changing another changes nothing here."""
    first, second = pictures(), pictures()
    second[3] = 0.5
    draws = draw(6, generator())
    varied, again = augment(first, 1.0, draws), augment(second, 1.0, draws)
    assert torch.equal(varied[0], again[0])


def test_movement_is_centred():
    """On the average over many draws a dot stays where it is."""
    dot = torch.zeros(1, 3, 33, 33)
    dot[..., 16, 16] = 1.0
    moved = module._move(
        dot.expand(4000, -1, -1, -1), 1.0, torch.rand((4000, 5), generator=generator())
    )
    mean = moved.mean(dim=(0, 1))
    mass = mean / mean.sum()
    ticks = torch.arange(33.0)
    assert float((mass.sum(dim=0) * ticks).sum()) == pytest.approx(16, abs=0.1)
    assert float((mass.sum(dim=1) * ticks).sum()) == pytest.approx(16, abs=0.1)


def test_flip_mirrors_about_the_middle():
    draws = torch.full((1, 5), 0.5)  # 0.5 is no turn, no scale, no shift
    draws[0, 0] = 0.1
    batch = pictures(1)
    torch.testing.assert_close(module._move(batch, 1.0, draws), batch.flip(3), atol=1e-5, rtol=0)
    draws[0, 0] = 0.9
    torch.testing.assert_close(module._move(batch, 1.0, draws), batch, atol=1e-5, rtol=0)


def test_a_hole_has_the_asked_size_and_place():
    batch = pictures(1, 100)
    draws = torch.tensor([[0.5, 1.0, 0.0, 1.0]])  # sides 0.2 and 0.3; top, right
    changed = (module._erase(batch, draws) != batch).any(dim=1)[0].numpy()
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert (rows.min(), rows.max()) == (0, 19)
    assert (columns.min(), columns.max()) == (70, 99)


def test_blur_keeps_the_mean_of_a_smooth_picture_and_lessens_edges():
    batch = torch.zeros(1, 3, 32, 32)
    batch[..., 16:] = 1.0
    blurred = module._blur(batch, torch.tensor([[1.0]]))
    assert float(blurred.mean()) == pytest.approx(0.5, abs=1e-5)
    assert float(blurred.diff(dim=3).abs().max()) == pytest.approx(1 / 3, abs=1e-5)


def test_neutral_draws_leave_colours():
    batch = pictures(2)
    found = module._recolour(batch, 1.0, torch.full((2, 3), 0.5))
    torch.testing.assert_close(found, batch, atol=1e-6, rtol=0)
