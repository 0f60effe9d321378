"""How much each pixel moves a score: the gradient of the score, branch by branch."""

import torch
from torch import Tensor

from aacsfnet.models.network import AACSFNet, Network
from aacsfnet.models.scoring import scored
from aacsfnet.tables import FUSED


def attributions(model: Network, pictures: Tensor) -> dict[str, Tensor]:
    """Return the attribution of each pixel `(B, H, W)` for each branch and for the whole network.

    It is the size of the score's gradient by the pixel, summed over colours, with pixels in units
    of their standard deviation in training (Simonyan et al. 2014). A branch's is what reaches the
    score through that branch, the others held still; by the chain rule these gradients add up to
    the whole network's.

    Args:
        model: in evaluation mode. Of one branch, or of a kind without any, only `FUSED` is given.
        pictures: `(B, 3, H, W)` float in 0-1.
    """
    pixels = pictures.detach().clone().requires_grad_(True)
    if isinstance(model, AACSFNet) and len(model.branches) > 1:
        outputs = model.branch_outputs(pixels)
        through = {}
        for name in outputs:
            still = {each: tuple(part.detach() for part in outputs[each]) for each in outputs}
            only = still | {name: outputs[name]}
            through[name] = _gradient(model.score(model.head(model.fused(only))), pixels)
        through[FUSED] = torch.stack(list(through.values())).sum(dim=0)
    else:
        through = {FUSED: _gradient(scored(model, pixels)[0], pixels)}
    return {
        name: (gradient * model.pixel_deviation).abs().sum(dim=1)
        for name, gradient in through.items()
    }


def _gradient(scores: Tensor, pixels: Tensor) -> Tensor:
    """Return the gradient of the sum of scores by each pixel, `(B, 3, H, W)`."""
    if not scores.requires_grad:  # a score that no pixel reaches
        return torch.zeros_like(pixels)
    (found,) = torch.autograd.grad(scores.sum(), pixels, retain_graph=True, allow_unused=True)
    return torch.zeros_like(pixels) if found is None else found
