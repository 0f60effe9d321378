"""Sampling and loss weights of pictures: by level, by subject, by real or generated."""

import numpy as np


def density(labels: np.ndarray, low: float, high: float, levels: int = 16) -> np.ndarray:
    """Return how common each label is, `(N,)`: the share of labels near it.

    Counts in `levels + 1` bins are smoothed over neighbours by 1, 2, 1, as rare levels beside each
    other tell of each other (Yang et al. 2021).
    """
    bins = np.rint((labels - low) / (high - low) * levels).astype(int).clip(0, levels)
    counts = np.bincount(bins, minlength=levels + 1).astype(float)
    smoothed = np.convolve(np.pad(counts, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    share: np.ndarray = smoothed[bins] / len(labels)
    return share


def loss_weights(
    labels: np.ndarray,
    synthetic: np.ndarray,
    *,
    low: float,
    high: float,
    rarity: float,
    synthetic_weight: float,
) -> np.ndarray:
    """Return each picture's weight in the loss, `(N,)` of mean 1.

    Args:
        labels: `(N,)`.
        synthetic: `(N,)`, which are generated.
        low: lowest label possible.
        high: highest.
        rarity: power of the inverse density; 0 weighs all alike, 1 all levels alike.
        synthetic_weight: of a generated picture, where a real one counts 1.
    """
    weights = density(labels, low, high) ** -rarity
    weights = weights / weights.mean() * np.where(synthetic, synthetic_weight, 1.0)
    balanced: np.ndarray = weights / weights.mean()
    return balanced


def draw_weights(
    labels: np.ndarray,
    subjects: np.ndarray,
    synthetic: np.ndarray,
    *,
    low: float,
    high: float,
    balance: tuple[str, ...] = (),
    synthetic_share: float | None = None,
) -> np.ndarray:
    """Return the sampling weight of each picture, relative to the others, `(N,)`.

    Args:
        labels: `(N,)`.
        subjects: `(N,)` names.
        synthetic: `(N,)`, which are generated.
        low: lowest label possible.
        high: highest.
        balance: "levels" shows rare levels more often (by the root of the inverse density),
            "subjects" shows each subject as often as any other.
        synthetic_share: share of generated pictures among those shown; None leaves it to chance.
    """
    weights = np.ones(len(labels))
    if "levels" in balance:
        weights *= density(labels, low, high) ** -0.5
    if "subjects" in balance:
        _, member, counts = np.unique(subjects, return_inverse=True, return_counts=True)
        totals = np.bincount(member, weights, minlength=len(counts))
        weights /= totals[member]
    if synthetic_share is not None and synthetic.any() and not synthetic.all():
        for group, share in ((synthetic, synthetic_share), (~synthetic, 1.0 - synthetic_share)):
            weights[group] *= share / weights[group].sum()
    even: np.ndarray = weights / weights.mean()
    return even


def phase_weights(
    weights: np.ndarray, synthetic: np.ndarray, epoch: int, pretraining_epochs: int
) -> np.ndarray:
    """Return the weights for one epoch of the schedule: generated pictures alone first, then real.

    Without pretraining epochs, or without generated pictures, every epoch shows all.
    """
    if not pretraining_epochs or not synthetic.any():
        return weights
    shown: np.ndarray = np.where(synthetic == (epoch < pretraining_epochs), weights, 0.0)
    return shown
