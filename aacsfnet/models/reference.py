"""Which pictures of a person show them as they mostly look: the reference of a context."""

import numpy as np


def calmest(measures: np.ndarray, count: int) -> np.ndarray:
    """Return which frames of one person show them most as they mostly look, in order, at most all.

    Their measures lie nearest to the person's median, as a mean over measures in units of each
    one's mean distance from it. Pain is rare, so that is near rest, and no label is asked. Frames
    of unknown measures come only where there are too few others; of those, evenly spread ones.

    >>> calmest(np.array([[0.9], [0.5], [0.1], [0.4], [np.nan]]), 2)
    array([1, 3])

    Args:
        measures: `(n, measures)` float, NaN where unknown.
        count: how many.
    """
    known = np.ma.masked_invalid(measures)
    distances = abs(known - np.ma.median(known, axis=0))
    scales = np.ma.masked_less(distances.mean(axis=0), 1e-6)
    far = (distances / scales).mean(axis=1).filled(np.inf)
    order = np.argsort(far, kind="stable")
    chosen = order[np.isfinite(far[order])][:count]
    others = np.setdiff1d(np.arange(len(far)), chosen)
    missing = min(count - len(chosen), len(others))
    if missing:
        spread = ((np.arange(missing) + 0.5) * len(others) / missing).astype(int)
        chosen = np.concatenate([chosen, others[spread]])
    ordered: np.ndarray = np.sort(chosen)
    return ordered
