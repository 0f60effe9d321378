"""The baseline `geometry`: a ridge regression on the facial measures, in place of a network.

Each frame's measures are taken relative to the median of the same person's frames, which needs no
label; frames without one do not count, so that the baseline rests on the figures' own frames. The
regression is fitted on the people that the fold's network was trained or selected on, and its
penalty is chosen by leaving some of those people out in turn. Nothing is taken from who is held out
but the measures of the face.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from aacsfnet import tables
from aacsfnet.cohort.selection import has_label
from aacsfnet.evaluation.statistics import Floats
from aacsfnet.faces.geometry import changes

#: Penalties tried, times the number of frames.
_PENALTIES = 10.0 ** np.arange(-4, 3)
#: Parts that the training people are dealt into to choose one.
_PARTS = 5


@dataclass(frozen=True)
class Ridge:
    """A fitted regression on standardised features."""

    mean: Floats
    deviation: Floats  # infinite for a feature that does not vary
    slopes: Floats
    centre: float

    @classmethod
    def fit(cls, features: Floats, labels: Floats, penalty: float) -> "Ridge":
        """Fit label = centre + slopes · standardised features, Σ error² + penalty Σ slope² least.

        Args:
            features: `(n, features)`.
            labels: `(n,)`.
            penalty: of the slopes; the centre has none.
        """
        mean, deviation = features.mean(axis=0), features.std(axis=0)
        deviation = np.where(deviation > 1e-9, deviation, np.inf)
        standard = (features - mean) / deviation
        centre = float(labels.mean())
        square = standard.T @ standard + penalty * np.eye(features.shape[1])
        slopes = np.linalg.solve(square, standard.T @ (labels - centre))
        return cls(mean, deviation, slopes, centre)

    def predict(self, features: Floats) -> Floats:
        """Return the label `(n,)` of features `(n, features)`."""
        found: Floats = self.centre + (features - self.mean) / self.deviation @ self.slopes
        return found


def fit_chosen(features: Floats, labels: Floats, people: np.ndarray) -> tuple[Ridge, float]:
    """Return a ridge whose penalty does best on left-out people, and the penalty a frame.

    Args:
        features: `(n, features)`.
        labels: `(n,)`.
        people: `(n,)` whose frame each is; one person's frames are left out together.
    """
    _, codes = np.unique(people, return_inverse=True)
    parts = codes % min(_PARTS, int(codes.max()) + 1)
    errors = np.zeros(len(_PENALTIES))
    for part in np.unique(parts):
        out = parts == part
        if out.all():  # one person: nobody to choose by
            continue
        for place, penalty in enumerate(_PENALTIES):
            ridge = Ridge.fit(features[~out], labels[~out], penalty * int((~out).sum()))
            errors[place] += ((ridge.predict(features[out]) - labels[out]) ** 2).sum()
    best = float(_PENALTIES[int(errors.argmin())]) if errors.any() else float(_PENALTIES[-1])
    return Ridge.fit(features, labels, best * len(labels)), best


def geometry_predictions(index: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Return `fold`, `frame_id`, `geometry` and `penalty` of every held-out real frame.

    `geometry` is null where the face's measures are unknown, and for all frames of a fold whose
    training people have none.

    Args:
        index: the merged table.
        splits: `fold`, `subject`, `role`.
    """
    rows = index.filter(has_label() & ~pl.col("synthetic")).sort("row")
    measured = rows["measures"].struct.unnest().select(tables.MEASURES).cast(pl.Float64)
    features = np.empty((len(rows), len(tables.MEASURES)))
    subjects = rows["subject"].to_numpy()
    for subject in np.unique(subjects):
        mine = subjects == subject
        features[mine] = changes(measured.filter(mine).to_numpy())
    known = np.isfinite(features).all(axis=1)
    labels, pool = rows["label"].to_numpy(), rows["pool"].fill_null(False).to_numpy()
    found = []
    for (fold,), roles in splits.sort("fold").group_by("fold", maintain_order=True):
        of_role = dict(roles.select("subject", "role").iter_rows())
        role = np.array([of_role.get(subject, "") for subject in subjects], dtype=object)
        test = role == "test"
        learn = np.isin(role, ("train", "validation")) & known
        learn = learn & ~pool if (learn & ~pool).any() else learn
        values, penalty = np.full(int(test.sum()), np.nan), None
        if learn.any():
            ridge, penalty = fit_chosen(features[learn], labels[learn], subjects[learn])
            values = ridge.predict(features[test])
        found.append(
            rows.filter(test).select(
                pl.lit(fold, pl.Int64).alias("fold"),
                "frame_id",
                pl.Series("geometry", values, pl.Float64).fill_nan(None),
                pl.lit(penalty, pl.Float64).alias("penalty"),
            )
        )
    empty = {"fold": pl.Int64, "frame_id": pl.String, "geometry": pl.Float64, "penalty": pl.Float64}
    return pl.concat([pl.DataFrame(schema=empty), *found])
