"""The running average of weights that both parts of the miniature keep while they learn."""

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


def averaged(learner: nn.Module) -> AveragedModel:
    """Return an average that starts as the learner and follows it, fast at first.

    Its `update_parameters` is called after each step; `n_averaged` is the next one, from 1.
    """
    average = AveragedModel(learner, multi_avg_fn=_follow)
    average.n_averaged.fill_(1)
    return average


def _follow(slow: list[Tensor], fast: list[Tensor], step: Tensor) -> None:
    decay = min(0.998, (1 + int(step)) / (10 + int(step)))
    get_ema_multi_avg_fn(decay)(slow, fast, step)
