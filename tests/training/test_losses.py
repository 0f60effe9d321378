import numpy as np
import pytest
import torch

from aacsfnet.evaluation.metrics import ccc
from aacsfnet.training.losses import LOSSES, concordance, smooth, squared

PREDICTIONS = torch.tensor([0.5, -1.0, 2.0, 0.1])
LABELS = torch.tensor([0.0, 1.0, 2.5, 0.1])
ONES = torch.ones(4)


def test_squared_error_by_hand():
    assert float(squared(PREDICTIONS, LABELS, ONES)) == pytest.approx((0.25 + 4 + 0.25) / 4)
    weights = torch.tensor([4.0, 0.0, 0.0, 0.0])
    assert float(squared(PREDICTIONS, LABELS, weights)) == pytest.approx(0.25)


def test_smooth_error_by_hand():
    """Below 0.5 it is e² (0.5 e² / 0.5), above |e| - 0.25."""
    labels = torch.tensor([0.6, 1.0, 2.5, 0.1])
    assert float(smooth(PREDICTIONS, labels, ONES)) == pytest.approx((0.01 + 1.75 + 0.25) / 4)


def test_concordance_is_that_of_the_metric():
    found = float(concordance(PREDICTIONS, LABELS, ONES))
    expected = 1 - ccc(PREDICTIONS.numpy(), LABELS.numpy()) + 0.1 * 4.5 / 4
    assert found == pytest.approx(expected, abs=1e-5)


def test_weighing_a_pair_twice_is_having_it_twice():
    weights = torch.tensor([2.0, 1.0, 1.0, 1.0])
    doubled = [torch.cat([each, each[:1]]) for each in (PREDICTIONS, LABELS)]
    expected = 1 - ccc(*(each.numpy().astype(np.float64) for each in doubled))
    found = concordance(PREDICTIONS, LABELS, weights) - 0.1 * squared(PREDICTIONS, LABELS, weights)
    assert float(found) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_prediction_costs_nothing_and_a_step_downhill_helps(name):
    loss = LOSSES[name]
    assert float(loss(LABELS, LABELS, ONES)) == pytest.approx(0.0, abs=1e-5)
    start = PREDICTIONS.clone().requires_grad_()
    before = loss(start, LABELS, ONES)
    before.backward()
    after = loss(start.detach() - 0.1 * start.grad, LABELS, ONES)
    assert after < before


@pytest.mark.parametrize("name", LOSSES)
def test_labels_all_alike_still_give_a_finite_gradient(name):
    start = PREDICTIONS.clone().requires_grad_()
    LOSSES[name](start, torch.zeros(4), ONES).backward()
    assert torch.isfinite(start.grad).all()
    assert start.grad.abs().max() > 0
