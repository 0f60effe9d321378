"""What the network must do, each a thing that the published code does not."""

import sys
from types import ModuleType
from typing import Literal

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import aacsfnet
from aacsfnet.config import NetworkSettings
from aacsfnet.errors import SettingsError
from aacsfnet.models import create
from aacsfnet.models.fusion import Align, AttentionFusion, PositionFusion
from aacsfnet.models.hybrid_attention import HybridAttention
from aacsfnet.models.patch_embedding import EMBEDDINGS
from aacsfnet.models.spatial_network import SpatialNetwork
from tests.models.small import SMALL

VARIANTS = {
    "full": {},
    "channel-only": {"branches": ("channel",)},
    "spatial-only": {"branches": ("spatial",)},
    "one-scale": {"scales": (16,)},
    "plain-backbone": {"branches": ("channel",), "attention": ()},
    "no-global": {"attention": ("channel", "spatial")},
    "concatenation": {"fusion": "concatenation"},
    "gated": {"fusion": "gated"},
    "positions": {"fusion": "positions"},
    "regions": {"regions": True},
    "convolution": {"embedding": "convolution", "scales": (16, 8)},
}


def small(seed=0, **settings):
    torch.manual_seed(seed)
    return aacsfnet.create_model(**(SMALL | settings))


def pictures(count, size=64, seed=1):
    """Smooth patches of colour, as unlike each other as pictures are; noise would be all alike."""
    coarse = torch.rand((count, 3, 5, 5), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")


@pytest.fixture(params=VARIANTS, name="model")
def _model(request):
    return small(**VARIANTS[request.param])


def test_a_score_does_not_depend_on_the_rest_of_the_batch(model):
    model.eval()
    batch = pictures(5)
    with torch.no_grad():
        together = model(batch)
        alone = torch.cat([model(one[None]) for one in batch])
        other = model(torch.cat([batch[:1], pictures(6, seed=9)]))[0]
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(other, alone[0], atol=1e-5, rtol=1e-5)
    assert together.std() > 1e-4  # equal scores for all would pass the above


@pytest.mark.parametrize("count", [1, 2, 5, 33])
def test_any_batch_size_trains_and_scores(count):
    model = small()
    assert model(pictures(count)).shape == (count,)
    model.eval()
    assert model(pictures(count)).shape == (count,)


@pytest.mark.parametrize("size", [64, 96, 128])
def test_any_size_that_the_patches_divide(size):
    assert small()(pictures(2, size)).shape == (2,)


def test_a_size_that_the_patches_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="70x70"):
        small().branches["spatial"](pictures(1, 70))


@pytest.mark.parametrize("fusion", ["attention", "positions", "concatenation", "gated"])
@pytest.mark.parametrize("branch", ["channel", "spatial"])
def test_perturbing_either_branch_moves_the_output(branch, fusion):
    model = small(fusion=fusion).eval()
    with torch.no_grad():
        outputs = model.branch_outputs(pictures(3))
        before = model.head(model.fused(outputs))
        vector, *maps = outputs[branch]
        outputs[branch] = (vector + torch.randn(vector.shape), *maps)
        assert (model.head(model.fused(outputs)) - before).abs().min() > 1e-5


def test_fusion_lets_the_branches_meet():
    """One branch's token changes what attention returns for the other."""
    torch.manual_seed(0)
    fusion = AttentionFusion(2, 16).eval()
    tokens = torch.randn(1, 2, 16)
    changed = tokens.clone()
    changed[:, 1] += 1.0 * torch.randn(16)
    with torch.no_grad():
        first = fusion(tokens).view(2, 32)[0]
        second = fusion(changed).view(2, 32)[0]
    assert torch.equal(first[:16], second[:16])  # the token itself is as it was
    assert (first[16:] - second[16:]).abs().max() > 1e-3  # what it learned from the other is not


def test_fusion_over_positions_starts_side_by_side_and_then_looks_at_every_map():
    torch.manual_seed(0)
    fusion = PositionFusion(2, 16, [8, 12]).eval()
    tokens, maps = torch.randn(1, 2, 16), [torch.randn(1, 8, 4, 4), torch.randn(1, 12, 8, 8)]
    with torch.no_grad():
        assert torch.equal(fusion(tokens, maps), tokens.flatten(1))
        torch.nn.init.normal_(fusion.attention.out_proj.weight)
        before = fusion(tokens, maps)
        for place in range(2):
            changed = [each.clone() for each in maps]
            changed[place][..., 1, 2] += 3.0 * torch.randn(maps[place].shape[1])
            assert (fusion(tokens, changed) - before).abs().max() > 1e-3
        # The same features in another place are another thing.
        assert (fusion(tokens, [each.flip(3) for each in maps]) - before).abs().max() > 1e-4


def test_convolutional_patches_overlap_and_linear_ones_do_not():
    picture = torch.zeros(1, 3, 64, 64)
    changed = picture.clone()
    changed[..., 15, 15] = 1.0  # the last pixel of the first patch of 16
    for embedding, reached in (("linear", 1), ("convolution", 4)):
        torch.manual_seed(0)
        embed = EMBEDDINGS[embedding](16, 32).eval()
        with torch.no_grad():
            moved = (embed(changed) - embed(picture)).abs().amax(dim=2)[0] > 1e-7
        assert moved.shape == (16,)
        assert moved[0]
        assert int(moved.sum()) == reached


def test_the_spatial_branch_is_left_out_of_some_pictures_in_training_only():
    """Half of them with a share of a half; the channel branch is never left out."""
    torch.manual_seed(0)
    align = Align([8, 8], 16, left_out=0.5).train()
    vectors = [torch.randn(400, 8), torch.randn(400, 8)]
    empty = (align(vectors) == 0).all(dim=2)  # (B, branches)
    assert not empty[:, 0].any()
    assert 150 < int(empty[:, 1].sum()) < 250
    whole = align.eval()(vectors)
    assert not (whole == 0).all(dim=2).any()
    torch.testing.assert_close(align.train()(vectors)[:, 0], whole[:, 0])


