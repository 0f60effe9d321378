import numpy as np
import pytest
import torch

import aacsfnet
from aacsfnet.errors import SettingsError
from aacsfnet.models.head import GaussianHead, OrdinalHead, RegressionHead
from tests.models.small import SMALL

MEAN, DEVIATION = torch.tensor(3.0), torch.tensor(2.0)


def test_a_regression_head_scores_in_units_of_the_label_and_tells_no_spread():
    head = RegressionHead(8)
    raw = torch.tensor([[0.5], [-1.0]])
    assert head.score(raw, MEAN, DEVIATION).tolist() == [4.0, 1.0]
    assert head.spread(raw, DEVIATION) is None


def test_a_gaussian_head_tells_its_deviation():
    head = GaussianHead(8)
    assert head(torch.randn(3, 8)).shape == (3, 2)
    raw = torch.tensor([[0.5, 0.0], [0.5, 2.0]])
    assert head.score(raw, MEAN, DEVIATION).tolist() == [4.0, 4.0]
    assert head.spread(raw, DEVIATION).tolist() == pytest.approx([2.0, 2.0 * np.e])


def test_ordinal_probabilities_fall_from_step_to_step_whatever_the_weights():
    head = OrdinalHead(8, 0.0, 16.0, 16)
    torch.nn.init.normal_(head.distances, std=5.0)
    chances = head(torch.randn(5, 8)).sigmoid()
    assert chances.shape == (5, 16)
    assert (chances.diff(dim=1) <= 0).all()


def test_ordinal_thresholds_start_evenly():
    head = OrdinalHead(8, 0.0, 16.0, 16)
    logits = head(torch.randn(1, 8))[0]
    np.testing.assert_allclose(logits.diff().detach().numpy(), -0.25, atol=1e-5)


@pytest.mark.parametrize("label", [0.0, 0.3, 2.5, 4.0])
def test_the_expected_label_of_perfect_probabilities_is_the_label(label):
    head = OrdinalHead(8, 0.0, 4.0, 4)
    targets = head.targets(torch.tensor([label]))
    raw = torch.logit(targets, eps=1e-6)
    assert float(head.score(raw, MEAN, DEVIATION)) == pytest.approx(label, abs=1e-4)


def test_the_ordinal_spread_is_that_of_the_levels():
    """Against sampling: A falls on level k with P(A >= k) - P(A >= k + 1)."""
    head = OrdinalHead(8, 0.0, 8.0, 4)
    above = np.array([0.9, 0.6, 0.3, 0.05])
    chances = np.append(1.0, above) - np.append(above, 0.0)
    levels = np.arange(5) * 2.0
    mean = (chances * levels).sum()
    deviation = np.sqrt((chances * (levels - mean) ** 2).sum())
    raw = torch.logit(torch.tensor(above[None]))
    assert float(head.score(raw, MEAN, DEVIATION)) == pytest.approx(mean)
    assert float(head.spread(raw, DEVIATION)) == pytest.approx(deviation)


@pytest.mark.parametrize("head", ["regression", "gaussian", "ordinal"])
def test_every_head_makes_scores_of_pictures_and_all_of_it_learns(head):
    torch.manual_seed(0)
    model = aacsfnet.create_model(**SMALL, head=head, levels=4, label_range=(0.0, 4.0))
    pictures = torch.rand(3, 3, 64, 64)
    raw = model.raw(pictures)
    assert model(pictures).shape == (3,)
    spread = model.spread(raw)
    assert (spread is None) == (head == "regression")
    raw.square().sum().backward()
    assert all(each.grad.abs().max() > 0 for each in model.head.parameters())
    if head == "ordinal":
        assert model(pictures).min() >= 0
        assert model(pictures).max() <= 4


def test_an_impossible_head_is_named():
    with pytest.raises(SettingsError, match="head = 'softmax'"):
        aacsfnet.create_model(backbone="test_resnet", image_size=64, head="softmax")
    with pytest.raises(SettingsError, match="levels = 1"):
        aacsfnet.create_model(backbone="test_resnet", image_size=64, head="ordinal", levels=1)
