import math

import numpy as np
import pytest
import torch

from aacsfnet.evaluation.metrics import ccc
from aacsfnet.models.head import OrdinalHead
from aacsfnet.models.network import Network
from aacsfnet.training.losses import LOSSES, concordance, smooth, squared

PREDICTIONS = torch.tensor([0.5, -1.0, 2.0, 0.1])
LABELS = torch.tensor([0.0, 1.0, 2.5, 0.1])
ONES = torch.ones(4)


def network(mean=0.0, deviation=1.0):
    model = Network("stand-in", {})
    model.label_mean.fill_(mean)
    model.label_deviation.fill_(deviation)
    model.head = OrdinalHead(4, 0.0, 4.0, 4)
    return model


def test_squared_error_by_hand():
    assert float(squared(PREDICTIONS, LABELS, ONES)) == pytest.approx((0.25 + 4 + 0.25) / 4)
    weights = torch.tensor([4.0, 0.0, 0.0, 0.0])
    assert float(squared(PREDICTIONS, LABELS, weights)) == pytest.approx(0.25)


def test_smooth_error_by_hand():
    """Below 0.25 it is 2 e², above |e| - 0.125."""
    labels = torch.tensor([0.6, 1.0, 2.5, 0.1])
    assert float(smooth(PREDICTIONS, labels, ONES)) == pytest.approx((0.02 + 1.875 + 0.375) / 4)


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


@pytest.mark.parametrize("name", ["mse", "smooth_l1", "concordance"])
def test_losses_of_scores_measure_standardised_labels(name):
    """Labels of mean 3 and deviation 2, and scores that say so exactly, cost nothing."""
    loss, head = LOSSES[name]
    assert head == "regression"
    labels = 3.0 + 2.0 * LABELS
    model = network(3.0, 2.0)
    assert float(loss(model, LABELS[:, None], labels, ONES)) == pytest.approx(0.0, abs=1e-5)
    assert float(loss(model, PREDICTIONS[:, None], labels, ONES)) > 0.1


def test_gaussian_likelihood_is_scipys():
    from scipy.stats import norm

    loss, _ = LOSSES["gaussian"]
    raw = torch.tensor([[0.5, 0.3]])
    found = float(loss(network(), raw, torch.tensor([0.2]), torch.ones(1)))
    deviation = math.exp(0.15)
    likelihood = -norm.logpdf(0.2, 0.5, deviation) - 0.5 * math.log(2 * math.pi)
    assert found == pytest.approx(deviation * likelihood, rel=1e-5)


def test_gaussian_is_least_where_the_variance_is_the_error():
    loss, _ = LOSSES["gaussian"]
    labels = torch.tensor([-2.0, 2.0])
    raw = torch.tensor([[0.0, math.log(4.0)]] * 2, requires_grad=True)
    loss(network(), raw, labels, torch.ones(2)).backward()
    torch.testing.assert_close(raw.grad[:, 1], torch.zeros(2), atol=1e-6, rtol=0)


def test_ordinal_loss_by_hand():
    loss, _ = LOSSES["ordinal"]
    raw = torch.tensor([[2.0, 1.0, -1.0, -2.0]])
    expected = 0.0
    for logit, target in zip(raw[0].tolist(), [1.0, 1.0, 0.5, 0.0], strict=True):  # label 2.5
        chance = 1 / (1 + math.exp(-logit))
        expected -= (target * math.log(chance) + (1 - target) * math.log(1 - chance)) / 4
    found = loss(network(), raw, torch.tensor([2.5]), torch.ones(1))
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_downhill_helps_and_labels_all_alike_do_no_harm(name):
    loss, _ = LOSSES[name]
    outputs = {"gaussian": 2, "ordinal": 4}.get(name, 1)
    start = torch.randn((4, outputs), generator=torch.Generator().manual_seed(0))
    for labels in (LABELS, torch.zeros(4)):
        raw = start.clone().requires_grad_()
        before = loss(network(), raw, labels, ONES)
        before.backward()
        assert torch.isfinite(raw.grad).all()
        assert loss(network(), start - 0.05 * raw.grad, labels, ONES) < before
