"""The running average of weights that both parts of the miniature keep while they learn."""

import torch
from torch import nn


@torch.no_grad()
def follow(average: nn.Module, learner: nn.Module, step: int) -> None:
    """Move `average` towards `learner` after its step `step`, counted from 1; fast at first."""
    decay = min(0.998, (1 + step) / (10 + step))
    for slow, fast in zip(average.parameters(), learner.parameters(), strict=True):
        slow.lerp_(fast, 1 - decay)
