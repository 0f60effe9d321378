"""The head: from fused features to a pain score."""

from torch import Tensor, nn


class RegressionHead(nn.Module):
    """Two small layers to one number, on the scale of standardised labels."""

    outputs = 1

    def __init__(self, channels: int, hidden: int = 32, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, self.outputs),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return raw outputs `(B, 1)` from features `(B, C)`."""
        raw: Tensor = self.layers(features)
        return raw

    def score(self, raw: Tensor) -> Tensor:
        """Return the score `(B,)`, in standardised labels, of raw outputs `(B, 1)`."""
        return raw.squeeze(1)
