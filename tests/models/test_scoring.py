import pytest
import torch

import aacsfnet
from aacsfnet.models.network import Network
from aacsfnet.models.scoring import scored


class BatchMean(Network):
    """Adds the batch's mean to each picture's: shows which pictures came together."""

    fixed_batch = 4
    head = torch.nn.Identity()

    def features(self, pictures):
        assert len(pictures) == 4
        own = pictures.mean((1, 2, 3))
        return (own + 10 * own.mean())[:, None]

    def score(self, raw):
        return raw[:, 0]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 11])
def test_a_fixed_batch_is_filled_up_from_the_start(count):
    values = torch.arange(float(count))
    found, spread = scored(BatchMean("x", {}), values.view(-1, 1, 1, 1).expand(-1, 3, 2, 2))
    expected = []
    for start in range(0, count, 4):
        part = [i % count for i in range(start, start + 4)]
        expected += [i + 10 * sum(part) / 4 for i in part]
    assert found.tolist() == expected[:count]
    assert spread is None


def test_any_other_network_gets_the_batch_as_it_is():
    torch.manual_seed(0)
    model = aacsfnet.create_model(
        backbone="test_resnet", image_size=64, feature_stride=16, width=32, depth=1, heads=2
    ).eval()
    pictures = torch.rand(3, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(scored(model, pictures)[0], model(pictures))
