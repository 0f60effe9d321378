"""How many pictures to make from which frame, decided before any is made."""

from collections import Counter
from collections.abc import Iterable

#: Bands of pain that balancing tells apart: equal parts of the label's range above its lowest.
BANDS = 8


def band_of(label: float, low: float, high: float) -> int:
    """Return 0 for the lowest label, else which part of the range it lies in, 1 to `BANDS`.

    >>> [band_of(label, 0, 16) for label in (0, 0.5, 2, 2.5, 16)]
    [0, 1, 1, 2, 8]
    """
    if label <= low:
        return 0
    share = (label - low) / (high - low)
    return min(BANDS, max(1, -int(-share * BANDS // 1)))


def expected_variants(
    band: int, frames: Counter[int], variants: int, balance: float, most: int
) -> float:
    """Return how many pictures each frame of a band of pain gets on average.

    A band with n frames of the subject, where its commonest has N, gets
    `variants * (N / n) ** balance` of each: with balance 1 each of the subject's bands would end
    with the same number of pictures, but for the limit. Only the subject's own frames count: were
    others' counted, the labels of a held-out subject would decide what is made to train on.

    Args:
        band: 1 to `BANDS`.
        frames: of each band among the subject's frames.
        variants: of a frame of the commonest band.
        balance: 0 to 1.
        most: limit.

    >>> expected_variants(2, Counter({0: 900, 1: 80, 2: 20}), 1, 0.5, 4)
    2.0
    """
    commonest = max((count for at, count in frames.items() if at > 0), default=1)
    share = commonest / max(frames[band], 1)
    return min(variants * share**balance, max(most, variants)) if variants else 0.0


def drawn(expected: float, draw: float) -> int:
    """Return a whole number of pictures that is `expected` on average.

    Args:
        expected: number of pictures.
        draw: evenly spread over 0 to 1, below 1; of the frame, so always the same.

    >>> drawn(2.25, 0.1), drawn(2.25, 0.5)
    (3, 2)
    """
    whole = int(expected)
    return whole + (draw < expected - whole)


def frames_by_band(labels: Iterable[float], low: float, high: float) -> Counter[int]:
    """Return how many frames each band has."""
    return Counter(band_of(label, low, high) for label in labels)
