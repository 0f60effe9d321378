"""How a scale of the spatial network turns a picture into tokens, one for each patch."""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn


class LinearEmbedding(nn.Linear):
    """Each square patch through one matrix, as in the published code; patches do not overlap."""

    def __init__(self, patch: int, width: int) -> None:
        # The same as a convolution with the patch as stride, and several times faster on a CPU.
        super().__init__(patch * patch * 3, width)
        self.patch, self.width = patch, width

    def forward(self, pictures: Tensor) -> Tensor:
        """Return tokens `(B, N, width)`, row by row, of pictures `(B, 3, H, W)`."""
        rows, columns = (side // self.patch for side in pictures.shape[-2:])
        patches = pictures.permute(0, 2, 3, 1)  # (B, H, W, 3)
        patches = patches.unflatten(2, (columns, self.patch)).unflatten(1, (rows, self.patch))
        patches = patches.transpose(2, 3).flatten(3).flatten(1, 2)  # (B, N, patch * patch * 3)
        return super().forward(patches)


class ConvolutionalEmbedding(nn.Module):
    """Convolutions of kernel 3 and stride 2 down to a patch's side: tokens overlap a little.

    A token then holds edges and their places instead of a weighted sum of pixels, which small
    transformers trained on little do not learn by themselves (Xiao et al. 2021, "Early
    convolutions help transformers see better").
    """

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.patch, self.width = patch, width
        halvings = patch.bit_length() - 1
        widths = [3, *(max(16, width >> left) for left in range(halvings - 1, -1, -1))]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            convolution = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, width, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """Return tokens `(B, N, width)`, row by row, of pictures `(B, 3, H, W)`."""
        tokens: Tensor = self.layers(pictures).flatten(2).transpose(1, 2)
        return tokens


#: By the name of the setting `embedding`.
EMBEDDINGS: dict[str, Callable[[int, int], LinearEmbedding | ConvolutionalEmbedding]] = {
    "linear": LinearEmbedding,
    "convolution": ConvolutionalEmbedding,
}