def test_hybrid_attention_differs_between_pictures_at_initialisation():
    model = small().eval()
    with torch.no_grad():
        pooled, _ = model.branch_outputs(pictures(8))["channel"]
    assert isinstance(model.branches["channel"].attention, HybridAttention)
    assert pooled.std(dim=0).mean() > 1e-2  # between pictures; the published one is about 1e-8
    assert pooled.std(dim=1).mean() > 0.5  # between channels


def test_one_scale_attends_to_the_other_scales_patches():
    """A change in one patch of the second scale moves the first scale's class token."""
    spatial = small().branches["spatial"].eval()
    assert isinstance(spatial, SpatialNetwork)
    tokens = torch.randn(1, 17, 32, generator=torch.Generator().manual_seed(0))
    changed = tokens.clone()
    changed[:, 5] += 3.0 * torch.randn(32, generator=torch.Generator().manual_seed(1))
    crossing = spatial.crossings[0]
    with torch.no_grad():
        query = torch.randn(1, 1, 32, generator=torch.Generator().manual_seed(2))
        first, second = crossing(query, tokens[:, 1:]), crossing(query, changed[:, 1:])
    assert (first - second).abs().max() > 1e-4


def test_every_parameter_is_used_and_learns(model):
    """Each has a gradient that is not zero, also the queries and keys of every attention.

    timm starts the last norm of each residual block at zero, on purpose, so the convolutions before
    it learn from the second step on: hence one step first.
    """
    model.train()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(2):
        optimiser.zero_grad()
        model(pictures(8)).square().mean().backward()
        optimiser.step()
    idle = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().max() > 0
    ]
    assert not idle
    for name, parameter in model.named_parameters():
        if "in_proj_weight" in name or name.endswith("qkv.weight"):
            for part, third in zip("qkv", parameter.grad.chunk(3), strict=True):
                assert third.abs().max() > 1e-9, f"{name}: {part} does not learn"


def test_it_can_learn_a_handful_of_pictures_by_heart():
    model = small(dropout=0.0)
    batch, labels = pictures(8), torch.linspace(0, 3, 8)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimiser.zero_grad()
        loss = (model(batch) - labels).square().mean()
        loss.backward()
        optimiser.step()
    assert loss < 0.05


def test_scores_are_in_units_of_the_label_and_pictures_normalised():
    model = small().eval()
    with torch.no_grad():
        plain = model(pictures(4))
        model.label_mean.fill_(3.0)
        model.label_deviation.fill_(2.0)
        torch.testing.assert_close(model(pictures(4)), 3.0 + 2.0 * plain)
        normal = model.normalise(pictures(4))
    expected = (pictures(4)[:, 1] - 0.456) / 0.224
    torch.testing.assert_close(normal[:, 1], expected)


def test_full_size_is_no_larger_than_published():
    """32.9 M parameters, of which 1.76 M idle, and 13.4 GFLOP a picture were measured there."""
    with torch.device("meta"):
        model = aacsfnet.create_model().eval()
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.empty(1, 3, 224, 224))
    assert sum(each.numel() for each in model.parameters()) <= 32.9e6
    assert counter.get_total_flops() <= 13.4e9  # a multiplication and its addition are two


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"backbone": "no_such_net"}, "no_such_net"),
        ({"feature_stride": 5}, "feature_stride = 5"),
        ({"branches": ("temporal",)}, "temporal"),
        ({"attention": ("colour",)}, "colour"),
        ({"fusion": "sum"}, "fusion = 'sum'"),
        ({"scales": (48,)}, "48 must divide"),
        ({"scales": (24,), "embedding": "convolution"}, r"scales = \[24\]: expected powers of two"),
        ({"scales": (64,)}, "64 must divide"),
        ({"scales": (32, 16, 8)}, "scales = .* at most 2"),
        ({"context_width": 48}, "context_width = 48: expected a multiple of 32"),
        ({"width": 30, "heads": 4}, "width = 30"),
        ({"colour": 1}, "colour"),
    ],
)
def test_impossible_settings_are_named(settings, says):
    with pytest.raises(SettingsError, match=says):
        small(**settings)


def test_an_unknown_network_is_named():
    with pytest.raises(SettingsError, match="aacsfnett"):
        aacsfnet.create_model("aacsfnett")


def test_the_published_network_has_only_its_own_settings():
    with pytest.raises(SettingsError, match="fusion"):
        aacsfnet.create_model("published", fusion="gated")


def test_a_branch_is_its_name_among_the_settings_and_a_file_of_its_own(monkeypatch):
    """A third branch joins without another line: created, fused in order, and it learns."""

    class Colour(torch.nn.Module):
        channels = 6
        map_channels = ()

        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, self.channels)

        def forward(self, pictures):
            return (self.layer(pictures.mean((2, 3))),)

    file = ModuleType("aacsfnet.models.colour_network")
    file.build = lambda settings, image_size, pretrained: Colour()
    monkeypatch.setitem(sys.modules, file.__name__, file)
    monkeypatch.setattr(create, "Branch", Literal["channel", "spatial", "colour"])
    kept = {key: SMALL[key] for key in SMALL if key != "image_size"}
    settings = NetworkSettings(**kept).model_copy(update={"branches": ("colour", "channel")})
    model = create.aacsfnet(settings, image_size=64)
    assert list(model.branches) == ["channel", "colour"]
    model.eval()(pictures(4)).square().mean().backward()
    assert model.branches["colour"].layer.weight.grad.abs().max() > 0
