import math
from itertools import pairwise

import pytest
import torch
from torch import nn

import aacsfnet
from aacsfnet.training.optimiser import optimiser_of, parameter_groups, rate_factor


def test_norms_biases_and_class_tokens_do_not_decay():
    model = aacsfnet.create_model(
        backbone="test_resnet", image_size=64, feature_stride=16, width=32, depth=1, heads=2
    )
    groups = parameter_groups(model, 1e-3, 0.1)
    decaying, free = sorted(groups, key=lambda group: -group["weight_decay"])
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(each)] for each in free["params"]} >= {
        name
        for name, parameter in model.named_parameters()
        if name.endswith("bias") or parameter.ndim < 2 or "class_token" in name
    }
    assert all(names[id(each)].endswith("weight") for each in decaying["params"])
    together = [id(each) for group in (decaying, free) for each in group["params"]]
    assert sorted(together) == sorted(names)
    assert (decaying["weight_decay"], free["weight_decay"]) == (0.1, 0.0)


def test_frozen_parameters_are_left_out():
    layer = nn.Linear(3, 3)
    layer.bias.requires_grad_(False)
    (group,) = parameter_groups(layer, 1e-3, 0.1)
    assert [each.shape for each in group["params"]] == [(3, 3)]


def test_layers_of_the_backbone_move_the_slower_the_nearer_to_the_picture():
    model = aacsfnet.create_model(
        backbone="resnet18", image_size=64, width=32, depth=1, heads=2, context_depth=1
    )
    rate_of = {
        id(parameter): group["lr"]
        for group in parameter_groups(model, 1.0, 0.0, layer_decay=0.5)
        for parameter in group["params"]
    }
    found = {name: rate_of[id(parameter)] for name, parameter in model.named_parameters()}
    body = "branches.channel.backbone.body"
    assert found[f"{body}.layer4.1.conv2.weight"] == 0.5
    assert found[f"{body}.layer3.0.conv1.weight"] == 0.25
    assert found[f"{body}.layer1.0.bn1.bias"] == 0.0625
    assert found[f"{body}.conv1.weight"] < 0.0625
    assert {rate for name, rate in found.items() if not name.startswith(body)} == {1.0}


def test_the_rate_rises_and_falls():
    factors = [rate_factor(step, 100, 10) for step in range(100)]
    assert factors[9] == factors[10] == 1.0
    assert all(low < high for low, high in pairwise(factors[:10]))
    assert all(high > low for high, low in pairwise(factors[10:]))
    assert factors[55] == pytest.approx(0.5)
    assert factors[-1] == pytest.approx(0.5 * (1 + math.cos(math.pi * 89 / 90)))


def test_no_warm_up_starts_at_the_peak():
    assert rate_factor(0, 10, 0) == 1.0


def test_the_schedule_drives_the_optimiser():
    optimiser, schedule = optimiser_of(nn.Linear(2, 1), 0.1, 0.0, steps=4, warm_up=2)
    seen = []
    for _ in range(4):
        seen.append(optimiser.param_groups[0]["lr"])
        torch.ones(1, requires_grad=True).backward()
        optimiser.step()
        schedule.step()
    assert seen == pytest.approx([0.05, 0.1, 0.1, 0.05])
