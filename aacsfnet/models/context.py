"""Pictures beside the one that is scored, and how their features meet its own.

The pictures are the same person's: some that show them at rest (`person`), or the frames before and
after (`sequence`). They are chosen without any label.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

#: Share of the pictures that training shows without their context, so that the network can score a
#: picture of which nothing else is known.
ALONE = 0.1


class Context(NamedTuple):
    """The pictures beside those of a batch, `P` of each.

    Attributes:
        pictures: `(B * P, 3, H, W)` float in 0-1, those of one picture after another's.
        known: `(B, P)` bool; what stands in the other places does not count.
    """

    pictures: Tensor
    known: Tensor


class ContextFusion(nn.Module):
    """A picture's features, and what a linear layer makes of their differences from its context's.

    `person`: out = own + W (own - mean of the references). `sequence`: out = own + the sum over
    the frames before and after of W_d (own - neighbour_d), a temporal convolution; with
    W_d = -1 / (places + 1) it is the mean over the frames. W starts at zero: at first this is the
    network of single pictures, and what it learns is added. What is not known counts as no
    difference, so a picture without context keeps its own features. Differences, not the others'
    features themselves, since what is alike in them (the person, the light) says nothing of pain.

    Args:
        channels: of the features.
        kind: "person" or "sequence".
        frames: of the person's reference; of a sequence, on each side.
    """

    def __init__(self, channels: int, kind: Literal["person", "sequence"], frames: int) -> None:
        super().__init__()
        self.kind, self.frames = kind, frames
        self.places = 2 * frames if kind == "sequence" else frames  # beside each picture
        groups = self.places if kind == "sequence" else 1
        self.change = nn.Linear(groups * channels, channels, bias=False)
        nn.init.zeros_(self.change.weight)

    def forward(self, own: Tensor, others: Tensor, known: Tensor) -> Tensor:
        """Return features `(B, C)`.

        Args:
            own: `(B, C)`.
            others: `(B * P, C)`, P of each picture, one picture's after another's; of a sequence
                in order of time.
            known: `(B, P)` bool.
        """
        if self.training:
            kept = torch.rand((len(own), 1), device=own.device) >= ALONE
            known = known & kept
        counted = known.unsqueeze(2).to(own.dtype)  # (B, P, 1)
        differences = (own.unsqueeze(1) - others.view(*known.shape, -1)) * counted  # (B, P, C)
        if self.kind == "person":
            differences = differences.sum(dim=1) / counted.sum(dim=1).clamp_min(1.0)  # (B, C)
        fused: Tensor = own + self.change(differences.flatten(1))
        return fused
