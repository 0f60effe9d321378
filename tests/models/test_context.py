"""Pictures beside the one that is scored: what they may change, and what not."""

import pytest
import torch

import aacsfnet
from aacsfnet.errors import SettingsError
from aacsfnet.models.context import ALONE, Context, ContextFusion
from tests.models.small import SMALL
from tests.models.test_network import pictures

KINDS = ["person", "sequence"]


def small(**settings):
    torch.manual_seed(0)
    return aacsfnet.create_model(**(SMALL | settings)).eval()


def moved(kind, frames=2):
    """A network whose way from the context has learned something."""
    model = small(context=kind, context_frames=frames)
    torch.nn.init.normal_(model.context_fusion.change.weight, std=0.3)
    return model


def beside(count, places, seed=5):
    return Context(pictures(count * places, seed=seed), torch.ones(count, places, dtype=torch.bool))


def scores(model, own, context=None):
    with torch.no_grad():
        return model.score(model.head(model.features_in(own, context)))


def test_without_context_a_network_is_what_it_was_before_there_was_such_a_thing():
    model = small()
    assert not any("context_fusion" in name for name in model.state_dict())
    assert sum(each.numel() for each in model.parameters()) == 295873
    before = torch.tensor([0.305659, 0.397842, 0.216476, 0.413577])
    torch.testing.assert_close(scores(model, pictures(4)), before, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_start_it_is_the_network_of_single_pictures(kind):
    plain, model = small(), small(context=kind)
    added = model.state_dict().keys() - plain.state_dict().keys()
    assert added == {"context_fusion.change.weight"}
    for name, value in plain.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    own = pictures(3)
    expected = scores(plain, own)
    torch.testing.assert_close(
        scores(model, own, beside(3, 2 if kind == "person" else 4)), expected, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(("kind", "places"), [("person", 2), ("sequence", 4)])
def test_what_is_not_known_changes_nothing(kind, places):
    model, own = moved(kind), pictures(3)
    context = beside(3, places)
    assert (scores(model, own, context) - scores(model, own)).abs().min() > 1e-3
    masked = context._replace(known=torch.zeros(3, places, dtype=torch.bool))
    torch.testing.assert_close(scores(model, own, masked), scores(model, own), atol=1e-5, rtol=0)
    some = context.known.clone()
    some[:, 0] = False
    other = context.pictures.clone()
    other[::places] = 0.5  # the first place of each
    torch.testing.assert_close(
        scores(model, own, context._replace(known=some)),
        scores(model, own, Context(other, some)),
        atol=1e-5,
        rtol=0,
    )


@pytest.mark.parametrize(("kind", "places"), [("person", 2), ("sequence", 4)])
def test_a_score_depends_on_its_own_context_alone(kind, places):
    model, own, context = moved(kind), pictures(3), beside(3, places)
    together = scores(model, own, context)
    for at in range(3):
        alone = Context(context.pictures[places * at : places * (at + 1)], context.known[:1])
        torch.testing.assert_close(
            scores(model, own[at : at + 1], alone)[0], together[at], atol=1e-5, rtol=1e-5
        )


def test_a_reference_is_the_mean_of_what_is_known_of_it():
    fusion = ContextFusion(2, "person", 3).eval()
    fusion.change.weight.data = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    own = torch.tensor([[1.0, 1.0], [5.0, 0.0]])
    others = torch.tensor([[0.0, 2.0], [2.0, 0.0], [9.0, 9.0]] * 2)
    known = torch.tensor([[True, True, False], [True, False, False]])
    # Means (1, 1) and (0, 2); differences (0, 0) and (5, -2); times (2, 1).
    assert fusion(own, others, known).tolist() == [[1.0, 1.0], [15.0, -2.0]]


def test_a_sequence_can_become_the_mean_over_its_frames():
    fusion = ContextFusion(3, "sequence", 1).eval()
    fusion.change.weight.data = -torch.eye(3).repeat(1, 2) / 3
    own, others = torch.randn(2, 3), torch.randn(4, 3)
    found = fusion(own, others, torch.ones(2, 2, dtype=torch.bool))
    expected = (own + others.view(2, 2, 3).sum(dim=1)) / 3
    torch.testing.assert_close(found, expected)


def test_frames_before_and_after_are_told_apart():
    model, own, context = moved("sequence", 1), pictures(3), beside(3, 2)
    turned = context.pictures.view(3, 2, 3, 64, 64).flip(1).flatten(0, 1)
    difference = scores(model, own, context) - scores(model, own, context._replace(pictures=turned))
    assert difference.abs().min() > 1e-3


@pytest.mark.parametrize(("kind", "places"), [("person", 2), ("sequence", 4)])
def test_the_way_from_the_context_learns_from_the_first_step_on(kind, places):
    model = small(context=kind).train()
    raw = model.head(model.features_in(pictures(8), beside(8, places)))
    raw.square().sum().backward()
    assert (model.context_fusion.change.weight.grad.abs().amax(dim=0) > 0).all()


def test_training_shows_some_pictures_alone():
    torch.manual_seed(0)
    fusion = ContextFusion(1, "person", 1)
    fusion.change.weight.data.fill_(1.0)
    own, known = torch.ones(4000, 1), torch.ones(4000, 1, dtype=torch.bool)
    alone = fusion(own, torch.zeros(4000, 1), known)[:, 0] == 1.0
    assert abs(float(alone.float().mean()) - ALONE) < 0.02
    assert not (fusion.eval()(own, torch.zeros(4000, 1), known)[:, 0] == 1.0).any()


def test_the_published_network_sees_one_picture():
    with pytest.raises(SettingsError, match="no setting 'context'"):
        aacsfnet.create_model("published", context="person")
