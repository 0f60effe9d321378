"""AdamW, warm-up with cosine decay of the learning rate, and which weights decay."""

import math
from typing import Any

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from aacsfnet.models.backbone import Backbone


def parameter_groups(
    model: nn.Module, learning_rate: float, weight_decay: float, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Return the trainable parameters in groups of one learning rate and one weight decay.

    Matrices and kernels decay; norms, biases and class tokens, which have at most one side longer
    than one, do not. The backbone's learning rate decays layer by layer towards the picture: its
    last layer has `layer_decay` times the rate, the one before its square and so on.

    Args:
        model: the network; its backbone is a `aacsfnet.models.backbone.Backbone`, if it has one.
        learning_rate: of everything but the backbone.
        weight_decay: of matrices and kernels.
        layer_decay: 1 gives all layers one rate.
    """
    rates = _backbone_rates(model, layer_decay)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        matrix = sum(side > 1 for side in parameter.shape) > 1
        key = learning_rate * rates.get(parameter, 1.0), weight_decay if matrix else 0.0
        groups.setdefault(key, []).append(parameter)
    return [
        {"params": parameters, "lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]


def _backbone_rates(model: nn.Module, layer_decay: float) -> dict[nn.Parameter, float]:
    """Return the share of the rate of each of the backbone's parameters."""
    rates: dict[nn.Parameter, float] = {}
    for backbone in (each for each in model.modules() if isinstance(each, Backbone)):
        layers = [list(layer.parameters()) for layer in backbone.body.children()]
        layers = [layer for layer in layers if layer]
        for below_top, layer in enumerate(reversed(layers)):
            rates |= dict.fromkeys(layer, layer_decay ** (below_top + 1))
    return rates


def rate_factor(step: int, steps: int, warm_up: int) -> float:
    """Return the share of the peak learning rate at a step: linear up, then half a cosine down.

    >>> [round(rate_factor(step, 10, 2), 2) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.04]
    """
    if step < warm_up:
        return (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def optimiser_of(
    model: nn.Module,
    learning_rate: float,
    weight_decay: float,
    steps: int,
    warm_up: int,
    layer_decay: float = 1.0,
) -> tuple[AdamW, LambdaLR]:
    """Return the optimiser and its schedule, to be moved on after every step."""
    groups = parameter_groups(model, learning_rate, weight_decay, layer_decay)
    optimiser = AdamW(groups, lr=learning_rate, fused=True)
    return optimiser, LambdaLR(optimiser, lambda step: rate_factor(step, steps, warm_up))
