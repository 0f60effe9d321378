"""How the weights move: AdamW, warm-up and cosine, and which weights decay."""

import math

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Return the trainable parameters in two groups: matrices and kernels decay, the rest not.

    Norms, biases and class tokens are recognised by having at most one side longer than one.
    """
    decaying: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        sides = sum(side > 1 for side in parameter.shape)
        (decaying if sides > 1 else free).append(parameter)
    return [
        {"params": decaying, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]


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
    model: nn.Module, learning_rate: float, weight_decay: float, steps: int, warm_up: int
) -> tuple[AdamW, LambdaLR]:
    """Return the optimiser and its schedule, to be moved on after every step."""
    optimiser = AdamW(parameter_groups(model, weight_decay), lr=learning_rate)
    return optimiser, LambdaLR(optimiser, lambda step: rate_factor(step, steps, warm_up))
