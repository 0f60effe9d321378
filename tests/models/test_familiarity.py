"""How far features lie from those of training."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from aacsfnet.errors import ModelFileError
from aacsfnet.models.familiarity import Familiarity, shrunk_covariance


def features(count=200, channels=8, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 1, (count, channels)) @ rng.normal(0, 1, (channels, channels))) + 3


@pytest.mark.parametrize("count", [5, 40, 300])
def test_the_covariance_is_that_of_ledoit_and_wolf(count):
    values = features(count)
    expected = LedoitWolf().fit(values).covariance_
    np.testing.assert_allclose(shrunk_covariance(values), expected, rtol=1e-9, atol=1e-12)


def test_the_distance_is_that_of_mahalanobis():
    values, new = features(), features(6, seed=1)
    found = Familiarity.of(values)(torch.tensor(new))
    inverse = np.linalg.inv(shrunk_covariance(values))
    expected = [mahalanobis(each, values.mean(axis=0), inverse) / np.sqrt(8) for each in new]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_training_features_are_about_1_away():
    values = features(2000)
    assert float(Familiarity.of(values)(torch.tensor(values)).square().mean()) == pytest.approx(
        1, abs=0.1
    )


def test_a_direction_that_never_moved_makes_no_infinity():
    values = features()
    values[:, 3] = 7.0
    found = Familiarity.of(values)(torch.tensor(values))
    assert torch.isfinite(found).all()
    assert torch.isfinite(Familiarity.of(np.ones((3, 4)))(torch.ones(1, 4))).all()


def test_what_is_saved_is_loaded(tmp_path):
    path = tmp_path / "features.safetensors"
    assert Familiarity.load(path) is None
    kept = Familiarity.of(features())
    kept.save(path)
    new = torch.tensor(features(4, seed=2))
    assert torch.equal(Familiarity.load(path)(new), kept(new))
    path.write_bytes(b"no tensors")
    with pytest.raises(ModelFileError, match="cannot be read"):
        Familiarity.load(path)
