"""The training of the gate's second witness: the arithmetic round it."""

import numpy as np
import torch

from aacsfnet.augmentation.gate.witness import JUDGED, SIDE
from tools.witness import KEPT, PASSES, bounds_of, varied


def test_bounds_let_the_wanted_share_of_right_pictures_pass():
    random = np.random.default_rng(1)
    highest = np.array([5, 5, 5, 5, 5, 1, 16.0])
    asked = random.uniform(0, 1, (2000, 7)) * highest
    errors = random.normal(0, 0.02 + 0.1 * asked / highest) * highest
    bounds = bounds_of(asked, asked + errors)
    low, high = np.array([bounds[name] for name in JUDGED]).T
    allowed = low + (high - low) * asked / highest
    passed = (np.abs(errors) <= allowed).all(axis=1).mean()
    assert abs(passed - PASSES) < 0.01
    assert (high > 2 * low).all()  # errors that grow get bounds that grow


def test_what_is_trained_on_is_evened_out_and_mirrored_by_group():
    random = np.random.default_rng(0)
    ramp = np.broadcast_to(np.arange(KEPT, dtype=np.uint8), (16, KEPT, KEPT))
    seen = varied(torch.from_numpy(ramp.copy()), 4, random)
    assert seen.shape == (16, 1, SIDE, SIDE)
    np.testing.assert_allclose(seen.mean((1, 2, 3)), 0, atol=1e-3)
    np.testing.assert_allclose(seen.std((1, 2, 3)), 1, atol=1e-2)
    rises = (seen[:, 0, :, -1].mean(1) > seen[:, 0, :, 0].mean(1)).reshape(4, 4)
    assert (rises == rises[:, :1]).all()
    assert set(rises[:, 0].tolist()) == {True, False}
